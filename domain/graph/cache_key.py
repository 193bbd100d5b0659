"""The names under which what a vertex made is found again.

In no key: the values of proxies (``hidden_env``) and the addresses of ``--add-host``, which
change from network to network; the name of a base image, since its digest says it all; values of
secrets and contents of cache mounts, which no operation holds; names and lines of vertices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from img.domain.digest import Digest
from img.domain.graph.codec import Json, canonical_json, encode_operation
from img.domain.graph.operations import Exec, Operation, PullBase

# To be raised when the same operation comes to mean another result, or results were once kept by
# keys that did not tell what they were made from: what was kept by other formats is not found.
FORMAT = 2


def definition_key(operation: Operation, input_keys: Sequence[Digest | None]) -> Digest:
    """Return the digest of an operation and its inputs' keys; None is an input without a key.

    Known before anything runs. Everything that decides is in it, but what the module's text lists.
    """
    return _key("definition", operation, input_keys)


def content_key(operation: Operation, *contents: Digest) -> Digest:
    """Return the digest of an operation and of what it reads, in the order of its inputs.

    Equal where inputs were made in another way but hold the same. Not in it: what made them, their
    mtimes (the caller's digests of contents leave them out), and what the module's text lists.
    """
    return _key("content", operation, contents)


def _key(kind: str, operation: Operation, inputs: Iterable[Digest | None]) -> Digest:
    digests: list[Json] = [None if each is None else str(each) for each in inputs]
    document: dict[str, Json] = {
        "format": FORMAT,
        "key": kind,
        "operation": encode_operation(_deciding(operation)),
        "inputs": digests,
    }
    return Digest.of(canonical_json(document))


def _deciding(operation: Operation) -> Operation:
    """Return ``operation`` with what may differ from run to run blanked out."""
    match operation:
        case Exec(hosts=hosts):
            names = tuple((name, "") for name, _ in hosts)
            return replace(operation, hidden_env=(), hosts=names)
        case PullBase():
            return replace(operation, reference="")
        case _:
            return operation

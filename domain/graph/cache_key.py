"""The cache keys of vertices.

Keys do not include: the values of proxies (``hidden_env``) and the addresses of ``--add-host``,
which depend on the network; the name of a base image, because its digest identifies it; name
servers, certificates of the host, values of secrets and contents of cache mounts, which are in no
operation; names and lines of vertices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from img.domain.digest import Digest
from img.domain.graph.codec import Json, canonical_json, encode_operation
from img.domain.graph.operations import Exec, Operation, PullBase

# Increase it when the result of an operation changes, or when older keys missed an input. Results
# with keys of another format are not found.
FORMAT = 2


def definition_key(operation: Operation, input_keys: Sequence[Digest | None]) -> Digest:
    """Return the digest of an operation and the keys of its inputs; None is an input without a key.

    It is known before anything runs. It includes all inputs but those in the module's docstring.
    """
    return _key("definition", operation, input_keys)


def content_key(operation: Operation, *contents: Digest) -> Digest:
    """Return the digest of an operation and of the contents it reads, in the order of its inputs.

    It is equal for inputs with equal contents, even if they were made in different ways. It
    excludes their mtimes (the caller's digests omit them) and the values in the module's docstring.
    """
    return _key("content", operation, contents)


def former_key(operation: Operation, place: str) -> Digest:
    """Return the digest of an operation and of the place of its files, not of their contents.

    It finds the last layer of the step, of which the next one may reuse parts.
    """
    return _key("former", operation, (Digest.of(place.encode("utf-8", "surrogateescape")),))


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
    """Return ``operation`` without the fields that may differ from run to run."""
    match operation:
        case Exec(hosts=hosts):
            names = tuple((name, "") for name, _ in hosts)
            return replace(operation, hidden_env=(), hosts=names)
        case PullBase():
            return replace(operation, reference="")
        case _:
            return operation

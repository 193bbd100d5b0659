"""Walks from an index to its manifests, through nested indexes, within limits."""

from collections.abc import Callable, Iterable, Iterator

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.platform import Platform

MOST_NESTED = 8  # nested indexes; real images have at most two
MOST_DOCUMENTS = 1000  # manifests and indexes below one name


def manifest_for(
    target: Descriptor, wanted: Platform, read: Callable[[Descriptor], bytes]
) -> tuple[Descriptor, bytes]:
    """Return the manifest at or below ``target`` that suits ``wanted`` best, and its bytes.

    Raises InvalidDocument, NoPlatformMatch, and the errors of ``read``.
    """
    for _ in range(MOST_NESTED + 1):
        content = read(target)
        if target.media_type not in media_types.INDEXES:
            return target, content
        target = decode_index(content).best_for(wanted)
    raise _too_deep()


def descend(
    target: Descriptor, children: Callable[[Descriptor], Iterable[Descriptor]]
) -> Iterator[Descriptor]:
    """Yield ``target`` and all documents below it, each once, children first.

    ``children`` returns the wanted entries of an index, none for a manifest. It is called once for
    each document, before that is yielded. Raises InvalidDocument, and the errors of ``children``.
    """
    return _descend(target, children, set(), MOST_NESTED)


def _descend(
    target: Descriptor,
    children: Callable[[Descriptor], Iterable[Descriptor]],
    seen: set[Digest],
    deeper: int,
) -> Iterator[Descriptor]:
    seen.add(target.digest)
    if len(seen) > MOST_DOCUMENTS:
        raise InvalidDocument("image index", "", f"more than {MOST_DOCUMENTS} documents below it")
    for child in children(target):
        if child.digest in seen:
            continue
        if not deeper:
            raise _too_deep()
        yield from _descend(child, children, seen, deeper - 1)
    yield target


def _too_deep() -> InvalidDocument:
    return InvalidDocument("image index", "", f"more than {MOST_NESTED} indexes in one another")

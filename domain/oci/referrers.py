"""Artifacts that refer to images, and artifacts that refer to those (image-spec manifest.md)."""

from collections import deque
from collections.abc import Iterable, Sequence

from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor


def closure(
    parts: Iterable[Digest], subjects: Iterable[tuple[Descriptor, Digest]]
) -> Sequence[Descriptor]:
    """Return the artifacts about ``parts``, and those about these, each behind its subject.

    ``subjects`` has artifacts and the digests of their subjects.
    """
    about: dict[Digest, list[Descriptor]] = {}
    for artifact, subject in subjects:
        about.setdefault(subject, []).append(artifact)
    waiting = deque(parts)
    found: dict[Digest, Descriptor] = {}
    while waiting:
        for artifact in about.pop(waiting.popleft(), ()):
            if artifact.digest not in found:
                found[artifact.digest] = artifact
                waiting.append(artifact.digest)
    return [*found.values()]

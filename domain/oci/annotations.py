"""Annotations of images, and their places."""

from collections.abc import Iterable
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.platform import Platform


class AnnotationPlace(Enum):
    """The document with an annotation, by BuildKit's names."""

    MANIFEST = "manifest"
    INDEX = "index"
    MANIFEST_DESCRIPTOR = "manifest-descriptor"  # in an index, of a manifest
    INDEX_DESCRIPTOR = "index-descriptor"  # in a layout, of an index


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation; without ``platform`` it is for all platforms."""

    key: str
    value: str
    place: AnnotationPlace = AnnotationPlace.MANIFEST
    platform: Platform | None = None


def annotations_at(
    annotations: Iterable[Annotation], place: AnnotationPlace, platform: Platform | None = None
) -> dict[str, str]:
    """Return the annotations in ``place``; those of ``platform`` override the general ones."""
    here = [each for each in annotations if each.place is place]
    found = {each.key: each.value for each in here if each.platform is None}
    if platform is not None:
        own = platform.normalized()
        found |= {
            each.key: each.value
            for each in here
            if each.platform is not None and each.platform.normalized() == own
        }
    return found

"""``--annotation``, and ``annotation….KEY=VALUE`` among the attributes of an output."""

import re

from img.domain.errors import ImgError, UsageError
from img.domain.oci.annotations import Annotation, AnnotationPlace
from img.domain.platform import Platform

# buildx, util/buildflags/export.go; BuildKit, exporter/containerimage/exptypes/annotations.go
_TYPE = r"([a-z-]+)(?:\[([A-Za-z0-9_./()%-]+)\])?"
_ATTRIBUTE = r"annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_./()%-]+)\])?\.(.+)"


def parse_annotation(text: str, host: Platform) -> list[Annotation]:
    """Return the annotations that ``[TYPE[PLATFORM],…:]KEY=VALUE`` asks for, one for each type.

    Raises UsageError.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f'invalid annotation "{text}", expected key=value')
    types, colon, key = name.partition(":")
    if not colon:
        return [Annotation(key=name, value=value)]
    found = []
    for one in types.split(","):
        matched = re.fullmatch(_TYPE, one)
        if matched is None:
            raise UsageError(
                f'invalid annotation type "{one}", expected type and optional platform '
                "in square brackets"
            )
        found.append(_annotation(matched[1], matched[2], key, value, host))
    return found


def parse_annotation_attribute(key: str, value: str, host: Platform) -> Annotation | None:
    """Return the annotation of attribute ``key`` of an output, None for another attribute.

    Raises UsageError.
    """
    matched = re.fullmatch(_ATTRIBUTE, key)
    if matched is None:
        return None
    return _annotation(matched[1] or "manifest", matched[2], matched[3], value, host)


def is_annotation_attribute(key: str) -> bool:
    """Return whether an attribute of an output is an annotation."""
    return re.fullmatch(_ATTRIBUTE, key) is not None


def _annotation(
    kind: str, platform: str | None, key: str, value: str, host: Platform
) -> Annotation:
    try:
        place = AnnotationPlace(kind)
    except ValueError:
        known = ", ".join(each.value for each in AnnotationPlace)
        raise UsageError(f'unknown annotation type "{kind}"', hint=f"one of {known}") from None
    if not key:
        raise UsageError(f'invalid annotation "={value}", expected key=value')
    try:
        found = Platform.parse(platform, host) if platform else None
    except ImgError:
        raise UsageError(f'invalid platform "{platform}" of annotation {key}') from None
    return Annotation(key=key, value=value, place=place, platform=found)

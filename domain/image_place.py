"""Places of images, as ``img copy`` names them (containers-transports(5))."""

from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference

_ARCHIVES = {"docker-archive": "docker", "oci-archive": "oci"}
_REGISTRY = "docker"
_STORE = "store"
_LAYOUT = "oci"
_KNOWN = (
    *("docker://NAME", "store:NAME", "oci:DIRECTORY[:TAG]", "oci-archive:FILE[:NAME]"),
    "docker-archive:FILE[:NAME]",
)


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    """An image in a registry."""

    reference: ImageReference

    def __str__(self) -> str:
        return str(self.reference)


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """An image in the store."""

    name: ImageName

    def __str__(self) -> str:
        return f"{_STORE}:{self.name.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlace:
    """An image in an archive of the format "docker" or "oci", with ``name`` if it is not None."""

    format: str
    path: str
    name: ImageReference | None = None

    def __str__(self) -> str:
        return f"{self.format}-archive:{self.path}"


ImagePlace = RegistryPlace | StoredPlace | LayoutPlace | ArchivePlace


def parse_image_place(text: str) -> ImagePlace:
    """Return the place that ``text`` names; a name alone is in a registry.

    Raises UsageError, InvalidReference, InvalidDigest.
    """
    if (layout := LayoutPlace.parse(text)) is not None:
        return layout
    transport, colon, rest = text.partition(":")
    if colon and transport == _REGISTRY and rest.startswith("//"):
        return RegistryPlace(ImageReference.parse(rest[2:]))
    if colon and transport == _STORE:
        return StoredPlace(ImageName.parse(rest))
    if colon and transport == _LAYOUT:
        layout = LayoutPlace.parse(f"oci-layout://{rest}")
        assert layout is not None
        return _with_path(layout, layout.path, text)
    if colon and transport in _ARCHIVES:
        path, _, name = rest.partition(":")
        archive = ArchivePlace(
            format=_ARCHIVES[transport],
            path=path,
            name=ImageReference.parse(name) if name else None,
        )
        return _with_path(archive, path, text)
    if "://" in text or (colon and rest.startswith("/")):
        raise UsageError(f"{text}: unknown place of images", hint=f"use {', '.join(_KNOWN)}")
    return RegistryPlace(ImageReference.parse(text))


def _with_path(place: ImagePlace, path: str, text: str) -> ImagePlace:
    if not path:
        raise UsageError(f"{text}: the path is missing")
    return place

"""The outputs of a build (``-o``)."""

from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.oci.annotations import Annotation
from img.domain.oci.compression import Compression
from img.domain.reference import ImageReference

STANDARD_OUTPUT = "-"


class Squash(Enum):
    """Layers that are merged to one."""

    NEW = "new"  # those above the base image
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageForm:
    """The form of an image: layers and documents may differ in bytes for the same files."""

    compression: Compression | None = None  # None: layers keep their compression
    force_compression: bool = False  # recompress the base's layers too
    rewrite_timestamp: bool = False  # limit mtimes in the build's own layers to the epoch
    epoch: int | None = None  # seconds; None: the build's SOURCE_DATE_EPOCH, if set
    oci_types: bool = True  # False: Docker's
    annotations: tuple[Annotation, ...] = ()
    squash: Squash | None = None
    oci_artifact: bool = True  # False: attestations in the form that looks like an image
    # With attestations that are only for images in registries and the store.
    attestation_inline: bool = False


AS_BUILT = ImageForm()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutput:
    """An image in the store, in registries, or both."""

    names: tuple[ImageReference, ...] = ()
    form: ImageForm = AS_BUILT
    store: bool = True  # in the store, under its names or without one
    push: bool = False
    push_by_digest: bool = False  # names then have no tags
    insecure: bool = False  # allow plain HTTP to the registries
    unpack: bool = False  # prepare the root file system for steps of later builds
    name_canonical: bool = False  # also store it as name@digest
    dangling_prefix: str = ""  # also store it as PREFIX@digest
    dangling_empty_only: bool = False  # only if it has no other name


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOutput:
    """An image in a file, in the format "oci" or "docker"."""

    format: str
    destination: str = STANDARD_OUTPUT
    names: tuple[ImageReference, ...] = ()
    form: ImageForm = AS_BUILT
    tar: bool = True  # False: a directory, only for the format "oci"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOutput:
    """The files of the image, in a tar file or in a directory."""

    destination: str
    tar: bool = False
    delete: bool = False  # other files in the directory
    platform_split: bool | None = None  # one directory per platform; None: if several
    epoch: int | None = None  # seconds; mtime of all files
    attestation_inline: bool = False
    attestation_prefix: str = ""  # of the names of files with attestations


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskImageOutput:
    """The files of the image as a file system in one file, in the format "squashfs" or "sif"."""

    format: str
    destination: str = STANDARD_OUTPUT
    compression: str = "gzip"  # or zstd
    epoch: int | None = None  # seconds; mtime of all files


@dataclass(frozen=True, slots=True)
class CacheOnly:
    """No output besides the build cache."""


Output = ImageOutput | ArchiveOutput | FilesOutput | DiskImageOutput | CacheOnly
"""One thing that is to become of the result."""


def reads_layers(output: Output) -> bool:
    """Return whether ``output`` reads the bytes of the base's layers."""
    match output:
        case ImageOutput():
            return output.store or output.unpack or _reads_base(output.form)
        case CacheOnly():
            return False
        case ArchiveOutput() | FilesOutput() | DiskImageOutput():
            return True


def is_written_here(output: Output) -> bool:
    """Return whether ``output`` is a file or a directory of this machine."""
    written = isinstance(output, ArchiveOutput | FilesOutput | DiskImageOutput)
    return written and not is_streamed(output)


def is_streamed(output: Output) -> bool:
    """Return whether ``output`` is written to standard output; a directory may have its name."""
    match output:
        case ArchiveOutput(tar=True) | FilesOutput(tar=True) | DiskImageOutput():
            return output.destination == STANDARD_OUTPUT
        case _:
            return False


def _reads_base(form: ImageForm) -> bool:
    return form.force_compression or form.squash is Squash.ALL

"""What becomes of a build's result: the outputs that ``-o`` asks for."""

from img.domain.dataclass import dataclass
from img.domain.oci.annotations import Annotation
from img.domain.oci.compression import Compression
from img.domain.reference import ImageReference

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageForm:
    """How an image is written: with the same files it may have other bytes."""

    compression: Compression | None = None  # None: layers stay as they are
    force_compression: bool = False  # of the base's layers too
    rewrite_timestamp: bool = False  # of the build's own layers, to the epoch where they are later
    epoch: int | None = None  # seconds; None: the build's SOURCE_DATE_EPOCH, if there is one
    oci_types: bool = True  # False: Docker's
    annotations: tuple[Annotation, ...] = ()


AS_BUILT = ImageForm()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutput:
    """An image in the store, in registries, or in both."""

    names: tuple[ImageReference, ...] = ()
    form: ImageForm = AS_BUILT
    store: bool = True  # under its names, or without one
    push: bool = False
    push_by_digest: bool = False  # then names have no tags
    insecure: bool = False  # plain HTTP to the registries
    unpack: bool = False  # have the root file system ready for steps on top of it
    name_canonical: bool = False  # let name@digest stand for it as well
    dangling_prefix: str = ""  # PREFIX@digest stands for it
    dangling_empty_only: bool = False  # but only if it has no other name


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOutput:
    """An image in a file, in the format "oci" or "docker"."""

    format: str
    destination: str = STANDARD_OUTPUT
    names: tuple[ImageReference, ...] = ()
    form: ImageForm = AS_BUILT
    tar: bool = True  # False: a directory, of the format "oci" only


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOutput:
    """The files of the image, in a tar file or in a directory."""

    destination: str
    tar: bool = False
    delete: bool = False  # what else is in the directory
    platform_split: bool | None = None  # a folder for each platform; None: if there are several
    epoch: int | None = None  # seconds; the time of all files


@dataclass(frozen=True, slots=True)
class CacheOnly:
    """Nothing but what the build cache keeps."""


Output = ImageOutput | ArchiveOutput | FilesOutput | CacheOnly
"""One thing that is to become of the result."""


def reads_layers(output: Output) -> bool:
    """Tell whether the bytes of the base's layers have to be here for ``output``."""
    match output:
        case ImageOutput():
            return output.store or output.unpack or output.form.force_compression
        case CacheOnly():
            return False
        case ArchiveOutput() | FilesOutput():
            return True

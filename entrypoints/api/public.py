"""The names that ``import img`` offers."""

from __future__ import annotations

from img.application.ports.blob_store import BlobDamaged, BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import (
    ManifestUnknown,
    RegistryError,
    RegistryUnreachable,
    Unauthorized,
)
from img.domain.bake.errors import BakeError
from img.domain.errors import (
    BuildError,
    ContextError,
    DockerfileError,
    HostError,
    ImgError,
    NotFoundError,
    RemoteError,
    SourceError,
    StateError,
    StepForbidden,
    TrustError,
    UsageError,
)
from img.domain.filesystem.absent import FileNotInImage
from img.domain.oci.index import NoPlatformMatch
from img.domain.platform import InvalidPlatform
from img.domain.progress import (
    StepsPlanned,
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)
from img.domain.reference import InvalidReference
from img.entrypoints.api.cancellation import Canceled, Cancellation
from img.entrypoints.api.engine import EngineCrashed, EngineEnded, Progress
from img.entrypoints.api.files import FileKind, ImageFile, ImageFiles
from img.entrypoints.api.functions import (
    bake,
    build,
    image,
    images,
    load,
    lock,
    pull,
    push,
    save,
)
from img.entrypoints.api.images import Image
from img.entrypoints.engine.protocol import Message

__all__ = [
    "BakeError",
    "BlobDamaged",
    "BlobNotFound",
    "BuildError",
    "Canceled",
    "Cancellation",
    "ContextError",
    "DockerfileError",
    "EngineCrashed",
    "EngineEnded",
    "FileKind",
    "FileNotInImage",
    "HostError",
    "Image",
    "ImageFile",
    "ImageFiles",
    "ImageNotFound",
    "ImgError",
    "InvalidPlatform",
    "InvalidReference",
    "ManifestUnknown",
    "Message",
    "NoPlatformMatch",
    "NotFoundError",
    "Progress",
    "RegistryError",
    "RegistryUnreachable",
    "RemoteError",
    "SourceError",
    "StateError",
    "StepForbidden",
    "StepsPlanned",
    "TrustError",
    "Unauthorized",
    "UsageError",
    "VertexCached",
    "VertexCanceled",
    "VertexDone",
    "VertexFailed",
    "VertexOutput",
    "VertexStarted",
    "VertexStatus",
    "VertexWarning",
    "bake",
    "build",
    "image",
    "images",
    "load",
    "lock",
    "pull",
    "push",
    "save",
]

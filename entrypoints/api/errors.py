"""Errors of the engine as exceptions of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

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
from img.domain.reference import InvalidReference

if TYPE_CHECKING:
    from img.entrypoints.engine.protocol import Failed


_KINDS: Mapping[str, type[ImgError]] = {
    kind.__name__: kind
    for kind in (
        *(BakeError, BlobDamaged, BlobNotFound, BuildError, ContextError, DockerfileError),
        *(FileNotInImage, HostError, ImageNotFound, ImgError, InvalidPlatform, InvalidReference),
        *(ManifestUnknown, NoPlatformMatch, NotFoundError, RegistryError, RegistryUnreachable),
        *(
            RemoteError,
            SourceError,
            StateError,
            StepForbidden,
            TrustError,
            Unauthorized,
            UsageError,
        ),
    )
}


def error_of(failed: Failed) -> ImgError:
    """Return the exception that ``failed`` describes, with the hint and the excerpt as notes.

    Its class is the most special one that the API has. It has the attributes of ImgError and
    SourceError, not those of its own class. Control characters are escaped, because tracebacks
    print them.
    """
    from img.domain.shown_text import shown, shown_in_line

    kind = next((_KINDS[name] for name in failed.kinds if name in _KINDS), ImgError)
    error = kind.__new__(kind)
    hint = None if failed.hint is None else shown_in_line(failed.hint)
    ImgError.__init__(error, shown_in_line(failed.message), hint=hint)
    error.exit_code = failed.exit_code
    if isinstance(error, SourceError):
        error.lines = failed.lines
        error.excerpt = shown(failed.excerpt)
        if failed.excerpt:
            error.add_note(error.excerpt)
    if hint:
        error.add_note(f"hint: {hint}")
    return error

"""Sources of files for a stage or a --from."""

import re
from collections.abc import Mapping

from img.domain.build import BaseName
from img.domain.dataclass import dataclass
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted
from img.domain.graph.state import Lines
from img.domain.image_name import ImageName
from img.domain.platform import Platform
from img.domain.reference import ImageReference, InvalidReference

SCRATCH = "scratch"
_NEVER_REPLACED = frozenset({SCRATCH, "context"})
_IMAGE = "docker-image://"
_LAYOUT = "oci-layout://"
_STAGE_NAMES = "the name of a stage has to be a valid name of an image, such as build-2"
_FETCHED = frozenset({"http", "https", "git", "ssh"})


@dataclass(frozen=True, slots=True)
class FromScratch:
    """The empty file system (FROM scratch)."""


@dataclass(frozen=True, slots=True)
class FromStage:
    """The result of another stage."""

    index: int


@dataclass(frozen=True, slots=True)
class FromImage:
    """An image, by its own name or by the name of a context."""

    name: BaseName


@dataclass(frozen=True, slots=True)
class FromContext:
    """The files of a named context."""

    name: str


Source = FromScratch | FromStage | FromImage | FromContext


class NamedContexts:
    """The ``--build-context`` options: they replace stages and images of the same name."""

    def __init__(self, contexts: Mapping[str, str]) -> None:
        self._contexts = {_familiar(name): (name, text) for name, text in contexts.items()}

    def find(self, name: str, platform: Platform, lines: Lines) -> Source | None:
        """Return the source that replaces ``name``, None for none. Raises DockerfileError."""
        familiar = _familiar(name)
        if familiar.lower() in _NEVER_REPLACED or familiar not in self._contexts:
            return None
        return _context_source(*self._contexts[familiar], platform, lines)

    def find_for_stage(self, stage: str, platform: Platform, lines: Lines) -> Source | None:
        """Return the source that replaces ``stage``, None for none. Raises DockerfileError.

        The name has to be one that a context can have, even if there is no context (BuildKit
        dockerui/config.go, NamedContext).
        """
        if stage not in _NEVER_REPLACED:
            try:
                ImageReference.parse(stage)
            except InvalidReference as error:
                message = f"invalid context name {stage}: {error.reason}"
                raise DockerfileError(message, lines=lines, hint=_STAGE_NAMES) from None
        return self.find(stage, platform, lines)


def image_source(text: str, platform: Platform, lines: Lines) -> FromImage:
    """Return the image that ``text`` names. Raises DockerfileError."""
    try:
        name = ImageName.parse(text)
    except InvalidReference as error:
        raise DockerfileError(
            f"failed to parse stage name {quoted(text)}: {error.reason}", lines=lines
        ) from None
    # A short ID is a name here: the meaning of FROM must not depend on other stored images.
    return FromImage(BaseName(str(name.reference or name.digest), platform, lines))


def _context_source(name: str, text: str, platform: Platform, lines: Lines) -> Source:
    if text == f"{_IMAGE}{SCRATCH}":
        return FromScratch()
    if text.startswith(_IMAGE):
        return image_source(text.removeprefix(_IMAGE), platform, lines)
    if text.startswith(_LAYOUT):
        return FromImage(BaseName(text, platform, lines))
    scheme = re.match(r"(target)(?=:)|([a-zA-Z][a-zA-Z0-9+.-]*)(?=://)", text)
    if scheme is not None and scheme[0].lower() not in _FETCHED:
        raise DockerfileError(f"unsupported context source {scheme[0]} for {name}", lines=lines)
    return FromContext(name)


def _familiar(name: str) -> str:
    """Return the name as BuildKit compares it: alpine for docker.io/library/alpine:latest."""
    try:
        reference = ImageReference.parse(name)
    except InvalidReference:
        return name  # of no context: their names are checked as they are given
    return reference.familiar.removesuffix(":latest")

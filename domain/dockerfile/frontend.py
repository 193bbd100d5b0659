"""``# syntax=``: the frontend image of a Dockerfile."""

from img.domain.dockerfile.directives import detect_syntax
from img.domain.errors import DockerfileError
from img.domain.reference import ImageReference, InvalidReference

# img replaces these images as a frontend, with any tag.
_OURS = frozenset({"docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream"})
OVERRIDE = "BUILDKIT_SYNTAX"  # the build argument that overrides the directive


class ForeignFrontend(DockerfileError):
    """A file in a language that needs a frontend image."""

    def __init__(self, reference: str, lines: tuple[int, int] | None) -> None:
        super().__init__(
            f"frontend image {reference} cannot be run: img reads docker/dockerfile itself",
            lines=lines,
            hint="name docker/dockerfile, or leave the syntax directive out",
        )
        self.reference = reference


def check_frontend(text: str, override: str = "") -> None:
    """Accept frontends for the language that img reads. Raises ForeignFrontend for others."""
    syntax = detect_syntax(text)
    reference = override or (syntax.reference if syntax else "")
    if not reference:
        return
    lines = (syntax.line, syntax.line) if syntax and syntax.line and not override else None
    try:
        named = ImageReference.parse(reference)
    except InvalidReference:
        raise ForeignFrontend(reference, lines) from None
    if named.repository not in _OURS:
        raise ForeignFrontend(reference, lines)

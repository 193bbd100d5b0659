"""Shell completion of option values of ``img build``."""

import os
from typing import Any

from img.domain.errors import ImgError

_DOCKERFILES = ("Dockerfile", "dockerfile", "Containerfile")
_LARGEST = 16 << 20  # bytes


def stages(ctx: Any, incomplete: str) -> list[str]:
    """Return the stages of the given Dockerfile with the typed beginning."""
    # If the current option has no value yet, click has not parsed the other words.
    places = ctx.params.get("path") or ctx.args or ["."]
    content = _dockerfile(ctx.params.get("file"), places)
    if content is None:
        return []
    from img.domain.dockerfile.interpret import interpret
    from img.domain.dockerfile.targets import targets_of
    from img.entrypoints.wiring.without_container import dockerfile_parser

    try:
        targets = targets_of(interpret(dockerfile_parser().parse(content)))
    except ImgError:
        return []
    return [each.name for each in targets if each.name and each.name.startswith(incomplete)]


def _dockerfile(file: str | None, places: list[str]) -> bytes | None:
    """Return the content of the Dockerfile, None if it cannot be read."""
    names = [file] if file else [os.path.join(places[0], name) for name in _DOCKERFILES]
    for name in names:
        if os.path.isfile(name):
            try:
                with open(name, "rb") as opened:
                    return opened.read(_LARGEST)
            except OSError:
                return None
    return None

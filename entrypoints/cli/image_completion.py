"""Shell completion of names of stored images."""

from typing import Any


def image_names(ctx: Any, incomplete: str) -> list[str]:
    """Return the names with the typed beginning, short or in full; none on errors."""
    from contextlib import suppress

    from img.domain.errors import ImgError
    from img.entrypoints.cli.session import Session

    with suppress(ImgError, OSError):
        session = Session(state=_state(ctx))
        with session.open() as container:
            images = container.storage.images().list()
        names = [image.reference for image in images if image.reference]
        spellings = [*(name.familiar for name in names), *map(str, names)]
        return list(dict.fromkeys(each for each in spellings if each.startswith(incomplete)))
    return []


def _state(ctx: Any) -> str | None:
    """Return the value of --state, given after or before the command."""
    while ctx is not None:
        if ctx.params.get("state"):
            return str(ctx.params["state"])
        ctx = ctx.parent
    return None

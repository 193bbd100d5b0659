"""Errors of the engine as exceptions of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.domain.errors import ImgError, SourceError

if TYPE_CHECKING:
    from img.entrypoints.engine.protocol import Failed


def error_of(failed: Failed) -> ImgError:
    """Return the exception that ``failed`` describes, with the hint and the excerpt as notes.

    Its class is the most special one that the API has. It has the attributes of ImgError and
    SourceError, not those of its own class. Control characters are escaped, because tracebacks
    print them.
    """
    from img.domain.shown_text import shown, shown_in_line
    from img.entrypoints.api import public  # which imports this module

    known: list[type[ImgError]] = [
        kind
        for name in failed.kinds
        if name in public.__all__
        and isinstance(kind := getattr(public, name), type)
        and issubclass(kind, ImgError)
    ]
    kind = known[0] if known else ImgError
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

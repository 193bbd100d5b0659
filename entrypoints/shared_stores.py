"""Shared stores that settings files name (docs/hpc.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from img.domain.errors import UsageError

_LARGEST = 1 << 20  # bytes of a settings file
_KEY = "shared-stores"


def shared_stores_in(files: Sequence[str]) -> list[str]:
    """Return the directories of ``shared-stores``, of the last file that has it.

    Raises UsageError.
    """
    found: list[str] = []
    for file in files:
        if (given := _in(file)) is not None:
            found = given
    return found


def _in(file: str) -> list[str] | None:
    try:
        with open(file, "rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{file} has more than {_LARGEST} bytes")
        given = tomllib.loads(content.decode("utf-8")).get(_KEY)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {file}: {why}") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from None
    if given is None:
        return None
    if not isinstance(given, list) or not all(each and isinstance(each, str) for each in given):
        raise UsageError(f"{file}: {_KEY} is not a list of directories")
    return given

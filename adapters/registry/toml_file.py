"""TOML files that other tools share."""

from pathlib import Path

from img.domain.registries import RegistriesUnreadable


def read_toml(path: Path) -> dict[str, object]:
    """Return the document at ``path``. Raises RegistriesUnreadable."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RegistriesUnreadable(path, why.lower()) from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError; huge numbers, unlimited depth
        raise RegistriesUnreadable(path, str(error)) from None

"""Compose files, by PyYAML."""

from img.domain.bake.compose.project import ComposeFile
from img.domain.bake.errors import BakeError


def read_compose(path: str, data: bytes) -> ComposeFile:
    """Return the documents of a compose file. Raises BakeError."""
    try:
        from img.adapters.definition_files.compose_yaml import parse_compose
    except ModuleNotFoundError:
        raise BakeError(
            f"{path} is read as a compose file, for which PyYAML has to be installed",
            hint="pip install 'img-builder[compose]', or name HCL or JSON files with -f",
        ) from None
    return parse_compose(path, data)

"""Files to definitions, each in its own language (bake/bake.go, "ParseFile")."""

from collections.abc import Callable

from img.domain.bake.compose.project import ComposeFile
from img.domain.bake.definition.files import kind_of
from img.domain.bake.errors import BakeError, BakeSyntaxError
from img.domain.bake.language.body import Body, parse_hcl
from img.domain.bake.language.json_body import parse_json
from img.domain.bake.language.tokens import decode_source

ReadYaml = Callable[[str, bytes], ComposeFile]


def read_definition(name: str, data: bytes, read_yaml: ReadYaml) -> Body | ComposeFile:
    """Return the contents of a file; without a known file name extension, each language is tried.

    ``read_yaml`` reads compose files, raising BakeError. Raises BakeError.
    """
    match kind_of(name):
        case "compose":
            return read_yaml(name, data)
        case "json":
            return parse_json(decode_source(name, data))
        case "hcl":
            return parse_hcl(decode_source(name, data))
    try:
        return _compose(read_yaml(name, data))
    except BakeError as error:
        no_yaml = error.message
    try:
        return parse_hcl(decode_source(f"{name}.hcl", data))
    except BakeSyntaxError as error:
        no_hcl = error
    try:
        return parse_json(decode_source(f"{name}.json", data))
    except BakeSyntaxError:
        raise BakeError(
            f"failed to parse {name}: parsing yaml: {no_yaml}, parsing hcl: {no_hcl.message}"
        ) from None


def _compose(file: ComposeFile) -> ComposeFile:
    for document in file.documents:
        if not isinstance(document, dict):
            raise BakeError("top-level object must be a mapping")
    if not any("services" in document for document in file.documents):
        raise BakeError("empty compose file")
    return file

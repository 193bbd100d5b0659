"""The files that define targets, and their relative paths (bake/bake.go, commands/bake.go)."""

import posixpath
import re
from collections.abc import Mapping
from typing import Literal

from img.domain.bake.definition.attributes import Contents, pairs_of
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.errors import BakeError
from img.domain.bake.language.body import Body

DEFAULT_NAMES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
)
"""The files that are read where none is named: all that exist, a later one counts for more."""

STANDARD_INPUT = "-"
BASE = "context-base"  # of contents: the directory of the file of their last block
_FIXED = re.compile(r"[a-z][a-z0-9+.-]*:|/|[\w.-]+@[\w.-]+:|github\.com/|-$", re.IGNORECASE)
_RELATIVE = "BUILDX_BAKE_FILE_RELATIVE_PATHS"

Kind = Literal["compose", "json", "hcl", ""]


def kind_of(name: str) -> Kind:
    """Return the language of a file by its name, "" where each is to be tried."""
    lower = name.lower()
    if lower.endswith((".yml", ".yaml")):
        return "compose"
    if lower.endswith(".json"):
        return "json"
    return "hcl" if lower.endswith(".hcl") else ""


def names_of_environment(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that BUILDX_BAKE_FILE names, none where the default ones count."""
    separator = environment.get("BUILDX_BAKE_PATH_SEPARATOR") or ":"
    listed = environment.get("BUILDX_BAKE_FILE", "").split(separator)
    return tuple(name for part in listed if (name := part.strip()))


def relative_to_files(environment: Mapping[str, str]) -> bool:
    """Tell whether paths are relative to the files that have them. Raises BakeError."""
    text = environment.get(_RELATIVE, "").strip()
    if not text:
        return False
    try:
        return parse_bool(text)
    except BadVariable as error:
        raise BakeError(f'failed to parse {_RELATIVE} value "{text}": {error}') from None


def placed(body: Body, contents: Contents) -> Contents:
    """Return contents with paths relative to the working directory, not to the file."""
    name = body.source.name
    directory = "" if name == STANDARD_INPUT or "://" in name else posixpath.dirname(name)
    made: Contents = {**contents, BASE: directory or "."}
    context = contents.get("context")
    if isinstance(context, str):
        made["context"] = _placed(context, directory)
    if "contexts" in contents:
        contexts = pairs_of(contents, "contexts")
        made["contexts"] = {key: _placed(path, directory) for key, path in contexts.items()}
    return made


def _placed(path: str, directory: str) -> str:
    if not directory or not path or _FIXED.match(path):
        return path
    return posixpath.normpath(posixpath.join(directory, path))

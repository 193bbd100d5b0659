"""YAML documents of compose files: their tags, and scalars as go-yaml resolves them.

PyYAML is an extra, so only ``read_compose`` imports this module.
"""

import re
from typing import Any

import yaml

from img.domain.bake.compose.project import ComposeFile, Tagged
from img.domain.bake.errors import BakeError

_MERGE = "tag:yaml.org,2002:merge"


def _flatten(loader: Any, node: Any) -> None:
    """Replace merge keys (``<<``) by the keys of their mappings; a mapping's own keys count.

    PyYAML's own method lets the innermost mapping win where mappings merge mappings (6.0.4).
    """
    own = [pair for pair in node.value if pair[0].tag != _MERGE]
    merged: dict[str, Any] = {}
    for key, sources in node.value:
        if key.tag != _MERGE:
            continue
        for source in sources.value if isinstance(sources, yaml.SequenceNode) else [sources]:
            if not isinstance(source, yaml.MappingNode):
                line = source.start_mark.line + 1
                raise BakeError(f"yaml: line {line}: map merge requires map or sequence of maps")
            loader.flatten_mapping(source)
            for pair in source.value:
                merged.setdefault(pair[0].value, pair)
    for key, _ in own:
        merged.pop(key.value, None)
    node.value = [*merged.values(), *own]


# A safe loader with the scalars of YAML 1.2 and the tags of compose files.
_Loader: Any = type("_Loader", (yaml.SafeLoader,), {"flatten_mapping": _flatten})
_MOST_NODES = 1_000_000
_DECIMAL = r"[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|[0-9][0-9_]*(?=[eE])"
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    ("float", rf"[-+]?(?:{_DECIMAL})(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf)", "-+0123456789."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def _integer(_loader: Any, node: Any) -> int:
    text = str(node.value).replace("_", "")
    if re.fullmatch(r"[-+]?0[0-7]+", text):
        return int(text, 8)
    return int(text, 0)


def _plain(loader: Any, node: Any) -> Any:
    match node:
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
    return loader.construct_object(
        yaml.ScalarNode(loader.resolve(yaml.ScalarNode, node.value, (True, False)), node.value)
    )


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
for _name in ("!reset", "!override"):
    _Loader.add_constructor(
        _name, lambda loader, node, tag=_name: Tagged(tag, _plain(loader, node))
    )


def parse_compose(path: str, data: bytes) -> ComposeFile:
    """Return the documents of a compose file. Raises BakeError."""
    documents = []
    try:
        loader = _Loader(data.decode("utf-8-sig"))
        while loader.check_node():
            node = loader.get_node()
            _expanded_size(node, {})
            documents.append(loader.construct_document(node))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        text = " ".join(str(error).split())
        raise BakeError(f"failed to parse {path}: yaml: {text}") from None
    return ComposeFile(path, documents)


def _check_keys(node: Any) -> None:
    """Raise BakeError for keys that are no scalars or stand twice.

    Before anything is constructed: to merge a mapping (``<<``), the loader changes its nodes.
    """
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise BakeError(f"yaml: line {line}: a key has to be a string")
        if key.value in seen and key.tag != _MERGE:
            raise BakeError(
                f'yaml: line {line}: mapping key "{key.value}" is already defined at line '
                f"{seen[key.value]}"
            )
        seen[key.value] = line


def _expanded_size(node: Any, known: dict[int, int]) -> int:
    """Return the number of nodes with those that aliases repeat. Raises BakeError for too many."""
    if id(node) in known:
        if not known[id(node)]:
            raise BakeError(f"yaml: line {node.start_mark.line + 1}: an anchor contains itself")
        return known[id(node)]
    known[id(node)] = 0
    children: list[Any] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        children = [each for pair in node.value for each in pair]
    size = 1 + sum(_expanded_size(child, known) for child in children)
    if size > _MOST_NODES:
        raise BakeError(f"yaml: line {node.start_mark.line + 1}: aliases repeat too much")
    known[id(node)] = size
    return size

"""Attributes and blocks in JSON (hcl/json/spec.md, "Bodies")."""

from collections.abc import Iterator, Mapping
from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, SourceText, Span
from img.domain.bake.language.body import Attribute, Block, Body
from img.domain.bake.language.expressions import Expression, Literal
from img.domain.bake.language.json_values import (
    JsonArray,
    JsonObject,
    JsonText,
    parse_json_value,
)

_BLOCKS: Mapping[str, Mapping[str, int]] = {
    "": {"variable": 1, "function": 1, "target": 1, "group": 1},
    "variable": {"validation": 0},
}
"""The blocks that a body may have, with the number of their labels."""


def parse_json(source: SourceText) -> Body:
    """Return the content of a JSON file. Raises BakeSyntaxError."""
    return _body(parse_json_value(source), "")


def _body(value: Expression, kind: str) -> Body:
    body = Body(value.span.source, value.start)
    blocks = _BLOCKS.get(kind, {})
    kinds = ("", *blocks)  # attributes first, then blocks in the order of the schema
    members = [
        (name.text in blocks and kinds.index(name.text), name, item)
        for name, item in _members(value)
    ]
    for _, name, item in sorted(members, key=lambda member: member[0]):
        if name.text in blocks:
            _add_blocks(body, name.text, blocks[name.text], item, [])
        elif name.text == "//":
            continue
        elif name.text in body.attributes and kind:
            raise BakeSyntaxError(
                "Duplicate argument",
                f'The argument "{name.text}" was already set at '
                f"{body.attributes[name.text].name_span}.",
                name.span,
            )
        else:
            body.attributes[name.text] = Attribute(name.text, name.span, item)
    return body


def _members(value: Expression) -> Iterator[tuple[JsonText, Expression]]:
    if isinstance(value, JsonObject):
        yield from value.members
    elif isinstance(value, JsonArray):
        for item in value.items:
            if not isinstance(item, JsonObject):
                raise BakeSyntaxError(
                    "Incorrect JSON value type",
                    "A JSON object is required here, to define arguments and child blocks.",
                    item.start,
                )
            yield from item.members
    else:
        raise BakeSyntaxError(
            "Incorrect JSON value type",
            "Either a JSON object or JSON array of objects is required here, to define arguments "
            "and child blocks.",
            value.start,
        )


def _add_blocks(
    body: Body, kind: str, missing: int, value: Expression, labels: list[tuple[str, Span]]
) -> None:
    if missing:
        if not isinstance(value, JsonObject | JsonArray):
            _refuse(kind, value)
        for name, item in _labelled(value, kind):
            if name.text != "//":
                _add_blocks(body, kind, missing - 1, item, [*labels, (name.text, name.span)])
        return
    values = value.items if isinstance(value, JsonArray) else [value]
    for item in values:
        if isinstance(item, JsonObject):
            body.add_block(Block(kind, labels, _body(item, kind), item.start))
        elif not _is_null(item):
            _refuse(kind, item)


def _labelled(value: Expression, kind: str) -> Iterator[tuple[JsonText, Expression]]:
    for item in value.items if isinstance(value, JsonArray) else [value]:
        if not isinstance(item, JsonObject):
            _refuse(kind, item)
        yield from item.members


def _is_null(value: Expression) -> bool:
    return isinstance(value, Literal) and value.constant.is_null


def _refuse(kind: str, value: Expression) -> NoReturn:
    raise BakeSyntaxError(
        "Incorrect JSON value type",
        "Either a JSON object or a JSON array is required, representing the contents of one or "
        f'more "{kind}" blocks.',
        value.start,
    )

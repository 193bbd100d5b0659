"""Several definition files as one (bake/hclparser/merged.go)."""

from collections.abc import Iterable
from typing import NamedTuple

from img.domain.bake.errors import BakeSyntaxError
from img.domain.bake.language.body import Attribute, Block, Body


class Merged(NamedTuple):
    """The merged files; the last variable or function of a name counts."""

    variables: dict[str, Block]
    functions: dict[str, Block]
    constants: dict[str, Attribute]
    targets: list[Block]
    groups: list[Block]


def merge(bodies: Iterable[Body]) -> Merged:
    """Return the bodies of all files, in their order, as one. Raises BakeSyntaxError."""
    merged = Merged({}, {}, {}, [], [])
    for body in bodies:
        merged.constants.update(body.attributes)
        for block in body.blocks("variable", 1):
            merged.variables[block.labels[0][0]] = block
            _check_description(block)
        for block in body.blocks("function", 1):
            _check_function(block)
            merged.functions[block.labels[0][0]] = block
        merged.targets.extend(body.blocks("target", 1))
        merged.groups.extend(body.blocks("group", 1))
    return merged


def _check_description(block: Block) -> None:
    description = block.body.attributes.get("description")
    if description is not None:
        for root in description.expression.roots():
            raise BakeSyntaxError(
                "Variables not allowed", "Variables may not be used here.", root.root
            )


def _check_function(block: Block) -> None:
    for name, attribute in block.body.attributes.items():
        if name not in ("params", "variadic_params", "result"):
            raise BakeSyntaxError(
                "Unsupported argument",
                f'An argument named "{name}" is not expected here.',
                attribute.name_span,
            )
    if "result" not in block.body.attributes:
        raise BakeSyntaxError(
            "Missing required argument",
            'The argument "result" is required, but no definition was found.',
            block.body.missing,
        )

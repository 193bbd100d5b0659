"""Definition files to targets and groups by name (bake/bake.go, "ParseFiles")."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from img.domain.bake.definition.attributes import TARGET, Contents, content_of, texts_of
from img.domain.bake.definition.entries import BadEntry
from img.domain.bake.definition.evaluator import Evaluator, Inputs, NamedBlock
from img.domain.bake.definition.merged import Merged, merge
from img.domain.bake.definition.merging import merge_contents
from img.domain.bake.errors import BakeSyntaxError
from img.domain.bake.language.body import Attribute, Block, Body
from img.domain.bake.language.expressions import Parentheses, Variable
from img.domain.bake.language.scope import Scope
from img.domain.bake.language.template_parser import too_deep
from img.domain.bake.language.templates import Wrapped
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import (
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
    Type,
)
from img.domain.bake.values.value import Value

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_NAME_RULE = 'only "[a-zA-Z0-9_-]+" are allowed'
_MOST_COMBINATIONS = 10_000
Place = Callable[[Body, Contents], Contents]


class GroupDefinition(NamedTuple):
    """Targets under one name."""

    name: str
    targets: tuple[str, ...]
    description: str = ""


class VariableDefinition(NamedTuple):
    """A variable as lists show it."""

    name: str
    type: Type | None
    value: Value
    description: str


class Definition(NamedTuple):
    """All that the files define; blocks of one name are merged.

    Relative contexts are in the working directory, or else in the repository or archive ``remote``.
    """

    targets: dict[str, Contents]
    groups: dict[str, GroupDefinition]
    variables: tuple[VariableDefinition, ...] = ()
    remote: str = ""


def as_written(_: Body, contents: Contents) -> Contents:
    """Return the contents of a block unchanged: paths are those of the working directory."""
    return contents


def define(
    bodies: Iterable[Body],
    inputs: Inputs,
    base: Definition | None = None,
    place: Place = as_written,
) -> Definition:
    """Return the definition in the files; ``base`` (compose files) comes before them.

    ``place`` makes paths of a block relative to its file. Raises BakeError.
    """
    bodies = list(bodies)
    try:
        return _Definer(merge(bodies), inputs, place).definition(base or Definition({}, {}))
    except RecursionError:
        raise too_deep(bodies[0].missing) from None


class _Definer:
    def __init__(self, merged: Merged, inputs: Inputs, place: Place) -> None:
        self._merged = merged
        self._evaluator = Evaluator(merged, inputs)
        self._place = place

    def definition(self, base: Definition) -> Definition:
        variables = self._evaluator.variables()
        self._evaluator.functions()
        targets = [named for block in self._merged.targets for named in self._expanded(block)]
        groups = [self._named_group(block) for block in self._merged.groups]
        self._evaluator.let_blocks_be_known(
            {
                "target": {named.name: named for named in targets},
                "group": {named.name: named for named in groups},
            }
        )
        defined = dict(base.targets)
        known = {named.name: named for named in targets}
        for named in targets:
            contents = self._placed(named, known)
            before = defined.get(named.name)
            defined[named.name] = contents if before is None else merge_contents(before, contents)
        all_groups = dict(base.groups)
        explicit = {named.name: self._group(named) for named in groups}
        for name, group in self._made_groups(targets).items():
            if name not in explicit:
                all_groups[name] = group
        all_groups.update(explicit)
        self._evaluator.constants()
        listed = tuple(
            VariableDefinition(name, of, value, self._description(name))
            for name, (value, of) in variables.items()
        )
        return Definition(defined, all_groups, listed)

    def _placed(self, named: NamedBlock, known: dict[str, NamedBlock]) -> Contents:
        """Return the contents of a block; a context of another target keeps its directory."""
        written = self._contents(named)
        contents = self._place(named.block.body, written)
        origin, seen = named, set[str]()
        while (name := _copied_context(origin.block)) in known and name not in seen:
            seen.add(name)
            origin = known[name]
        if origin is not named and "context" in written:
            copied = self._place(origin.block.body, {"context": written["context"]})
            contents["context"] = copied["context"]
        return contents

    def _description(self, name: str) -> str:
        attribute = self._merged.variables[name].body.attributes.get("description")
        if attribute is None:
            return ""
        value = self._evaluator.value(attribute.expression)
        return value.raw if isinstance(value.raw, str) else ""

    def _expanded(self, block: Block) -> Iterator[NamedBlock]:
        """Return the block once for each combination of its matrix."""
        label, span = block.labels[0]
        attributes = block.body.attributes
        scopes = [self._evaluator.scope]
        if "matrix" in attributes:
            scopes = self._combinations(block, attributes["matrix"])
        elif "name" in attributes:
            raise BakeSyntaxError("Invalid name", "name requires matrix", span)
        seen = set()
        for scope in scopes:
            name = label
            if "name" in attributes:
                name = self._name(block, attributes["name"], scope)
            if not _NAME.fullmatch(name):
                raise BakeSyntaxError("Invalid name", _NAME_RULE, span)
            if name in seen:
                raise BakeSyntaxError("Invalid name", f'duplicate name "{name}"', span)
            seen.add(name)
            yield NamedBlock(name, block, scope)

    def _combinations(self, block: Block, attribute: Attribute) -> list[Scope]:
        span = block.labels[0][1]
        matrix = self._evaluator.value(attribute.expression)
        if matrix.is_null or not isinstance(matrix.type, MapOf | ObjectOf):
            raise BakeSyntaxError("Invalid name", "matrix must be a map", span)
        columns = []
        count = 1
        for values in matrix.fields.values():
            of = values.type
            if values.is_null or not isinstance(of, ListOf | SetOf | TupleOf | MapOf | ObjectOf):
                raise BakeSyntaxError("Invalid name", "matrix values must be a list", span)
            columns.append(values.items)
            count *= len(values.items)
        if count > _MOST_COMBINATIONS:
            raise BakeSyntaxError(
                "Invalid matrix",
                f"the matrix has more than {_MOST_COMBINATIONS} combinations",
                attribute.expression.span,
            )
        # The first key changes fastest.
        rows = (tuple(reversed(row)) for row in product(*reversed(columns)))
        scope = self._evaluator.scope
        return [scope.child(dict(zip(matrix.fields, row, strict=True))) for row in rows]

    def _name(self, block: Block, attribute: Attribute, scope: Scope) -> str:
        value = self._evaluator.value(attribute.expression, scope)
        try:
            if value.is_null:
                raise BadConversion("the name must not be null")
            return convert(value, STRING).text
        except BadConversion as error:
            raise BakeSyntaxError("Invalid name", str(error), block.labels[0][1]) from None

    def _contents(self, named: NamedBlock) -> Contents:
        contents: Contents = {}
        for name, attribute in named.block.body.attributes.items():
            if name not in TARGET:
                continue
            value = self._evaluator.value(attribute.expression, named.scope)
            contents[name] = self._content(name, attribute, value)
        return contents

    def _content(self, name: str, attribute: Attribute, value: Value) -> object:
        try:
            return content_of(name, value)
        except BadEntry as error:
            raise BakeSyntaxError(
                "Unsuitable value type",
                f"Unsuitable value: {error}",
                attribute.expression.start,
            ) from None

    def _named_group(self, block: Block) -> NamedBlock:
        label, span = block.labels[0]
        for name in ("name", "matrix"):
            if name in block.body.attributes:
                raise BakeSyntaxError("Invalid name", f"{name} is not supported for groups", span)
        if not _NAME.fullmatch(label):
            raise BakeSyntaxError("Invalid name", _NAME_RULE, span)
        return NamedBlock(label, block, self._evaluator.scope)

    def _group(self, named: NamedBlock) -> GroupDefinition:
        attributes = named.block.body.attributes
        if "targets" not in attributes:
            raise BakeSyntaxError(
                "Missing required argument",
                'The argument "targets" is required, but no definition was found.',
                named.block.body.missing,
            )
        value = self._evaluator.value(attributes["targets"].expression)
        targets = {"tags": self._content("tags", attributes["targets"], value)}
        description: object = ""
        if "description" in attributes:
            text = self._evaluator.value(attributes["description"].expression)
            description = self._content("description", attributes["description"], text)
        return GroupDefinition(named.name, tuple(texts_of(targets, "tags")), str(description or ""))

    def _made_groups(self, targets: list[NamedBlock]) -> dict[str, GroupDefinition]:
        """Return a group for the label of each matrix."""
        members: dict[str, list[str]] = {}
        names: dict[int, list[str]] = {}
        for named in targets:
            names.setdefault(id(named.block), []).append(named.name)
        for block in self._merged.targets:
            made = names.get(id(block), [])
            label = block.labels[0][0]
            if made and made != [label]:
                members.setdefault(label, []).extend(made)
        return {label: GroupDefinition(label, tuple(made)) for label, made in members.items()}


def _copied_context(block: Block) -> str:
    """Return the target that gives its context to a block unchanged, "" if there is none."""
    attribute = block.body.attributes.get("context")
    expression = attribute.expression if attribute else None
    while isinstance(expression, Wrapped | Parentheses):
        expression = expression.inner
    if isinstance(expression, Variable) and expression.name == "target":
        names = [name for name, _, _ in expression.steps]
        if len(names) == 2 and names[1] == "context":
            return names[0] or ""
    return ""

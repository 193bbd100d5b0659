"""Variables, functions and references, each evaluated when it is needed.

The order of evaluation is that of docker buildx (bake/hclparser/hclparser.go): what an expression
names is evaluated before the expression itself.
"""

from collections.abc import Mapping
from typing import NamedTuple

from img.domain.bake.definition.attributes import TARGET, unset
from img.domain.bake.definition.environment import (
    BadVariable,
    json_variable,
    plain_variable,
    typed_variable,
)
from img.domain.bake.definition.merged import Merged
from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.functions.library import Surroundings, library
from img.domain.bake.language.body import Block
from img.domain.bake.language.expressions import Expression, Literal, Tuple, Variable
from img.domain.bake.language.json_values import JsonArray, JsonText
from img.domain.bake.language.scope import Budget, Function, FunctionFault, Parameter, Scope
from img.domain.bake.language.type_syntax import parse_type, static
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import BOOL, DYNAMIC, STRING, ListOf, Type
from img.domain.bake.values.value import Value, null, object_of, string, tuple_of

REFERENCES: Mapping[str, Mapping[str, Value]] = {
    "target": {name: unset(name) for name in TARGET},
    "group": {"description": string(""), "targets": null(ListOf(STRING))},
}
"""What ``target`` and ``group`` have in expressions: the values of attributes that are not set."""


class Inputs(NamedTuple):
    """The inputs of a definition besides its files."""

    overrides: Mapping[str, str]  # of the command line
    environment: Mapping[str, str]  # empty where it is not to be looked at
    builtins: Mapping[str, str]
    surroundings: Surroundings = Surroundings()

    def given(self, name: str) -> str | None:
        """Return the value that is given for a variable, None if there is none."""
        found = self.overrides.get(name)
        return self.environment.get(name) if found is None else found


class NamedBlock(NamedTuple):
    """A block under the name that it has, with the variables of its matrix."""

    name: str
    block: Block
    scope: Scope


class Evaluator:
    """Evaluates expressions of one definition."""

    def __init__(self, merged: Merged, inputs: Inputs) -> None:
        budget = Budget()
        self._merged = merged
        self._inputs = inputs
        self._builtins = library(inputs.surroundings, budget)
        self._functions: dict[str, Function] = dict(self._builtins)
        self._values = {name: string(text) for name, text in inputs.builtins.items()}
        self._types: dict[str, Type | None] = {}
        self._running: set[str] = set()
        self._references: set[tuple[str, str, str]] = set()
        self._blocks: dict[str, dict[str, NamedBlock]] | None = None
        self.scope = Scope(self._values, self._functions, budget)

    def value(self, expression: Expression, scope: Scope | None = None) -> Value:
        """Return the value of an expression, and of what it names before. Raises BakeError."""
        scope = scope or self.scope
        self._load(expression, frozenset(_hiding(scope)))
        return expression.value(scope)

    def variables(self) -> dict[str, tuple[Value, Type | None]]:
        """Evaluate and check all variables; return them with their types. Raises BakeError."""
        for name in self._merged.variables:
            self._resolve(name)
        for name, block in self._merged.variables.items():
            if name not in self._inputs.builtins:
                self._validate(block)
        return {
            name: (self._values[name], self._types.get(name)) for name in self._merged.variables
        }

    def functions(self) -> None:
        """Check all functions. Raises BakeError."""
        for name in self._merged.functions:
            self._function(name)

    def constants(self) -> None:
        """Evaluate all attributes outside of blocks. Raises BakeError."""
        for name in self._merged.constants:
            if name not in REFERENCES:
                self._resolve(name)

    def let_blocks_be_known(self, blocks: dict[str, dict[str, NamedBlock]]) -> None:
        """Make ``target.NAME.ATTRIBUTE`` mean something from here on."""
        self._blocks = blocks
        for kind, named in blocks.items():
            # The members are filled in as references name them.
            known = {name: object_of({"name": string(name)}) for name in named}
            self._values[kind] = object_of({name: _open(item) for name, item in known.items()})

    def _load(self, expression: Expression, hidden: frozenset[str], function: str = "") -> None:
        for name in expression.called():
            if name not in self._builtins and not self._function(name, expression) and function:
                raise BakeSyntaxError(
                    "Invalid expression",
                    f'function "{name}" does not exist: undefined',
                    expression.span,
                )
        for root in expression.roots(hidden):
            if root.name in REFERENCES and self._blocks is not None and not function:
                self._refer(root, expression)
            elif (root.name in REFERENCES or not self._resolve(root.name, expression)) and function:
                raise BakeSyntaxError(
                    "Invalid expression",
                    f'variable "{root.name}" does not exist: undefined',
                    expression.span,
                )

    def _resolve(self, name: str, user: Expression | None = None) -> bool:
        """Evaluate a variable or a constant; tell whether there is one of that name."""
        if name in self._values:
            return True
        block = self._merged.variables.get(name)
        constant = self._merged.constants.get(name)
        if block is None and constant is None:
            return False
        if name in self._running:
            assert user is not None
            raise BakeSyntaxError(
                "Invalid expression", f"variable cycle not allowed for {name}", user.span
            )
        self._running.add(name)
        try:
            default = constant or (block.body.attributes.get("default") if block else None)
            value = self.value(default.expression) if default else None
            self._values[name] = (
                self._variable(name, block, value) if block else value or string("")
            )
        finally:
            self._running.discard(name)
        return True

    def _variable(self, name: str, block: Block, default: Value | None) -> Value:
        of = block.body.attributes.get("type")
        wanted = parse_type(of.expression) if of else None
        self._types[name] = wanted
        if wanted is None:
            default = string("") if default is None else default
        elif default is None:
            default = null(wanted)
        try:
            return self._given(name, wanted, default)
        except BadVariable as error:
            raise BakeSyntaxError("Invalid value", str(error), block.body.missing) from None

    def _given(self, name: str, wanted: Type | None, default: Value) -> Value:
        if wanted is not None:
            try:
                default = convert(default, wanted)
            except BadConversion as error:
                raise BadVariable(
                    f"invalid type {wanted.friendly} for variable {name} default value: {error}"
                ) from None
        text = self._inputs.given(name)
        json_name = f"{name}_JSON"
        json_text = None
        if json_name not in self._merged.variables and json_name not in self._inputs.builtins:
            json_text = self._inputs.given(json_name)
        if wanted is None:
            text = json_text if text is None else text
            return default if text is None else plain_variable(name, text, default)
        if json_text is not None:
            return json_variable(name, json_text, wanted)
        return default if text is None else typed_variable(name, text, wanted)

    def _validate(self, block: Block) -> None:
        for validation in block.body.blocks("validation", 0):
            condition = validation.body.attributes.get("condition")
            if condition is None:
                raise _no_truth(validation.body.missing)
            result = self._checked_value(condition.expression)
            try:
                truth = convert(result, BOOL)
            except BadConversion as error:
                raise BakeSyntaxError(
                    "Invalid condition result",
                    f"Invalid condition result value: {error}",
                    condition.expression.span,
                ) from None
            if truth.is_null:
                raise _no_truth(condition.expression.span)
            if not truth.truth:
                raise BakeSyntaxError(
                    "Validation failed", self._message(validation), condition.expression.span
                )

    def _message(self, validation: Block) -> str:
        message = validation.body.attributes.get("error_message")
        text = self._checked_value(message.expression) if message else None
        if text is None or text.is_null:
            return "This check failed, but has an invalid error message."
        try:
            return convert(text, STRING).text
        except BadConversion:
            return "This check failed, but has an invalid error message."

    def _checked_value(self, expression: Expression) -> Value:
        # The functions of users are not known yet: hclparser.go, validateVariables.
        for root in expression.roots():
            self._resolve(root.name, expression)
        return expression.value(self.scope)

    def _function(self, name: str, user: Expression | None = None) -> bool:
        """Check a function and make it callable; tell whether there is one of that name."""
        if name in self._functions:
            return True
        block = self._merged.functions.get(name)
        if block is None:
            return False
        key = f"{name}()"
        if key in self._running:
            assert user is not None
            raise BakeSyntaxError(
                "Invalid expression", f"function cycle not allowed for {name}", user.span
            )
        self._running.add(key)
        try:
            self._functions[name] = self._user_function(name, block)
        finally:
            self._running.discard(key)
        return True

    def _user_function(self, name: str, block: Block) -> Function:
        attributes = block.body.attributes
        if "params" not in attributes:
            raise BakeSyntaxError(
                "Invalid function", f"empty params not allowed for {name}", block.labels[0][1]
            )
        names = _parameter_names(attributes["params"].expression)
        rest = None
        if "variadic_params" in attributes:
            rest = _parameter_name(attributes["variadic_params"].expression)
        result = attributes["result"].expression
        self._load(result, frozenset((*names, rest or "")), name)

        def call(*arguments: Value) -> Value:
            given = dict(zip(names, arguments, strict=False))
            if rest is not None:
                given[rest] = tuple_of(arguments[len(names) :])
            try:
                return result.value(self.scope.child(given))
            except BakeSyntaxError as error:
                raise FunctionFault(error.message) from None

        parameters = tuple(Parameter(of) for of in names)
        return Function(parameters, call, variadic=Parameter(rest) if rest else None)

    def _refer(self, root: Variable, user: Expression) -> None:
        """Evaluate what ``target.NAME.ATTRIBUTE`` means. Raises BakeSyntaxError."""
        assert self._blocks is not None
        names = [name for name, _, _ in root.steps[:2]]
        if not names:
            raise BakeSyntaxError(
                "Invalid expression", f"cannot access {root.name} as a variable", user.span
            )
        if names[0] is None:
            raise BakeSyntaxError(
                "Invalid expression", f"cannot traverse {root.name} without attribute", user.span
            )
        named = self._blocks[root.name].get(names[0])
        if named is None:
            return
        known = self._values[root.name].fields[named.name].fields
        assert isinstance(known, dict)
        wanted = REFERENCES[root.name]
        for attribute in [names[1] or ""] if len(names) > 1 else list(wanted):
            if attribute in wanted and attribute not in known:
                known[attribute] = self._referred(root.name, named, attribute, user)

    def _referred(self, kind: str, named: NamedBlock, name: str, user: Expression) -> Value:
        key = (kind, named.name, name)
        if key in self._references:
            raise BakeSyntaxError(
                "Invalid expression",
                f"reference cycle not allowed for {kind}.{named.name}.{name}",
                user.span,
            )
        attribute = named.block.body.attributes.get(name)
        empty = REFERENCES[kind][name]
        if attribute is None:
            return empty
        self._references.add(key)
        try:
            value = self.value(attribute.expression, named.scope)
            return value if empty.type is DYNAMIC else convert(value, empty.type)
        except BadConversion as error:
            raise BakeSyntaxError(
                "Unsuitable value type",
                f"Unsuitable value: {error}",
                attribute.expression.start,
            ) from None
        finally:
            self._references.discard(key)


def _no_truth(span: Span) -> BakeSyntaxError:
    return BakeSyntaxError(
        "Invalid condition result",
        "Condition expression must return either true or false, not null.",
        span,
    )


def _open(value: Value) -> Value:
    """Return an object to which attributes can be added."""
    return Value(value.type, dict(value.fields))


def _hiding(scope: Scope) -> list[str]:
    """Return the names that only this scope and those around it know, not the outermost."""
    names: list[str] = []
    current: Scope | None = scope
    while current is not None and current.parent is not None:
        names.extend(current.variables)
        current = current.parent
    return names


def _parameter_names(expression: Expression) -> list[str]:
    items: list[Expression]
    expression = static(expression)
    if isinstance(expression, Tuple):
        items = expression.elements
    elif isinstance(expression, JsonArray):
        items = expression.items
    elif isinstance(expression, Literal) and expression.constant.is_null:
        items = []
    else:
        raise BakeSyntaxError(
            "Invalid expression", "A static list expression is required.", expression.start
        )
    return [_parameter_name(item) for item in items]


def _parameter_name(expression: Expression) -> str:
    if isinstance(expression, JsonText):
        expression = static(expression)
    if not isinstance(expression, Variable) or expression.steps:
        raise BakeSyntaxError(
            "Invalid param element",
            "Each parameter name must be an identifier.",
            expression.span if not isinstance(expression, Variable) else expression.start,
        )
    return expression.name

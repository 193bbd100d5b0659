"""Calls of functions (hcl/hclsyntax/expression.go, "FunctionCallExpr")."""

from collections.abc import Iterable, Iterator

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.expressions import Expression
from img.domain.bake.language.scope import Function, FunctionFault, Parameter, Scope
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import ListOf, SetOf, TupleOf
from img.domain.bake.values.value import Value


class Call(Expression):
    """``name(arguments)``; the last argument may be a list of the rest."""

    __slots__ = ("arguments", "closing", "expand", "name", "name_span", "opening")

    def __init__(
        self,
        name: str,
        name_span: Span,
        opening: Span,
        arguments: list[Expression],
        closing: Span,
        *,
        expand: bool,
    ) -> None:
        super().__init__(name_span.to(closing))
        self.name = name
        self.name_span = name_span
        self.opening = opening
        self.arguments = arguments
        self.closing = closing
        self.expand = expand

    @property
    def start(self) -> Span:
        return self.name_span.to(self.opening)

    def parts(self) -> Iterable[Expression]:
        return self.arguments

    def called(self) -> Iterator[str]:
        yield self.name
        yield from super().called()

    def value(self, scope: Scope) -> Value:
        function = scope.functions.get(self.name)
        if function is None:
            raise BakeSyntaxError(
                "Call to unknown function",
                f'There is no function named "{self.name}".',
                self.name_span,
            )
        try:
            if function.lazy:
                return function.implementation(scope, self.arguments)
            values, spans = self._values(scope)
            self._check_count(function, len(values), spans)
            converted = self._converted(function, values, spans)
            scope.budget.spend(1 + sum(map(_size, converted)))
            made = function.implementation(*converted)
            scope.budget.spend(_size(made))
            return made
        except FunctionFault as fault:
            self._fail(function, fault)
            raise

    def _values(self, scope: Scope) -> tuple[list[Value], list[Span]]:
        values = [argument.value(scope) for argument in self.arguments]
        spans = [argument.start for argument in self.arguments]
        if not self.expand:
            return values, spans
        last, span = values.pop(), self.arguments[-1].span
        spans.pop()
        if last.is_null:
            self._refuse_expanding("must not be null", span)
        if not isinstance(last.type, ListOf | SetOf | TupleOf):
            self._refuse_expanding("must be of a tuple, list, or set type", span)
        return values + list(last.items), spans + [span] * len(last.items)

    def _refuse_expanding(self, what: str, span: Span) -> None:
        raise BakeSyntaxError(
            "Invalid expanding argument value",
            f"The expanding argument (indicated by ...) {what}.",
            span,
        )

    def _check_count(self, function: Function, count: int, spans: list[Span]) -> None:
        least = len(function.parameters)
        more = "at least " if function.variadic else ""
        if count < least:
            raise BakeSyntaxError(
                "Not enough function arguments",
                f'Function "{self.name}" expects {more}{least} argument(s). '
                f'Missing value for "{function.parameters[count].name}".',
                self.closing,
            )
        if count > least and not function.variadic:
            raise BakeSyntaxError(
                "Too many function arguments",
                f'Function "{self.name}" expects only {least} argument(s).',
                spans[least],
            )

    def _converted(self, function: Function, values: list[Value], spans: list[Span]) -> list[Value]:
        made = []
        for at, value in enumerate(values):
            parameter = _parameter(function, at)
            if value.is_null and not parameter.nullable:
                raise FunctionFault("argument must not be null", at)
            try:
                made.append(convert(value, parameter.type))
            except BadConversion as error:
                raise FunctionFault(str(error), at) from None
        return made

    def _fail(self, function: Function, fault: FunctionFault) -> None:
        if fault.argument is None or function.lazy:
            raise BakeSyntaxError(
                "Error in function call",
                f'Call to function "{self.name}" failed: {fault.message}.',
                self.name_span.to(self.opening),
            ) from None
        # What an expanded list gave is all at the place of that list.
        at = min(fault.argument, len(self.arguments) - 1)
        argument = self.arguments[at] if self.arguments else self
        expanded = self.expand and at == len(self.arguments) - 1
        raise BakeSyntaxError(
            "Invalid function argument",
            f'Invalid value for "{_parameter(function, fault.argument).name}" parameter: '
            f"{fault.message}.",
            argument.span if expanded else argument.start,
        ) from None


def _parameter(function: Function, at: int) -> Parameter:
    if at < len(function.parameters):
        return function.parameters[at]
    assert function.variadic is not None
    return function.variadic


def _size(value: Value) -> int:
    raw = value.raw
    if isinstance(raw, str):
        return len(raw) >> 6
    return len(raw) if isinstance(raw, tuple | dict) else 1

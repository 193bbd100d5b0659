"""Execution of templates (text/template, exec.go)."""

from collections.abc import Iterable, Iterator, Sequence

from img.domain.go.template.functions import FUNCTIONS, kind_of
from img.domain.go.template.nodes import (
    Branch,
    Call,
    Chain,
    Constant,
    Dot,
    Jump,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from img.domain.go.template.parser import parse
from img.domain.go.template.values import (
    MOST_CHARACTERS,
    NO_VALUE,
    Absent,
    Names,
    Structure,
    TemplateError,
    Value,
    is_true,
    printed,
)

_MOST_STEPS = 200_000  # commands and texts: nested ranges could run for years


class Template:
    """A parsed template. Raises TemplateError."""

    def __init__(self, text: str) -> None:
        self._nodes = parse(text)

    def render(self, value: Value) -> str:
        """Return the output of the template for ``value``. Raises TemplateError."""
        run = _Run(value)
        run.nodes(self._nodes, value)
        return "".join(run.out)


class _Jumped(Exception):
    """``break`` or ``continue``, which unwinds to the enclosing range."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class _Run:
    """One execution of a template."""

    def __init__(self, value: Value) -> None:
        self.out: list[str] = []
        self._length = 0
        self._steps = 0
        self._variables: list[tuple[str, Value]] = [("$", value)]

    def nodes(self, nodes: Sequence[Node], dot: Value) -> None:
        """Append the output of ``nodes``."""
        for node in nodes:
            self._step()
            match node:
                case Text():
                    self._put(node.text)
                case Pipeline():
                    value = self._value(node, dot)
                    if node.variables:
                        self._assign(node, [value])
                    else:
                        self._put(_shown(value))
                case Branch():
                    self._branch(node, dot)
                case Jump():
                    raise _Jumped(node.word)

    def _branch(self, node: Branch, dot: Value) -> None:
        sight = len(self._variables)
        value = self._value(node.pipeline, dot)
        if node.word == "range":
            self._range(node, value, dot)
        else:
            if node.pipeline.variables:
                self._assign(node.pipeline, [value])
            inner = value if node.word == "with" else dot
            if is_true(value):
                self.nodes(node.body, inner)
            else:
                self.nodes(node.otherwise, dot)
        del self._variables[sight:]

    def _range(self, node: Branch, value: Value, dot: Value) -> None:
        empty, sight = True, len(self._variables)
        for key, each in _items(value):
            self._step()
            empty = False
            if names := node.pipeline.variables:
                self._assign(node.pipeline, [key, each][-len(names) :])
            try:
                self.nodes(node.body, each)
            except _Jumped as jumped:
                if jumped.word == "break":
                    break
            finally:
                del self._variables[sight:]
        if empty:
            self.nodes(node.otherwise, dot)

    def _value(self, pipeline: Pipeline, dot: Value) -> Value:
        last: tuple[Value, ...] = ()
        for command in pipeline.commands:
            self._step()
            last = (self._command(command, dot, last),)
        return last[0]

    def _command(self, operands: Sequence[Operand], dot: Value, last: tuple[Value, ...]) -> Value:
        first, *rest = operands
        if not isinstance(first, Call):
            return self._operand(first, dot)
        if first.name in ("and", "or"):
            return self._first(first.name == "or", rest, dot, last)
        arguments = [self._operand(each, dot) for each in rest]
        return _called(first.name, (*arguments, *last))

    def _first(
        self, wanted: bool, operands: Iterable[Operand], dot: Value, last: tuple[Value, ...]
    ) -> Value:
        """Return the first argument with the truth value ``wanted``, else the last one."""
        value: Value = None
        count = 0
        for count, value in enumerate(self._each(operands, dot, last), 1):  # noqa: B007
            if is_true(value) is wanted:
                return value
        if not count:
            raise TemplateError(f"{'or' if wanted else 'and'} has no arguments")
        return value

    def _each(
        self, operands: Iterable[Operand], dot: Value, last: tuple[Value, ...]
    ) -> Iterator[Value]:
        for operand in operands:
            yield self._operand(operand, dot)
        yield from last

    def _operand(self, operand: Operand, dot: Value) -> Value:
        match operand:
            case Constant():
                return operand.value
            case Dot():
                return dot
            case Variable():
                return next(v for name, v in reversed(self._variables) if name == operand.name)
            case Pipeline():
                return self._value(operand, dot)
            case Call():
                return _called(operand.name, ())
            case Chain():
                value = self._operand(operand.base, dot)
                for name in operand.fields:
                    value = _field(value, name)
                return value

    def _assign(self, pipeline: Pipeline, values: Sequence[Value]) -> None:
        for name, value in zip(pipeline.variables, values, strict=True):
            if pipeline.declares:
                self._variables.append((name, value))
                continue
            for at in range(len(self._variables) - 1, -1, -1):
                if self._variables[at][0] == name:
                    self._variables[at] = (name, value)
                    break

    def _put(self, text: str) -> None:
        self._length += len(text)
        if self._length > MOST_CHARACTERS:
            raise TemplateError(f"it makes more than {MOST_CHARACTERS} characters")
        self.out.append(text)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TemplateError(f"it takes more than {_MOST_STEPS} steps")


def _items(value: Value) -> Iterable[tuple[Value, Value]]:
    match value:
        case list():
            return enumerate(value)
        case Names():
            return [(name, value[name]) for name in sorted(value)]
        case bool():
            pass
        case int():
            return ((number, number) for number in range(value))
        case Absent():
            return ()
    raise TemplateError(f"range over {kind_of(value)}")


def _field(value: Value, name: str) -> Value:
    """Return a field; ``.ID`` is ``.Id``, as in docker."""
    match value:
        case Names():
            return value.get(name, NO_VALUE)
        case dict():
            fields = {**value, **value.left_out} if isinstance(value, Structure) else value
            if name in fields:
                return fields[name]
            alike = [each for each in fields if each.lower() == name.lower()]
            if len(alike) == 1:
                return fields[alike[0]]
            raise TemplateError(f'no field "{name}"', hint=f"known: {', '.join(fields)}")
        case Absent():
            return NO_VALUE
    raise TemplateError(f"{kind_of(value)} has no field {name}")


def _called(name: str, arguments: Sequence[Value]) -> Value:
    try:
        return FUNCTIONS[name](*arguments)
    except TypeError:
        raise TemplateError(f"wrong number of arguments of {name}: {len(arguments)}") from None


def _shown(value: Value) -> str:
    return printed(NO_VALUE if value is None else value)

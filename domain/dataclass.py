"""Data classes that are quick to define.

dataclasses.dataclass compiles seven functions for each class: half a millisecond for each of the
300 classes that a build imports, 0.15 s at start-up, most of it for classes that a build
instantiates once or never. Here a class is created with slots and with shared methods. Its fields
are read when an instance is first created or compared, and ``__init__`` is compiled only for
classes with many instances.
"""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, field
from functools import cached_property
from itertools import count
from typing import Any, ClassVar, Literal, NoReturn, TypeVar, dataclass_transform

_Class = TypeVar("_Class")
_Method = Callable[..., Any]
_ORDER = ("lt", "le", "gt", "ge")
_LAZY = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")
_FEW = 16  # instances; to compile takes as long as to make so many without compiled code


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, slots: Literal[True], frozen: bool = False, kw_only: bool = False, order: bool = False
) -> Callable[[type[_Class]], type[_Class]]:
    """Make a data class like dataclasses.dataclass; dataclasses.replace and fields accept it.

    Frozen and other classes cannot inherit from each other. InitVar is not supported. An error in a
    field is raised when the first instance is made.
    """
    assert slots  # for type checkers, which otherwise allow no assignment

    def decorate(cls: type[_Class]) -> type[_Class]:
        # Without a docstring, dataclasses makes one from the signature: a third of a millisecond.
        cls.__doc__ = cls.__doc__ or cls.__name__
        facts = _Facts(cls, frozen=frozen, kw_only=kw_only)
        own = cls.__dict__
        names = [name for name, kind in cls.__annotations__.items() if not _is_of_class(kind)]
        taken = {name for base in cls.__mro__[1:-1] for name in _slots_of(base)}
        left_out = {*names, "__dict__", "__weakref__"}
        # Python sets __hash__ to None in each class with __eq__.
        namespace = {
            **_methods(facts, order=order),
            **{name: facts.later(name) for name in _LAZY},
            **{
                name: value
                for name, value in own.items()
                if name not in left_out and not (name == "__hash__" and value is None)
            },
            "__slots__": tuple(name for name in names if name not in taken),
            "__qualname__": cls.__qualname__,
        }
        made: Any = type(cls)(cls.__name__, cls.__bases__, namespace)  # type: ignore[misc]
        facts.made = made
        return made  # type: ignore[no-any-return]

    return decorate


def compile_initializer(cls: type) -> None:
    """Compile ``__init__`` of a class from ``dataclass`` now.

    Forks of a process that has few instances would each make theirs without compiled code.
    """
    later: _Later = cls.__dict__[_LAZY[0]]
    later.facts.compile()


def _is_of_class(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return getattr(annotation, "__origin__", annotation) is ClassVar


def _copy_of(cls: type) -> type:
    left_out = ("__dict__", "__weakref__")
    own = {name: value for name, value in vars(cls).items() if name not in left_out}
    return type(cls)(cls.__name__, cls.__bases__, own)


def _slots_of(cls: type) -> Sequence[str]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


class _Facts:
    """The properties of a data class, computed when they are first needed."""

    def __init__(self, original: type, *, frozen: bool, kw_only: bool) -> None:
        self.original = original  # the class without slots, which has the defaults
        self.made: Any = None
        self.frozen = frozen
        self.kw_only = kw_only

    def later(self, name: str) -> "_Later":
        """Return the attribute ``name`` of the standard library's class."""
        return _Later(self, name)

    def compile(self) -> _Method:
        """Give the class a compiled ``__init__``, and return it.

        A second thread may run here too: it writes the same value.
        """
        method = _written_initializer(self)
        self.made.__init__ = method
        return method

    @cached_property
    def standard(self) -> Any:
        """The original as a data class of the standard library, without methods.

        The standard library replaces each field() in the class by its default. Each call takes a
        copy of the class, because two threads may run here at the same time, and Ctrl-C may
        interrupt one.
        """
        bare = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=self.kw_only)
        has_fields = any(isinstance(value, Field) for value in vars(self.original).values())
        return bare(_copy_of(self.original) if has_fields else self.original)

    @cached_property
    def fields(self) -> "tuple[Field[Any], ...]":
        return dataclasses.fields(self.standard)

    @cached_property
    def compared(self) -> Callable[[Any], Any]:
        return _values_of([each.name for each in self.fields if each.compare])

    @cached_property
    def hashed(self) -> Callable[[Any], Any]:
        return _values_of([each.name for each in self.fields if _is_hashed(each)])

    @cached_property
    def positional(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.fields if not each.kw_only)

    @cached_property
    def is_checked(self) -> bool:
        return hasattr(self.made, "__post_init__")


class _Later:
    """An attribute of the class, and of its instances."""

    __slots__ = ("_name", "facts")

    def __init__(self, facts: _Facts, name: str) -> None:
        self.facts = facts
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(self.facts.standard, self._name)


def _methods(facts: _Facts, *, order: bool) -> Mapping[str, _Method | None]:
    methods: dict[str, _Method | None] = {
        "__init__": _initializer(facts),
        "__repr__": _repr,
        "__eq__": _comparison(operator.eq, facts),
        "__hash__": None,
    }
    if order:
        for name in _ORDER:
            methods[f"__{name}__"] = _comparison(getattr(operator, name), facts)
    if facts.frozen:
        methods |= {
            "__hash__": lambda self: hash(facts.hashed(self)),
            "__setattr__": _refuse_assignment,
            "__delattr__": _refuse_deletion,
            "__getstate__": _state,
            "__setstate__": _restore,
        }
    return methods


def _is_hashed(each: "Field[Any]") -> bool:
    return each.compare if each.hash is None else each.hash


def _values_of(names: list[str]) -> Callable[[Any], Any]:
    """Return a function that returns the values of the attributes ``names``, always as a tuple."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _comparison(compare: Callable[[Any, Any], Any], facts: _Facts) -> _Method:
    def method(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(facts.compared(self), facts.compared(other))

    return method


def _repr(self: Any) -> str:
    shown = [
        f"{each.name}={getattr(self, each.name)!r}"
        for each in dataclasses.fields(self)
        if each.repr
    ]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_assignment(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


def _initializer(facts: _Facts) -> _Method:
    calls = count()

    def initialize(self: object, *arguments: object, **named: object) -> None:
        if next(calls) < _FEW and _fill(facts, self, arguments, named):
            if facts.is_checked:
                self.__post_init__()  # type: ignore[attr-defined]
            return
        facts.compile()(self, *arguments, **named)

    return initialize


def _fill(
    facts: _Facts, self: object, arguments: tuple[object, ...], named: dict[str, object]
) -> bool:
    """Set the fields, or return False for wrong arguments: the compiled method raises the error."""
    positional = facts.positional
    values = dict(zip(positional, arguments, strict=False))
    if len(arguments) > len(positional) or not values.keys().isdisjoint(named):
        return False
    values |= named
    assign = object.__setattr__ if facts.frozen else setattr
    for each in facts.fields:
        if each.name in values:
            value = values.pop(each.name)
        elif each.default is not MISSING:
            value = each.default
        elif each.default_factory is not MISSING:
            value = each.default_factory()
        else:
            return False
        assign(self, each.name, value)
    return not values


def _written_initializer(facts: _Facts) -> _Method:
    names: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    positional: list[str] = ["self"]
    named: list[str] = []
    body: list[str] = []
    for each in facts.fields:
        value = each.name
        text = each.name
        if each.default is not MISSING:
            names[f"_default_{each.name}"] = each.default
            text += f"=_default_{each.name}"
        elif each.default_factory is not MISSING:
            names[f"_make_{each.name}"] = each.default_factory
            text += "=_missing"
            value = f"_make_{each.name}() if {each.name} is _missing else {each.name}"
        (named if each.kw_only else positional).append(text)
        assign = (
            f"_set(self,{each.name!r},{value})" if facts.frozen else f"self.{each.name}={value}"
        )
        body.append(assign)
    if facts.is_checked:
        body.append("self.__post_init__()")
    parameters = ",".join(positional + (["*", *named] if named else []))
    # The compiled text holds only names of fields, nothing from outside.
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), names)
    method: _Method = names["__init__"]
    method.__qualname__ = f"{facts.made.__qualname__}.__init__"  # messages contain it
    return method

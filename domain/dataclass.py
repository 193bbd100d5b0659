"""Data classes that cost little to define.

dataclasses.dataclass compiles seven functions a class, half a millisecond for each of the 250
classes that a build imports: 0.1 s before anything happens, most of it for classes of which one
build makes none. Here all methods are shared but ``__init__``, which is compiled by its first call.
"""

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from typing import Any, Literal, NoReturn, TypeVar, dataclass_transform

_Class = TypeVar("_Class")
_Method = Callable[..., Any]
_ORDER = ("lt", "le", "gt", "ge")


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, slots: Literal[True], frozen: bool = False, kw_only: bool = False, order: bool = False
) -> Callable[[type[_Class]], type[_Class]]:
    """Do as dataclasses.dataclass does; dataclasses.replace and fields take what comes of it.

    Frozen and others cannot inherit from one another. InitVar has no meaning.
    """

    def decorate(cls: type[_Class]) -> type[_Class]:
        own = set(cls.__dict__)
        # Where there is none dataclasses writes one, from a signature: a third of a millisecond.
        cls.__doc__ = cls.__doc__ or cls.__name__
        bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
        made = bare(cls)
        for name, method in _methods(made, frozen=frozen, order=order):
            # Python gives each class that has __eq__ a __hash__, which is None.
            if name not in own or (name == "__hash__" and cls.__dict__[name] is None):
                setattr(made, name, method)
        return made

    return decorate


def _methods(cls: type, *, frozen: bool, order: bool) -> list[tuple[str, _Method | None]]:
    fields = dataclasses.fields(cls)
    compared = _values_of([each.name for each in fields if each.compare])
    methods: list[tuple[str, _Method | None]] = [
        ("__init__", _initializer(cls, fields, frozen=frozen)),
        ("__repr__", _repr),
        ("__eq__", _comparison(operator.eq, compared)),
        ("__hash__", None),
    ]
    if order:
        methods += [
            (f"__{name}__", _comparison(getattr(operator, name), compared)) for name in _ORDER
        ]
    if frozen:
        hashed = [each.name for each in fields if _is_hashed(each)]
        methods += [
            ("__hash__", _hash(_values_of(hashed))),
            ("__setattr__", _refuse_assignment),
            ("__delattr__", _refuse_deletion),
            ("__getstate__", _state),
            ("__setstate__", _restore),
        ]
    return methods


def _is_hashed(each: "Field[Any]") -> bool:
    return each.compare if each.hash is None else each.hash


def _values_of(names: list[str]) -> Callable[[Any], Any]:
    """Return what gives the values of the attributes ``names``, always a tuple."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _comparison(compare: Callable[[Any, Any], Any], values: Callable[[Any], Any]) -> _Method:
    def method(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(values(self), values(other))

    return method


def _hash(values: Callable[[Any], Any]) -> _Method:
    return lambda self: hash(values(self))


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


def _initializer(cls: type, fields: "tuple[Field[Any], ...]", *, frozen: bool) -> _Method:
    def write_and_call(self: object, *arguments: object, **named: object) -> None:
        # A second thread may come here too: it writes the same, and either stays.
        method = _written_initializer(cls, fields, frozen=frozen)
        cls.__init__ = method  # type: ignore[misc]
        method(self, *arguments, **named)

    return write_and_call


def _written_initializer(cls: type, fields: "tuple[Field[Any], ...]", *, frozen: bool) -> _Method:
    names: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    positional: list[str] = ["self"]
    named: list[str] = []
    body: list[str] = []
    for each in fields:
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
        body.append(f"_set(self,{each.name!r},{value})" if frozen else f"self.{each.name}={value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ",".join(positional + (["*", *named] if named else []))
    # What is compiled are names of fields, nothing that comes from elsewhere.
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), names)
    method: _Method = names["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"  # messages have it
    return method

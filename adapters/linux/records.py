"""Values as JSON records, which processes of img send to one another.

A record may come from a process in the root file system of an image, so nothing in a record names
code: it is read as one expected type and checked against that type's annotations, field by field.
Formats such as pickle and marshal could run code that the sender chooses.
"""

import binascii
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

_Reader = Callable[[Any], Any]
_BEYOND = 1 << 64
# Created once: json.dumps and json.loads would evaluate their options for each record.
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode
_AS_IT_IS = frozenset((str, int, bool, types.NoneType))


class BadRecord(ValueError):
    """Bytes that are not a record of the expected type."""


def encode(value: object) -> bytes:
    """Return ``value`` as a record in ASCII.

    The supported types are data classes, enumerations (by value), tuples, sets and mappings of
    strings, bytes, strings (with lone surrogates), literals and subclasses of strings, integers,
    booleans and None. Of a data class, fields with their default values at the end are left out.
    """
    return _to_json(_plain(value)).encode("ascii")


def decode(record: bytes, kind: Any) -> Any:
    """Return the value of type ``kind`` in ``record``: a supported type, or a union of them.

    Raises BadRecord.
    """
    try:
        return reader_of(kind)(_from_json(record.decode("ascii")))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise BadRecord(f"not a record of {kind}: {error}") from None


def _plain(value: object) -> object:
    if type(value) in _AS_IT_IS:
        return value
    kind: Any = type(value)
    defaults = _defaults_of(kind)
    if defaults is not None:
        values = [getattr(value, name) for name in defaults]
        for default in reversed(defaults.values()):
            if values[-1] != default:
                break
            values.pop()
        return [kind.__name__, *[_plain(each) for each in values]]
    match value:
        case Enum():
            return value.value
        case bytes():
            return binascii.b2a_base64(value, newline=False).decode("ascii")
        case tuple() | list():
            return [_plain(one) for one in value]
        case frozenset():
            return sorted(value)
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
        case str() | int():
            return value
    raise TypeError(f"a {type(value).__name__} cannot be sent")


@cache
def _defaults_of(kind: Any) -> dict[str, Any] | None:
    """Return the fields of a data class, with MISSING for those without a default value."""
    return {each.name: each.default for each in fields(kind)} if is_dataclass(kind) else None


@cache
def reader_of(kind: Any) -> Callable[[Any], Any]:
    """Return a converter from decoded JSON to ``kind``, which raises ValueError or TypeError.

    It is cached for a process and its forks: call this before forks that need it.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        return _union_reader(arguments)
    if origin is Literal:
        return _word_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is frozenset:
        elements = _tuple_reader((*arguments, Ellipsis))
        return lambda plain: frozenset(elements(plain))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_reader(*arguments)
    if is_dataclass(kind):
        return _class_reader((kind,))
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if issubclass(kind, str) and not issubclass(kind, Enum):  # a text that checks itself
        return lambda plain: kind(_text(plain))
    return _enumeration(kind)


def _word_reader(words: tuple[Any, ...]) -> _Reader:
    def read(plain: Any) -> Any:
        if plain not in words or type(plain) is not str:
            raise ValueError(f"{plain!r} is none of {words}")
        return plain

    return read


def _enumeration(kind: type[Enum]) -> _Reader:
    return kind


def _exact(kind: type) -> _Reader:
    def read(plain: Any) -> Any:
        if type(plain) is not kind:
            raise TypeError(f"{type(plain).__name__} in place of {kind.__name__}")
        return plain

    return read


def _integer(plain: Any) -> int:
    if type(plain) is not int or not -_BEYOND < plain < _BEYOND:
        raise TypeError("no integer of 64 bits")
    return plain


def _bytes(plain: Any) -> bytes:
    return binascii.a2b_base64(_text(plain), strict_mode=True)


_text, _list, _object = _exact(str), _exact(list), _exact(dict)
_SIMPLE: Mapping[Any, _Reader] = {
    int: _integer,
    str: _text,
    bool: _exact(bool),
    bytes: _bytes,
    types.NoneType: _exact(types.NoneType),
}


def _tuple_reader(arguments: tuple[Any, ...]) -> _Reader:
    if arguments[-1] is Ellipsis:
        one = reader_of(arguments[0])
        return lambda plain: tuple([one(each) for each in _list(plain)])
    readers = [reader_of(argument) for argument in arguments]
    return lambda plain: tuple(
        [read(each) for read, each in zip(readers, _list(plain), strict=True)]
    )


def _mapping_reader(key: Any, value: Any) -> _Reader:
    read_key, read_value = reader_of(key), reader_of(value)
    return lambda plain: {read_key(name): read_value(one) for name, one in _object(plain).items()}


def _union_reader(members: tuple[Any, ...]) -> _Reader:
    if all(is_dataclass(member) for member in members):
        return _class_reader(members)
    (other,) = [reader_of(member) for member in members if member is not types.NoneType]
    return lambda plain: None if plain is None else other(plain)


def _class_reader(classes: tuple[Any, ...]) -> _Reader:
    known: dict[str, tuple[Any, list[tuple[str, _Reader]]]] = {}
    for kind in classes:
        readers: list[tuple[str, _Reader]] = []
        for each in fields(kind):
            annotation: Any = each.type
            readers.append((each.name, reader_of(annotation)))
        known[kind.__name__] = kind, readers

    def read(plain: Any) -> Any:
        name, *values = _list(plain)
        kind, readers = known[_text(name)]
        if len(values) > len(readers):
            raise ValueError(f"{len(values)} fields")
        pairs = zip(readers, values, strict=False)
        return kind(**{field: read_one(each) for (field, read_one), each in pairs})

    return read

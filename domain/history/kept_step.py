"""The operation of a RUN, from its record."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, cast, get_args

from img.domain.dockerfile.instructions import MountType
from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import Exec, ExecMount, InlineFile
from img.domain.history.facts import HIDDEN
from img.domain.process import Network, Ulimit, Volume

_Made = TypeVar("_Made")


class UnreadableStep(ValueError):
    """A record with an operation that this version of img does not understand."""


def exec_of(operation: Mapping[str, object]) -> Exec | None:
    """Return the operation of a RUN, None for another one. Raises UnreadableStep.

    Values that are not on record are left out: proxies, and arguments with the names of secrets.
    """
    if operation.get("operation") != "Exec":
        return None
    plain = {
        **operation,
        "argv": _texts(operation.get("argv")),
        "env": tuple((n, v) for n, v in _pairs(operation.get("env")) if not v.startswith(HIDDEN)),
        "hosts": _pairs(operation.get("hosts")),
        "mounts": tuple(map(_mount, _objects(operation.get("mounts")))),
        "ulimits": tuple(_made(Ulimit, each) for each in _objects(operation.get("ulimits"))),
        "files": tuple(map(_file, _objects(operation.get("files")))),
        "devices": (),
        "volumes": tuple(_made(Volume, each) for each in _objects(operation.get("volumes"))),
        "platform": None,
    }
    try:
        plain["network"] = Network(operation.get("network"))
    except ValueError as error:
        raise UnreadableStep(str(error)) from None
    return _made(Exec, plain)


def _mount(value: Mapping[str, object]) -> ExecMount:
    if value.get("type") not in get_args(MountType):
        raise UnreadableStep(f"mount type {value.get('type')}")
    # The record is of the state, so a wrong input has no layers, and is refused with them.
    return _made(ExecMount, {**value, "required": False})


def _file(value: Mapping[str, object]) -> InlineFile:
    return _made(InlineFile, {**value, "name": FileName(str(value.get("name")))})


def _made(kind: Callable[..., _Made], values: Mapping[str, object]) -> _Made:
    """Return an instance of a data class; the types of simple fields are those of the defaults."""
    given = {}
    for each in fields(cast("Any", kind)):
        if each.name in values:
            given[each.name] = _checked(each, values[each.name])
    try:
        return kind(**given)
    except TypeError as error:
        raise UnreadableStep(str(error)) from None


def _checked(each: "Field[Any]", value: object) -> object:
    default = each.default
    is_simple = default is not MISSING and isinstance(default, str | int)
    if is_simple and not isinstance(value, type(default)):
        raise UnreadableStep(f"{each.name}: {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(each[0]), str(each[1]))
        for each in (value if isinstance(value, list) else ())
        if isinstance(each, list) and len(each) == 2
    )


def _objects(value: object) -> list[Mapping[str, object]]:
    found = value if isinstance(value, list) else []
    return [cast("Mapping[str, object]", each) for each in found if isinstance(each, dict)]

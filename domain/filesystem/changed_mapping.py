"""Changes to a large mapping, without a copy of it."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class ChangedMapping(MutableMapping[_Key, _Value]):
    """A mapping like ``below``, which must not change any more, with changes of its own.

    Changes to a mapping of this kind are copied, so that each lookup asks two dictionaries.
    """

    __slots__ = ("_below", "_gone", "_own")

    def __init__(self, below: Mapping[_Key, _Value]) -> None:
        self._below = below
        self._own: dict[_Key, _Value] = {}
        self._gone: set[_Key] = set()
        if isinstance(below, ChangedMapping):
            self._below, self._own, self._gone = below._below, {**below._own}, {*below._gone}

    @property
    def changes(self) -> int:
        """The number of changes, the price of a copy."""
        return len(self._own) + len(self._gone)

    def __contains__(self, key: object) -> bool:
        return key in self._own or (key in self._below and key not in self._gone)

    def __getitem__(self, key: _Key) -> _Value:
        if key in self._own:
            return self._own[key]
        if key in self._gone:
            raise KeyError(key)
        return self._below[key]

    def get(self, key: _Key, default: object = None, /) -> Any:
        if key in self._own:
            return self._own[key]
        return default if key in self._gone else self._below.get(key, default)

    def __setitem__(self, key: _Key, value: _Value) -> None:
        self._own[key] = value

    def __delitem__(self, key: _Key) -> None:
        if key not in self:
            raise KeyError(key)
        self._own.pop(key, None)
        if key in self._below:
            self._gone.add(key)

    def __iter__(self) -> Iterator[_Key]:
        yield from (key for key in self._below if key not in self._gone and key not in self._own)
        yield from self._own

    def __len__(self) -> int:
        new = sum(key not in self._below or key in self._gone for key in self._own)
        return len(self._below) - len(self._gone) + new

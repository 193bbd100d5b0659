"""A reader of JSON objects, field by field, with errors that name the field."""

import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from img.domain.digest import Digest, InvalidDigest
from img.domain.errors import ImgError
from img.domain.json_text import InvalidJson, parse_json

_MOST_OBJECTS = 10_000  # items of one list: layers, manifests, history entries
_LARGEST = 2**63 - 1  # int64, as in other readers
_LONE_SURROGATE = "[\ud800-\udfff]"
_NUL = "must not hold a NUL character"


class InvalidDocument(ImgError):
    """A manifest, index, config or layout with an error in ``field``."""

    exit_code = 6

    def __init__(self, document: str, field: str, problem: str) -> None:
        where = f" ({field})" if field else ""
        super().__init__(f"invalid {document}{where}: {problem}")
        self.document = document
        self.field = field
        self.problem = problem


class Fields:
    """An object of a document; each field is read once, the remaining ones are unknown.

    As in Go's decoder, which other builders use, null means an absent field; in a list or map of
    strings it means "", in a list of objects one without fields. All methods raise
    InvalidDocument.
    """

    def __init__(self, value: object, document: str, path: str = "") -> None:
        self._document = document
        self._path = path
        if not isinstance(value, dict):
            self._refuse("", f"must be an object, not {_kind_of(value)}")
        self._left: dict[str, object] = dict(value)

    @classmethod
    def parse(cls, content: bytes, document: str) -> "Fields":
        """Return the fields of the JSON object in ``content``."""
        try:
            return cls(parse_json(content), document)
        except InvalidJson as error:
            raise InvalidDocument(document, "", error.message) from None

    def __contains__(self, name: str) -> bool:
        return self._left.get(name) is not None

    def peek(self, name: str) -> object:
        """Return a value and leave it among the unknown fields, None if it is absent."""
        return self._left.get(name)

    def text(self, name: str) -> str:
        """Return a string, "" if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._refuse(name, f"must be a string, not {_kind_of(value)}")
        return value

    def word(self, name: str) -> str:
        """Return a string without NUL, for the kernel; "" if it is absent."""
        value = self.text(name)
        if "\0" in value:
            self._refuse(name, _NUL)
        return value

    def words(self, name: str) -> tuple[str, ...] | None:
        """Return a list of strings without NUL, for the kernel; None if it is absent."""
        values = self.texts(name)
        for i, value in enumerate(values or ()):
            if "\0" in value:
                self._refuse(f"{name}[{i}]", _NUL)
        return values

    def required_text(self, name: str) -> str:
        """Return a required string, which is not empty."""
        return self.text(name) or self._refuse(name, "is missing")

    def number(self, name: str) -> int:
        """Return an integer, 0 if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
            self._refuse(name, f"must be an integer, not {_kind_of(value)}")
        return value

    def size(self, name: str) -> int:
        """Return a required integer, which is not negative."""
        if name not in self:
            self._refuse(name, "is missing")
        value = self.number(name)
        return value if value >= 0 else self._refuse(name, "must not be negative")

    def flag(self, name: str) -> bool:
        """Return a boolean, False if it is absent."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, bool):
            self._refuse(name, f"must be true or false, not {_kind_of(value)}")
        return bool(value)

    def digest(self, name: str) -> Digest:
        """Return a required digest, of any algorithm."""
        return self._digest(name, self.required_text(name), Digest.of_document)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a list of strings, None if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        items = self._items(name, value)
        return tuple(self._member(f"{name}[{i}]", item) for i, item in enumerate(items))

    def digests(self, name: str) -> tuple[Digest, ...]:
        """Return a list of digests of known algorithms, empty if it is absent."""
        texts = self.texts(name) or ()
        return tuple(
            self._digest(f"{name}[{i}]", text, Digest.parse) for i, text in enumerate(texts)
        )

    def places(self, name: str, *, among: int) -> tuple[int, ...]:
        """Return a list of indexes into a list of ``among`` items, empty if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return ()
        places = []
        for i, item in enumerate(self._items(name, value)):
            if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item < among:
                self._refuse(f"{name}[{i}]", f"must be a number from 0 to {among - 1}")
            places.append(item)
        return tuple(places)

    def names(self, name: str) -> tuple[str, ...]:
        """Return the sorted members of a set, in JSON ``{"member": {}}``."""
        value = self._left.pop(name, None)
        if value is None:
            return ()
        if not isinstance(value, dict):
            self._refuse(name, f"must be an object, not {_kind_of(value)}")
        return tuple(sorted(value))

    def text_map(self, name: str) -> Mapping[str, str]:
        """Return an object of strings, empty if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(name, f"must be an object, not {_kind_of(value)}")
        return {key: self._member(f"{name}.{key}", item) for key, item in value.items()}

    def nested(self, name: str) -> "Fields | None":
        """Return the fields of a nested object, None if it is absent."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(value, self._document, self._under(name))

    def required_nested(self, name: str) -> "Fields":
        """Return the fields of a required nested object."""
        return self.nested(name) or self._refuse(name, "is missing")

    def nested_list(self, name: str) -> tuple["Fields", ...]:
        """Return the fields of each object in a list, empty if it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            return ()
        items = self._items(name, value)
        if len(items) > _MOST_OBJECTS:
            self._refuse(name, f"must not have more than {_MOST_OBJECTS} entries")
        return tuple(
            Fields({} if item is None else item, self._document, self._under(f"{name}[{i}]"))
            for i, item in enumerate(items)
        )

    def rest(self) -> Mapping[str, object]:
        """Return the fields that were not read: the unknown ones."""
        return {name: value for name, value in self._left.items() if value is not None}

    def refuse(self, name: str, problem: str) -> NoReturn:
        """Raise InvalidDocument for the field ``name``."""
        self._refuse(name, problem)

    def _items(self, name: str, value: object) -> list[object]:
        if not isinstance(value, list):
            self._refuse(name, f"must be a list, not {_kind_of(value)}")
        return value

    def _member(self, name: str, value: object) -> str:
        if value is not None and not isinstance(value, str):
            self._refuse(name, f"must be a string, not {_kind_of(value)}")
        return value or ""

    def _digest(self, name: str, text: str, parse: Callable[[str], Digest]) -> Digest:
        try:
            return parse(text)
        except InvalidDigest as error:
            raise InvalidDocument(self._document, self._under(name), error.message) from error

    def _under(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path and name else self._path or name

    def _refuse(self, name: str, problem: str) -> NoReturn:
        raise InvalidDocument(self._document, self._under(name), problem)


def compact(document: Mapping[str, object]) -> bytes:
    """Return ``document`` as canonical JSON: its own order of keys, no blanks, UTF-8.

    A lone surrogate (an undecodable byte of a command line) becomes U+FFFD, as in Go's encoder.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub(_LONE_SURROGATE, "\ufffd", text).encode()


def _kind_of(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), f"the number {value}"[:40])

"""Functions of encodings and digests (hashicorp/go-cty-funcs: encoding, crypto, uuid)."""

import base64
import binascii
import csv
import hashlib
from collections.abc import Callable

from img.domain.bake.functions.json_text import BadJson, decode_json, encode_json
from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import Function, FunctionFault
from img.domain.bake.values.types import STRING, ObjectOf
from img.domain.bake.values.value import Value, list_of, number, object_of, string

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_NAMESPACES = {"dns": 0x10, "url": 0x11, "oid": 0x12, "x500": 0x14}


def _base64decode(text: Value) -> Value:
    try:
        data = base64.b64decode(text.text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionFault(f"failed to decode base64 data '{text.text}'") from None
    try:
        return string(data.decode())
    except UnicodeDecodeError:
        raise FunctionFault(
            "the result of decoding the provided string is not valid UTF-8"
        ) from None


def _csvdecode(text: Value) -> Value:
    try:
        rows = [row for row in csv.reader(text.text.splitlines(keepends=True), strict=True) if row]
    except csv.Error as error:
        raise FunctionFault(f"parse error: {error}") from None
    if not rows:
        raise FunctionFault("missing header line")
    names = rows[0]
    for name in names:
        if names.count(name) > 1:
            raise FunctionFault(f'duplicate column name "{name}"')
    for at, row in enumerate(rows):
        if len(row) != len(names):
            raise FunctionFault(f"record on line {at + 1}: wrong number of fields")
    made = [
        object_of({name: string(field) for name, field in zip(names, row, strict=True)})
        for row in rows[1:]
    ]
    return list_of(ObjectOf(dict.fromkeys(names, STRING)), made)


def _jsondecode(text: Value) -> Value:
    try:
        return decode_json(text.text)
    except BadJson as error:
        raise FunctionFault(str(error)) from None


def _jsonencode(value: Value) -> Value:
    try:
        return string(encode_json(value))
    except BadJson as error:
        raise FunctionFault(str(error)) from None


def _urlencode(text: Value) -> Value:
    return string(
        "".join(
            chr(byte) if byte in _UNRESERVED else "+" if byte == 0x20 else f"%{byte:02X}"
            for byte in text.text.encode()
        )
    )


def _digest(algorithm: Callable[..., "hashlib._Hash"]) -> Function:
    return function("str:s", lambda s: string(algorithm(s.text.encode()).hexdigest()))


def _uuidv5(namespace: Value, name: Value) -> Value:
    if namespace.text in _NAMESPACES:
        first = 0x6BA7B800 | _NAMESPACES[namespace.text]
        space = first.to_bytes(4, "big") + bytes.fromhex("9dad11d180b400c04fd430c8")
    else:
        space = _uuid_bytes(namespace.text)
    made = bytearray(hashlib.sha1(space + name.text.encode()).digest()[:16])
    return string(uuid_text(made, version=5))


def _uuid_bytes(text: str) -> bytes:
    digits = text.replace("-", "")
    try:
        if len(text) not in (32, 36):
            raise ValueError(f"invalid UUID length: {len(text)}")
        return bytes.fromhex(digits).ljust(16, b"\0")[:16]
    except ValueError as error:
        raise FunctionFault(f"uuidv5() doesn't support namespace {text} ({error})") from None


def uuid_text(data: bytearray, *, version: int) -> str:
    """Return 16 bytes as a UUID of a version (RFC 9562)."""
    data[6] = (data[6] & 0x0F) | (version << 4)
    data[8] = (data[8] & 0x3F) | 0x80
    digits = data.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _no_bytes(*_: Value) -> Value:
    raise FunctionFault("there are no values of type bytes")


ENCODING = {
    "base64decode": function("str:s", _base64decode),
    "base64encode": function("str:s", lambda s: string(base64.b64encode(s.text.encode()).decode())),
    "csvdecode": function("str:s", _csvdecode),
    "jsondecode": function("str:s", _jsondecode),
    "jsonencode": function("val:a?", _jsonencode),
    "urlencode": function("str:s", _urlencode),
    "md5": _digest(lambda data: hashlib.md5(data, usedforsecurity=False)),
    "sha1": _digest(lambda data: hashlib.sha1(data, usedforsecurity=False)),
    "sha256": _digest(hashlib.sha256),
    "sha512": _digest(hashlib.sha512),
    "uuidv5": function("namespace:s name:s", _uuidv5),
    "byteslen": function("buf:bytes", lambda buf: number(0) if buf.is_null else _no_bytes()),
    "bytesslice": function("buf:bytes offset:n length:n", _no_bytes),
}

"""JSON documents of images, caches and registries that are meant to do harm."""

import copy
import json
import random
from typing import Any

Json = Any  # a document, right or wrong

_DEEP = 100_000
_TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "/",
        "..",
        "../../etc/passwd",
        "\ud800",
        "\udcff",
        "\u202e",
        "\x1b[2J",
    ),
    *("\n::error::x", "\r", "-1", "0", "9" * 400, "x" * 70_000, "NaN", "null", "é" * 300),
    *("sha256:" + "0" * 64, "sha256:../../x", "sha512:" + "0" * 128, "md5:0", "sha256:", ":"),
    *("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"),
    *("application/vnd.docker.distribution.manifest.v1+json", "text/html", "file:///etc/passwd"),
    *("http://127.0.0.1:1/", "linux", "windows", "2026-01-01T00:00:00Z", "9999-99-99T99:99:99Z"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "evil:x:99999999999:0", "A=\0"),
    *("=", "PATH", "A=b\nC=d", "80/tcp", "99999999/udp", "0-999999999999/tcp", "ONBUILD RUN x"),
)
_NUMBERS = (
    *(0, -0.0, 1, -1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400, 1e308),
    *(1.5, float("inf"), float("-inf"), float("nan"), 1e-320),
)
_OTHERS: tuple[Json, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    [{}],
    {"a": {"a": {}}},
    ["a"] * 3000,
)


class DocumentMaker:
    """Changes good documents, decided by ``rng`` alone."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def changed(self, document: Json) -> Json:
        """Return ``document`` with some values replaced, lost, doubled or nested."""
        made = copy.deepcopy(document)
        for _ in range(self._rng.choice((0, 1, 1, 1, 2, 4))):
            made = self._changed_once(made)
        return made

    def rendered(self, document: Json) -> bytes:
        """Return the bytes of ``document``, sometimes damaged, or no JSON at all."""
        rng = self._rng
        text = _dumps(document)
        content = text.encode("utf-8", "surrogatepass")
        match rng.randrange(60):
            case 0:
                content = content[: rng.randrange(len(content) + 1)]
            case 1:
                content = b"[" * _DEEP + content
            case 2:
                content = b'{"a":' * _DEEP + content + b"}" * _DEEP
            case 3:
                content = text.encode("utf-16", "surrogatepass")
            case 4:
                content = b"\xef\xbb\xbf" + content
            case 5:
                content = content + content
            case 6:
                content = rng.randbytes(rng.randrange(200))
            case 7:
                content = content.replace(b'"', b"'")
            case 8:
                content = content.replace(b"{", b'{"mediaType":"x/y","mediaType":"z/y",', 1)
            case 9:
                content = content.replace(b":", b":" + b"9" * 5000 + b",", 1)
            case 10 | 11:
                content = self._flipped(content)
        return content

    def _flipped(self, content: bytes) -> bytes:
        flipped = bytearray(content)
        for _ in range(self._rng.choice((1, 2, 5))):
            if flipped:
                flipped[self._rng.randrange(len(flipped))] = self._rng.randrange(256)
        return bytes(flipped)

    def _changed_once(self, document: Json) -> Json:
        rng = self._rng
        places = _places(document) if isinstance(document, dict | list) else []
        if not places:
            return self.value()
        holder, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(_TEXTS)] = holder[key]
            case 1 | 2 if isinstance(holder, list):
                holder[key:key] = [copy.deepcopy(holder[key])] * rng.choice((1, 3, 2000))
            case 3:
                holder[key] = [holder[key]]
            case 4:
                _, other = rng.choice(places)
                holder[key] = other
            case _:
                holder[key] = self.value()
        return document

    def value(self) -> Json:
        """Return a value that is hardly ever right."""
        rng = self._rng
        return copy.deepcopy(rng.choice(rng.choice((_TEXTS, _TEXTS, _NUMBERS, _OTHERS))))

    def text(self) -> str:
        """Return a text that is hardly ever right."""
        return self._rng.choice(_TEXTS)


def _dumps(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False)


def _places(document: Json) -> list[tuple[Json, Any]]:
    """Return every (holder, key) below ``document``."""
    found: list[tuple[Json, Any]] = []
    todo = [document]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in list(keys)[:50]:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                todo.append(holder[key])
    return found

"""Modules that Go and Rust programs name in themselves, found while a program is read once."""

import base64
import binascii
import re
from collections import deque
from collections.abc import Iterator

from img.domain.json_text import InvalidJson, parse_json
from img.domain.packages.package import Package

ELF = b"\x7fELF"
_GO_MAGIC = b"\xff Go buildinf:"
_GO_HEAD = 32  # bytes before the inline strings
_GO_INLINE = 2  # the flag of Go 1.18 and later
_GO_MARK = 16  # bytes around the text of the modules
_MOST_GO_TEXT = 1 << 20  # bytes; large programs have 30 KB
_RUST_SECTION = b".dep-v0"
_MOST_TAIL = 1 << 20  # bytes: names and table of the sections
_MOST_SECTIONS = 65_535
_DEVEL = "(devel)"


class ProgramScanner:
    """A reader of one ELF program in chunks, which keeps little of it.

    Go's record is found by its magic, on a multiple of 16 bytes (Go, debug/buildinfo). Rust's is a
    compressed section (rust-secure-code/cargo-auditable, PARSING.md), which has no magic: its place
    is known only at the end of the program.
    """

    def __init__(self) -> None:
        self._read = 0  # bytes
        self._kept = b""  # the end of what was read, at least as long as the magic
        self._last: deque[bytes] = deque()  # chunks with the tail, and maybe more
        self._held = 0  # bytes in them
        self._head = b""
        self._go: bytes | None = None

    @property
    def is_program(self) -> bool:
        """True for an ELF file; known after the first chunk."""
        return self._head.startswith(ELF)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self._head) < 64:
            self._head += chunk[: 64 - len(self._head)]
        if not self.is_program and len(self._head) >= len(ELF):
            return
        if self._go is not None and len(self._go) < _MOST_GO_TEXT:
            self._go += chunk[: _MOST_GO_TEXT - len(self._go)]
        elif self._go is None:
            self._find_go(chunk)
        self._read += len(chunk)
        self._last.append(chunk)
        self._held += len(chunk)
        while self._held - len(self._last[0]) >= _MOST_TAIL:
            self._held -= len(self._last.popleft())

    def _find_go(self, chunk: bytes) -> None:
        window = self._kept + chunk
        start = self._read - len(self._kept)
        at = window.find(_GO_MAGIC)
        while at >= 0:
            # The magic also stands in programs that read such records.
            if (start + at) % 16 == 0 and _is_inline(window[at : at + 16]):
                self._go = window[at : at + _MOST_GO_TEXT]
                return
            at = window.find(_GO_MAGIC, at + 1)
        self._kept = window[-16:]

    def go_text(self) -> str:
        """Return the text with the modules of a Go program, "" if it has none."""
        if self._go is None:
            return ""
        version, at = _go_string(self._go, _GO_HEAD)
        modules, _ = _go_string(self._go, at)
        # Both marks are part of the string, as are 16 random bytes in each.
        has_marks = len(modules) > 2 * _GO_MARK and modules[-_GO_MARK - 1 : -_GO_MARK] == b"\n"
        text = modules[_GO_MARK:-_GO_MARK] if has_marks else b""
        return (b"go\t" + version + b"\n" + text).decode("utf-8", "replace") if version else ""

    def rust_section(self) -> tuple[int, int] | None:
        """Return offset and size of the compressed section of a Rust program, None if absent."""
        head = self._head
        if not self.is_program or len(head) < 64:
            return None
        tail = b"".join(self._last)[-_MOST_TAIL:]
        tail_start = self._read - len(tail)
        if _RUST_SECTION not in tail:
            return None
        wide, order = head[4] == 2, head[5]

        def number(data: bytes, at: int, length: int) -> int:
            return int.from_bytes(data[at : at + length], "big" if order == 2 else "little")

        table = number(head, 40, 8) if wide else number(head, 32, 4)
        size, count, names = (
            number(head, at, 2) for at in ((58, 60, 62) if wide else (46, 48, 50))
        )
        at = table - tail_start
        if at < 0 or count > _MOST_SECTIONS or size < (64 if wide else 40):
            return None
        place, width = (24, 8) if wide else (16, 4)
        sections = [tail[at + n * size : at + (n + 1) * size] for n in range(count)]
        if names >= len(sections):
            return None
        texts = number(sections[names], place, width) - tail_start
        for section in sections:
            start = texts + number(section, 0, 4)
            if texts >= 0 and tail[start:].startswith(_RUST_SECTION + b"\0"):
                return number(section, place, width), number(section, place + width, width)
        return None


def go_packages(text: str, path: str) -> Iterator[Package]:
    """Yield the modules of a Go program, its own and the standard library (Go, debug.BuildInfo)."""
    found: list[Package] = []
    for line in text.split("\n"):
        word, *fields = line.split("\t")
        match word, fields:
            case "go", [version, *_]:
                number = re.match(r"go(\d\S*)", version)
                if number:
                    found.append(_module("stdlib", number[1], "", path))
            case (("mod" | "dep"), [name, version, *rest]):
                known = "" if version == _DEVEL else version
                found.append(_module(name, known, rest[0] if rest else "", path))
            case "=>", [name, version, *rest] if found:  # replaces the module of the last line
                found[-1] = _module(name, version, rest[0] if rest else "", path)
    yield from found


def rust_packages(text: bytes, path: str) -> Iterator[Package]:
    """Yield the crates of an auditable Rust program; those of the build alone are left out.

    Raises InvalidJson.
    """
    value = parse_json(text)
    crates = value.get("packages") if isinstance(value, dict) else None
    if not isinstance(crates, list):
        raise InvalidJson("no list of packages")
    for crate in crates:
        if not isinstance(crate, dict) or crate.get("kind", "runtime") != "runtime":
            continue
        name, version = crate.get("name"), crate.get("version")
        if isinstance(name, str) and isinstance(version, str) and name:
            yield Package(kind="cargo", name=name, version=version, location=path)


def _module(name: str, version: str, checksum: str, path: str) -> Package:
    return Package(
        kind="golang", name=name, version=version, location=path, checksums=_checksums(checksum)
    )


def _checksums(text: str) -> tuple[tuple[str, str], ...]:
    """Return the hash of a module's tree ("h1:" and base64 of a SHA-256) as SPDX writes it."""
    try:
        digest = base64.b64decode(text.removeprefix("h1:"), validate=True)
    except (binascii.Error, ValueError):
        return ()
    return (("SHA256", digest.hex()),) if text.startswith("h1:") and len(digest) == 32 else ()


def _is_inline(head: bytes) -> bool:
    return len(head) == 16 and bool(head[15] & _GO_INLINE) and head[14] in (0, 4, 8)


def _go_string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a string with its length before it (encoding/binary, Uvarint), and its end."""
    length = shift = 0
    for place in range(at, min(at + 10, len(data))):
        length |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            end = place + 1 + length
            return (data[place + 1 : end], end) if end <= len(data) else (b"", len(data))
    return b"", len(data)

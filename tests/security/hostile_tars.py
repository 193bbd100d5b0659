"""Tar archives that are meant to do harm, made from a random generator."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import zstandard

BLOCK = 512

_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "zstd": zstandard.ZstdCompressor(level=1).compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bzip2": lambda data: bz2.compress(data, 1),
}
_NAMES = (
    *("a", "b", "c", "d", "e", "f", "pwn", "secret", "etc", "passwd", "dev", "null"),
    *("..", ".", "", "...", " ", "-rf", "x\ny", "x\0y", "\x1b[2J", "::error::x", "\udcff\udcfe"),
    *("ü", "\u202e", "x" * 100, "x" * 255, "x" * 256, "ünï" * 60, "?*[a]", "\\..\\x", "a=b"),
    *(".wh.a", ".wh.d", ".wh..", ".wh...", ".wh.", ".wh..wh..opq", ".wh..wh.plnk", ".wh..wh.aufs"),
    *(".img-draft-0123456789abcdef", ".img-tmp", ".wh..wh..opq/x", "work", "#1a"),
)
_USUAL_NAMES = ("a", "b", "c", "d", "e", "f")
_KINDS = (*b"0123456", 0)
_ODD_KINDS = (*b"7xgLKSVDMNAX", 0xFF, 0x20)
_XATTRS = (
    *(b"user.a", b"security.capability", b"security.ima", b"system.posix_acl_access", b"trusted.x"),
    *(b"user.overlay.redirect", b"trusted.overlay.opaque", b"user.img.owner", b"user.overlay.y"),
    *(b"", b"\0", b"user.\0x", b"user." + b"n" * 300, b"nonsense", b"user.\xff", b"."),
)
_USUAL_KEYS = (b"path", b"linkpath", b"uid", b"mtime")
_KEYS = (
    *(b"path", b"linkpath", b"uid", b"gid", b"size", b"mtime", b"atime", b"GNU.sparse.map"),
    *(b"GNU.sparse.major", b"SCHILY.dev", b"charset", b"hdrcharset", b"\xff", b""),
)
_NUMBERS = (
    *(b"", b"0", b"1", b"-1", b"1e3", b"0x1", b"\0", b" 1 ", b"4294967294", b"4294967295"),
    *(b"4294967296", b"2147483648", b"9223372036854775807", b"9223372036854775808"),
    *(b"18446744073709551616", b"9" * 40, b"9" * 5000, b"1.5", b"-0.5", b".", b"nan", b"inf"),
    *("\u0661".encode(), b"1_000", b"1" + b"0" * 12, b"253402300800", b"-62135596801"),
)
_BASE_256 = (
    *(0, 1, -1, -2, 2**31, 2**32 - 1, 2**32, -(2**31), 2**56 - 1, -(2**55), 2**62, 2**63),
    *(2**64, -(2**63), 2**86, 1 << 40, (1 << 40) + 1, -(1 << 41)),
)


@dataclass(frozen=True)
class Tar:
    """An archive in parts that can be left out to find out which of them does harm."""

    members: tuple[bytes, ...]
    ending: bytes
    flips: tuple[tuple[int, int], ...] = ()  # (offset in the whole, modulo its size; a byte)
    cut: int | None = None  # bytes that are left
    compression: str = "none"
    later_flips: tuple[tuple[int, int], ...] = ()  # after it was compressed
    later_cut: int | None = None
    trailer: bytes = b""

    def plain(self) -> bytes:
        """Return the archive before it is compressed."""
        return _damaged(b"".join(self.members) + self.ending, self.flips, self.cut)

    def render(self) -> bytes:
        """Return the archive."""
        packed = _COMPRESSIONS[self.compression](self.plain())
        return _damaged(packed, self.later_flips, self.later_cut) + self.trailer

    def smaller(self) -> Iterator["Tar"]:
        """Yield archives with something less, the smallest first."""
        count = len(self.members)
        for size in (count // 2, 1):
            if size:
                for at in range(0, count, size):
                    yield replace(self, members=self.members[:at] + self.members[at + size :])
        if self.compression != "none" and not self.later_flips and self.later_cut is None:
            yield replace(self, compression="none")
        if self.trailer:
            yield replace(self, trailer=b"")
        for field in ("flips", "later_flips"):
            flips = getattr(self, field)
            for at in range(len(flips)):
                yield replace(self, **{field: flips[:at] + flips[at + 1 :]})


class TarMaker:
    """A generator of archives with members that refer to each other and to ``outside``."""

    def __init__(self, rng: random.Random, outside: str) -> None:
        self._rng = rng
        self._outside = outside
        self._climbing = "../" * rng.choice((1, 2, 3, 24)) + outside.lstrip("/")
        self._links: list[str] = []
        self._made: list[str] = []
        # Most archives are good but for a few members: so more than the first header is read.
        self._oddness = rng.choice((0.0, 0.0, 0.01, 0.02, 0.05, 0.3))

    def make(self) -> Tar:
        """Return an archive."""
        rng = self._rng
        members = tuple(self._member() for _ in range(rng.choice((1, 2, 3, 5, 8, 13))))
        tar = Tar(
            members=members,
            ending=rng.choice((bytes(2 * BLOCK),) * 6 + (b"", bytes(BLOCK), bytes(20 * BLOCK))),
            compression=rng.choice(("none",) * 5 + ("gzip", "gzip", "zstd", "xz", "bzip2")),
        )
        if rng.random() < 0.15:
            tar = replace(tar, flips=self._flips())
        if rng.random() < 0.05:
            tar = replace(tar, cut=rng.randrange(BLOCK * 12))
        if rng.random() < 0.1:
            tar = replace(tar, later_flips=self._flips())
        if rng.random() < 0.05:
            tar = replace(tar, later_cut=rng.randrange(600))
        if rng.random() < 0.03:
            tar = replace(
                tar, trailer=rng.choice((b"x", bytes(7), b"\x1f\x8b", rng.randbytes(600)))
            )
        return tar

    def _flips(self) -> tuple[tuple[int, int], ...]:
        rng = self._rng
        return tuple(
            (rng.randrange(1 << 16), rng.randrange(256)) for _ in range(rng.choice((1, 2, 6)))
        )

    def _odd(self) -> bool:
        return self._rng.random() < self._oddness

    # --- members ---

    def _member(self) -> bytes:
        rng = self._rng
        kind = rng.choice(_ODD_KINDS) if self._odd() else rng.choice(_KINDS)
        name = self._name()
        link = self._target() if kind in b"12" or self._odd() else ""
        content = self._content() if kind in (0, *b"07") else b""
        extensions = b""
        if rng.random() < 0.15 or self._odd():
            extensions += self._pax(name, link)
        if rng.random() < 0.05 or self._odd():
            extensions += self._long(rng.choice(b"LK"), rng.choice((name, link, self._name())))
        header = self._header(kind, name, link, len(content))
        (self._links if kind == ord("2") else self._made).append(name)
        return extensions + header + content + bytes(-len(content) % BLOCK)

    def _name(self) -> str:
        rng = self._rng
        pool = _NAMES if self._odd() else _USUAL_NAMES
        name = "/".join(rng.choice(pool) for _ in range(rng.choice((1, 1, 2, 3))))
        if self._links and rng.random() < 0.35:
            name = f"{rng.choice(self._links)}/{rng.choice((name, 'secret', 'private/file', ''))}"
        elif self._made and rng.random() < 0.2:
            name = rng.choice((rng.choice(self._made), f"{rng.choice(self._made)}/{name}"))
        if self._odd():
            lead = rng.choice(
                ("/", "./", "../", f"{self._outside}/", f"{self._climbing}/", "a/../")
            )
            name = lead + name
        if rng.random() < 0.1:
            folder, _, last = name.rpartition("/")
            name = f"{folder}/.wh.{last}" if folder else f".wh.{last}"
        if rng.random() < 0.03:
            name = f"{name.rpartition('/')[0]}/.wh..wh..opq".lstrip("/")
        return name

    def _target(self) -> str:
        rng = self._rng
        targets = [
            *(self._outside, f"{self._outside}/secret", f"{self._outside}/private"),
            *(self._climbing, f"{self._climbing}/secret", f"{self._climbing}/program"),
            *("..", "../..", ".", "/", "/proc/self/root" + self._outside, "/proc/self/cwd"),
            *(f"/proc/self/fd/{rng.randrange(3, 30)}", f"{self._outside}/null", "/dev/fd/0"),
        ]
        known = [*self._links, *self._made]
        if known and rng.random() < 0.5:
            return rng.choice(known)
        return self._name() if self._odd() else rng.choice(targets)

    def _content(self) -> bytes:
        rng = self._rng
        if self._odd():
            return rng.randbytes(rng.choice((511, 512, 513, 70000)))
        return rng.choice((b"", b"x", b"pwned\n", b"#!/bin/sh\n"))

    # --- headers ---

    def _header(self, kind: int, name: str, link: str, size: int) -> bytes:
        rng = self._rng
        raw, prefix = _split(_bytes(name))
        fields = [
            raw,
            self._number(8, rng.choice((0o644, 0o755, 0o4755, 0o7777, 0o1777, 0))),
            self._number(8, rng.choice((0, 0, 1000, 65534))),
            self._number(8, rng.choice((0, 0, 1000, 65534))),
            self._number(12, size),
            self._number(12, rng.choice((0, 1_600_000_000, 1))),
            b" " * 8,
            bytes([kind]),
            _bytes(link)[:100].ljust(100, b"\0"),
            rng.choice((b"ustar\x0000", b"ustar  \0", bytes(8))) if self._odd() else b"ustar\x0000",
            bytes(64),
            self._number(8, rng.choice((0, 1, 5, 7, 4095))),
            self._number(8, rng.choice((0, 3, 9, 300, 2**20 - 1))),
            prefix.ljust(167, b"\0"),
        ]
        block = bytearray(b"".join(fields))
        block[148:156] = b"%06o\0 " % sum(block)
        if self._odd() and rng.random() < 0.3:
            block[rng.randrange(BLOCK)] = rng.randrange(256)
        return bytes(block)

    def _number(self, width: int, usual: int) -> bytes:
        rng = self._rng
        if not self._odd():
            return b"%0*o\0" % (width - 1, usual)
        if rng.random() < 0.5:
            value = rng.choice(_BASE_256)
            bits = 8 * width - 1
            return (value % (1 << bits) | 1 << bits).to_bytes(width, "big")
        raw = rng.choice((*_NUMBERS, b"7" * width, b" " * width, b"8", b"\xff" * width, b"1\0002"))
        return raw[:width].ljust(width, rng.choice((b"\0", b" ")))

    # --- extensions ---

    def _pax(self, name: str, link: str) -> bytes:
        rng = self._rng
        records = b""
        for _ in range(rng.choice((1, 1, 2, 4))):
            key, value = self._record(name, link)
            records += self._rendered(key, value)
        kind = ord("g") if self._odd() else ord("x")
        return self._extension(kind, records)

    def _record(self, name: str, link: str) -> tuple[bytes, bytes]:
        rng = self._rng
        if rng.random() < 0.4:
            value = rng.choice((b"", b"x", rng.randbytes(20), b"0sAQAAAgAEAAAAAAAA", b"x" * 70000))
            return b"SCHILY.xattr." + rng.choice(_XATTRS), value
        key = rng.choice(_KEYS if self._odd() else _USUAL_KEYS)
        if key == b"path":
            return key, _bytes(rng.choice((name, self._name(), f"{self._climbing}/pwn")))
        if key == b"linkpath":
            return key, _bytes(rng.choice((link, self._target(), "")))
        return key, rng.choice(_NUMBERS) if self._odd() else b"%d" % rng.choice((0, 1, 1000))

    def _rendered(self, key: bytes, value: bytes) -> bytes:
        rng = self._rng
        rest = b" %s=%s\n" % (key, value)
        length = len(rest) + len(str(len(rest)))
        length += len(str(length)) - len(str(len(rest)))
        if self._odd():
            length = rng.choice((0, -1, length - 1, length + 1, 1 << 70, length * 2))
        if self._odd():
            rest = rest.replace(rng.choice((b"\n", b"=", b" ")), b"")
        return b"%d%s" % (length, rest)

    def _long(self, kind: int, text: str) -> bytes:
        rng = self._rng
        content = _bytes(text) + rng.choice((b"\0", b"", b"\0x"))
        if self._odd():
            content += rng.choice((b"/y" * 2200, b"z" * 5000, b"/x" * 300))
        return self._extension(kind, content)

    def _extension(self, kind: int, content: bytes) -> bytes:
        size = len(content)
        if self._odd():
            size = self._rng.choice((size, size + 1, size - 1, 1 << 20, (1 << 20) + 1, 1 << 40))
        header = self._header(kind, "././@LongLink", "", max(size, 0))
        return header + content + bytes(-len(content) % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Return a name in two fields, cut short where it does not fit."""
    if len(name) <= 100:
        return name.ljust(100, b"\0"), b""
    at = name.find(b"/", len(name) - 101)
    if 0 < at <= 155:
        return name[at + 1 :][:100].ljust(100, b"\0"), name[:at]
    return name[:100], b""


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _damaged(data: bytes, flips: tuple[tuple[int, int], ...], cut: int | None) -> bytes:
    damaged = bytearray(data if cut is None else data[:cut])
    for at, value in flips:
        if damaged:
            damaged[at % len(damaged)] = value
    return bytes(damaged)

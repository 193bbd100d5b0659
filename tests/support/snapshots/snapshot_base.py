"""A base of three layers for tests of snapshotters, and what they need."""

from typing import TypeVar, cast

import pytest

from img.application.ports.layer_archive import PackedLayer
from img.domain.filesystem.entry import DIRECTORY, FIFO, SYMLINK
from tests.support.snapshots.snapshot_lab import Lab, file, link, needs_overlay, other
from tests.support.snapshots.snapshot_steps import CAPABILITY

Test = TypeVar("Test")


def real(test: Test) -> Test:
    """Mark what mounts overlays and needs root for it."""
    return cast(Test, pytest.mark.userns(needs_overlay(test)))


def a_base(lab: Lab) -> list[PackedLayer]:
    """Three layers with something of everything."""
    first = lab.pack(
        other("", DIRECTORY),
        other("bin", SYMLINK, mode=0o777, link="usr/bin"),
        other("dir", DIRECTORY),
        file("dir/one", b"one"),
        other("dir/sub", DIRECTORY, mode=0o700, uid=7, gid=8),
        file("dir/sub/deep", b"deep"),
        file("dir/two", b"two"),
        other("etc", DIRECTORY),
        file("etc/conf", b"old"),
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        other("fifo", FIFO, mode=0o600),
        file("full/full", b"f"),
        file("gone/a", b"a"),
        file("gone/b", b"b"),
        other("links", DIRECTORY),
        file("links/a", b"linked", mode=0o755),
        link("links/b", "links/a"),
        other("links/far", DIRECTORY),
        link("links/far/c", "links/a"),
        file("links/p", b"pair"),
        link("links/q", "links/p"),
        file("links/single", b"single"),
        file("usr/bin/ping", b"ping", mode=0o755, xattrs=(("security.capability", CAPABILITY),)),
        file("usr/bin/su", b"su", mode=0o4755),
        file("usr/share/x", b"x", xattrs=(("user.note", b"hi"),)),
    )
    second = lab.pack(
        file("dir/.wh.two"),
        file("dir/three", b"three", uid=1000, gid=1000),
        file("etc/conf", b"new"),
        file("full/.wh..wh..opq"),
        file("full/other", b"o"),
        file(".wh.gone"),
        file("links/low", b"low"),
    )
    third = lab.pack(
        other("gone", DIRECTORY, mode=0o711),
        file("gone/c", b"c"),
        link("links/high", "links/low"),
        file("odd name\n", b"odd"),
        file("odd \udcff", b"bytes"),
    )
    return [first, second, third]

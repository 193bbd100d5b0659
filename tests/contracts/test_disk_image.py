"""Contract tests of disk images, read back by squashfs-tools and by the library of SIF."""

import io
import os
import re
import struct
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from img.adapters.disk_image.memory import MemoryDiskImage
from img.adapters.disk_image.sif import Sif
from img.adapters.disk_image.squashfs import Squashfs
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.disk_image import DiskImage, DiskImageForm, NotInDiskImage
from img.application.ports.layer_archive import PackedEntry
from img.domain.filesystem.entry import (
    CAPABILITY,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SOCKET,
    SYMLINK,
    Entry,
)
from img.domain.platform import Platform
from tests.support.host.machine import program

_FORM = DiskImageForm(platform=Platform("linux", "arm64"), epoch=1_000_000_000)
_RANDOM = os.urandom(300_000)
_CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
_XATTRS = ((CAPABILITY, _CAPABILITY), ("user.a", b"1" * 500))


def squashfs() -> DiskImage:
    return Squashfs(MemoryScratchSpace())


def sif() -> DiskImage:
    return Sif(MemoryScratchSpace())


MAKERS: Sequence[Callable[[], DiskImage]] = (squashfs, sif)


def a_file(path: str, content: bytes, mode: int = 0o644) -> PackedEntry:
    entry = Entry(path, FILE, mode, size=len(content), mtime=1_600_000_000 * 10**9)
    return PackedEntry(entry=entry, open=partial(io.BytesIO, content))


def everything() -> list[PackedEntry]:
    """Return files of each kind, sorted."""
    many = [a_file(f"many/{number:04}", b"%d\n" % number) for number in range(700)]
    return [
        PackedEntry(entry=Entry("a", DIRECTORY, 0o1777, uid=7, gid=70_000)),
        a_file("a/empty", b""),
        a_file("a/exact", bytes(1 << 17), 0o4755),
        PackedEntry(entry=Entry("a/link", SYMLINK, 0o777, link="../ü")),
        a_file("a/random", _RANDOM),
        PackedEntry(entry=Entry("many", DIRECTORY, 0o755)),
        *many,
        PackedEntry(entry=Entry("null", CHARACTER, 0o666, device=(1, 3))),
        PackedEntry(entry=Entry("other", HARDLINK, link="a/random")),
        PackedEntry(entry=Entry("pipe", FIFO, 0o600)),
        PackedEntry(entry=Entry("ü", FILE, 0o640, uid=1, gid=2, xattrs=_XATTRS)),
    ]


def written(image: DiskImage, entries: Sequence[PackedEntry], form: DiskImageForm = _FORM) -> bytes:
    output = io.BytesIO()
    image.write(entries, output, form)
    assert not output.closed
    return output.getvalue()


def squashfs_in(content: bytes) -> bytes:
    """Return the file system in a SIF file, or ``content`` itself.

    The offsets are those of sylabs/sif, pkg/sif: a header of 128 bytes, descriptors of 585.
    """
    if content[32:42] != b"SIF_MAGIC\0":
        return content
    assert content.startswith(b"#!/usr/bin/env run-singularity\n\0")
    assert content[42:45] == b"01\0"
    architecture = content[45:48]
    free, total, at, length, data_at, data_size = struct.unpack_from("<6q", content, 80)
    assert (free, total, length) == (total - 1, total, 585 * total)
    kind, used, number, _, linked, start, size, _ = struct.unpack_from("<i?IIIqqq", content, at)
    assert (kind, used, number, linked) == (0x4004, True, 1, 0)
    assert struct.unpack_from("<ii3s", content, at + 201) == (1, 2, architecture)
    assert start % 4096 == 0
    assert start + size == data_at + data_size == len(content)
    return content[start:]


def listed(tmp_path: Path, content: bytes) -> dict[str, tuple[str, ...]]:
    """Return the mode, owner, size or device, and link of each file by its path."""
    (tmp_path / "image").write_bytes(squashfs_in(content))
    unsquashfs = program("unsquashfs")
    shown = subprocess.run(
        [unsquashfs, "-lln", "-UTC", tmp_path / "image"], check=True, capture_output=True, text=True
    ).stdout
    pattern = r"(\S+) (\d+/\d+) +([\d, ]+) (\S+ \S+) squashfs-root/(.+?)(?: -> (.*))?"
    rows = [re.fullmatch(pattern, line) for line in shown.splitlines()]
    return {row[5]: (row[1], row[2], row[3].strip(), row[6] or "") for row in rows if row}


@pytest.mark.parametrize("architecture", ["386", "amd64", "arm", "arm64", "ppc64le", "s390x"])
def test_the_reference_library_finds_one_partition_of_its_platform(
    architecture: str, tmp_path: Path
) -> None:
    form = DiskImageForm(platform=Platform("linux", architecture), epoch=1_000_000_000)
    (tmp_path / "sif").write_bytes(written(sif(), everything(), form))

    def shown(*words: str) -> bytes:
        command = [program("siftool"), *words, str(tmp_path / "sif")]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def fields(*words: str) -> dict[str, str]:
        rows = (line.partition(":") for line in shown(*words).decode().splitlines())
        return {name.strip(): value.strip() for name, _, value in rows}

    header, descriptor = fields("header"), fields("info", "1")
    assert header["Primary Architecture"] == descriptor["Architecture"] == architecture
    assert header["Created At"] == "2001-09-09 01:46:40 +0000 UTC"
    assert (header["Descriptors Free"], header["Descriptors Total"]) == ("47", "48")
    assert (descriptor["Data Type"], descriptor["Filesystem Type"]) == ("FS", "Squashfs")
    assert descriptor["Partition Type"] == "*System"  # the primary one
    assert shown("dump", "1") == squashfs_in((tmp_path / "sif").read_bytes())


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_each_kind_of_file_is_there(
    make: Callable[[], DiskImage], compression: str, tmp_path: Path
) -> None:
    form = DiskImageForm(platform=_FORM.platform, compression=compression, epoch=_FORM.epoch)
    files = listed(tmp_path, written(make(), everything(), form))

    assert len(files) == len(everything())
    assert files["a"][:2] == ("drwxrwxrwt", "7/70000")
    assert files["a/exact"][:3] == ("-rwsr-xr-x", "0/0", "131072")
    assert files["a/link"][3] == "../ü"
    assert files["a/random"][2] == files["other"][2] == "300000"
    assert files["null"][0] == "crw-rw-rw-" and files["null"][2].split(",")[0] == "1"
    assert files["pipe"][0] == "prw-------"
    assert files["ü"][:2] == ("-rw-r-----", "1/2")


def test_contents_links_times_and_attributes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(written(squashfs(), everything()))
    root = tmp_path / "root"
    which = [] if os.geteuid() == 0 else ["-user-xattrs"]
    subprocess.run(
        [program("unsquashfs"), "-q", "-n", "-i", *which, "-d", root, tmp_path / "image",
         "a", "many", "other", "ü"],
        check=True, capture_output=True,
    )  # fmt: skip

    assert (root / "a/random").read_bytes() == _RANDOM
    assert (root / "a/exact").read_bytes() == bytes(1 << 17)
    assert (root / "a/empty").read_bytes() == b""
    assert (root / "many/0699").read_bytes() == b"699\n"
    assert (root / "other").stat().st_ino == (root / "a/random").stat().st_ino
    assert (root / "other").stat().st_mtime == 1_600_000_000
    assert os.getxattr(root / "ü", "user.a") == b"1" * 500
    if os.geteuid() == 0:
        assert os.getxattr(root / "ü", CAPABILITY) == _CAPABILITY


@pytest.mark.parametrize("make", [*MAKERS, MemoryDiskImage])
def test_equal_entries_give_equal_bytes(make: Callable[[], DiskImage]) -> None:
    assert written(make(), everything()) == written(make(), everything())
    assert written(make(), everything()) != written(make(), everything()[:-1])


@pytest.mark.parametrize("make", MAKERS)
def test_an_empty_image_and_a_deep_one_can_be_read(
    make: Callable[[], DiskImage], tmp_path: Path
) -> None:
    deep = [PackedEntry(entry=Entry("/".join("d" * n), DIRECTORY)) for n in range(1, 1200)]

    assert listed(tmp_path, written(make(), [])) == {}
    content = written(make(), deep)
    superblock = struct.unpack_from("<IIIII", squashfs_in(content))
    assert superblock[1] == 1200  # inodes; unsquashfs opens no path as long as this


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry("s", SOCKET), "kind s"),
        (Entry("ü" * 129, FILE), "too long"),
        (Entry("short", FILE, size=2), "ends early"),
        (Entry("a", FILE, uid=1 << 32), "no owner 4294967296:0"),
        (Entry("a", FILE, gid=-1), "no owner 0:-1"),
        (Entry("a", CHARACTER, device=(1 << 12, 0)), "no device 4096:0"),
        (Entry("a", CHARACTER, device=(0, 1 << 20)), "no device 0:1048576"),
        (Entry("a", SYMLINK, link="a" * 4096), "link is too long"),
        (Entry("a", FILE, xattrs=(("user." + "a" * 251, b""),)), "attribute is too long"),
    ],
)
def test_what_the_format_cannot_hold_is_named(
    make: Callable[[], DiskImage], entry: Entry, message: str
) -> None:
    with pytest.raises(NotInDiskImage, match=message):
        written(make(), [PackedEntry(entry=entry, open=lambda: io.BytesIO(b"1"))])


def test_more_owners_than_the_format_holds_are_refused() -> None:
    owners = [PackedEntry(entry=Entry(f"{n:05}", FILE, uid=n)) for n in range(1 << 16)]

    with pytest.raises(NotInDiskImage, match="65535 owners"):
        written(squashfs(), owners)
    assert listed_owners(written(squashfs(), owners[:-1])) == 65535


def listed_owners(content: bytes) -> int:
    """Return the number of ids in the superblock."""
    return int(struct.unpack_from("<H", content, 26)[0])

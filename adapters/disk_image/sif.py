"""SIF, the image format of Apptainer and Singularity (sylabs/sif, pkg/sif).

The numbers are little-endian and packed. The file has a single object: the squashfs.
"""

import struct
from collections.abc import Iterable
from typing import BinaryIO
from uuid import NAMESPACE_URL, uuid5

from img.adapters.disk_image.squashfs import Squashfs
from img.application.ports.disk_image import DiskImage, DiskImageForm
from img.application.ports.layer_archive import PackedEntry
from img.application.ports.scratch_space import ScratchSpace

_LAUNCH = b"#!/usr/bin/env run-singularity\n"
_MAGIC, _VERSION = b"SIF_MAGIC", b"01"
_ARCHITECTURES = {
    "386": b"01", "amd64": b"02", "arm": b"03", "arm64": b"04", "ppc64": b"05", "ppc64le": b"06",
    "mips": b"07", "mipsle": b"08", "mips64": b"09", "mips64le": b"10", "s390x": b"11",
    "riscv64": b"12",
}  # fmt: skip
_UNKNOWN_ARCHITECTURE = b"00"
_HEADER = "<32s10s3s3s16s8q"
_DESCRIPTOR = "<iBIII7q128s384s"
_DESCRIPTORS_AT, _DESCRIPTORS = 4096, 48
_PAGE = 4096
_PARTITION = 0x4004
_FIRST_GROUP = 0xF0000001
_SQUASHFS, _PRIMARY = 1, 2  # the file system, and the kind of partition
_NAME = b"squash"


class Sif(DiskImage):
    """A SIF file with one partition."""

    def __init__(self, scratch: ScratchSpace) -> None:
        self._squashfs = Squashfs(scratch)

    def write(self, entries: Iterable[PackedEntry], output: BinaryIO, form: DiskImageForm) -> None:
        size, chunks = self._squashfs.chunks(entries, form)
        output.write(_head(size, form))
        for chunk in chunks:
            output.write(chunk)


def _head(size: int, form: DiskImageForm) -> bytes:
    """Return all bytes before a partition of ``size`` bytes."""
    architecture = _ARCHITECTURES.get(form.platform.architecture, _UNKNOWN_ARCHITECTURE)
    length = struct.calcsize(_DESCRIPTOR) * _DESCRIPTORS
    end = _DESCRIPTORS_AT + length
    start = -(-end // _PAGE) * _PAGE  # the kernel mounts it from there
    # A fixed identifier: a random one would make two equal builds differ.
    identifier = uuid5(NAMESPACE_URL, f"img:{form.platform}:{form.epoch}:{size}").bytes
    header = struct.pack(
        _HEADER, _LAUNCH, _MAGIC, _VERSION, architecture, identifier,
        form.epoch, form.epoch, _DESCRIPTORS - 1, _DESCRIPTORS, _DESCRIPTORS_AT, length, end,
        start - end + size,
    )  # fmt: skip
    partition = struct.pack("<ii3s", _SQUASHFS, _PRIMARY, architecture)
    descriptor = struct.pack(
        _DESCRIPTOR, _PARTITION, 1, 1, _FIRST_GROUP, 0, start, size, start - end + size,
        form.epoch, form.epoch, 0, 0, _NAME, partition,
    )  # fmt: skip
    return (header.ljust(_DESCRIPTORS_AT, b"\0") + descriptor).ljust(start, b"\0")

"""The time to pack a tree of many small files: ``python -m tests.benchmarks.pack_tree``."""

import argparse
import functools
import io
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.blob_store import BlobWriter
from img.application.ports.layer_archive import PackedEntry
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from tests.benchmarks.inputs import write_tree


class FileBlob(BlobWriter):
    """A blob in one file, hashed as stores do."""

    def __init__(self, path: str) -> None:
        import hashlib

        self.path = path
        self._file = open(path, "wb")  # noqa: SIM115
        self._digest = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        self._file.close()
        return Digest("sha256", self._digest.hexdigest())

    def abort(self) -> None:
        self._file.close()


def packed_entries(root: str) -> Iterator[PackedEntry]:
    for path, entry in scan(root, ""):
        if entry.kind == FILE and entry.size:
            yield PackedEntry(entry=entry, open=functools.partial(open_raw, path))
        else:
            yield PackedEntry(entry=entry)


def open_raw(path: str) -> BinaryIO:
    return cast(BinaryIO, io.FileIO(path))


def scan(directory: str, prefix: str) -> Iterator[tuple[str, Entry]]:
    for item in sorted(os.scandir(directory), key=lambda item: item.name):
        status = item.stat(follow_symlinks=False)
        path = prefix + item.name
        if item.is_dir(follow_symlinks=False):
            yield item.path, Entry(path, DIRECTORY, 0o755, mtime=status.st_mtime_ns)
            yield from scan(item.path, f"{path}/")
        else:
            yield (
                item.path,
                Entry(path, FILE, 0o644, size=status.st_size, mtime=status.st_mtime_ns),
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=75_000)
    options.add_argument("--megabytes", type=int, default=434)
    options.add_argument("--directory", default="/dev/shm")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as work:
        root = os.path.join(work, "tree")
        write_tree(Path(root), chosen.files, chosen.megabytes * 10**6 // chosen.files)
        entries = list(packed_entries(root))
        total = sum(packed.entry.size for packed in entries)
        archive = TarLayerArchive()
        blob = FileBlob(os.path.join(work, "blob"))
        start = time.perf_counter()
        packed = archive.pack(entries, blob)
        packing = time.perf_counter() - start
        start = time.perf_counter()
        with open(blob.path, "rb") as compressed:
            diff_id, index = archive.index(compressed)
        indexing = time.perf_counter() - start
        assert (diff_id, index) == (packed.layer.diff_id, packed.index)
    size = packed.layer.descriptor.size
    print(f"{len(entries)} entries, {total / 1e6:.0f} MB -> {size / 1e6:.0f} MB")  # noqa: T201
    print(f"pack {packing:.2f} s, index {indexing:.2f} s")  # noqa: T201
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")  # noqa: T201


if __name__ == "__main__":
    main()

"""Blobs as files."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from img.adapters.blob_store.checked_file import checked_file
from img.adapters.blob_store.incoming import incoming_file, remove_parts
from img.adapters.blob_store.trash import Trash
from img.adapters.linux.buffers import CHUNK
from img.adapters.linux.regular_files import open_regular
from img.adapters.storage.atomic_file import NewFile, raise_state_error, sync_directory
from img.adapters.storage.own_files import PRIVATE_MODE, is_at
from img.application.ports.blob_store import (
    BlobFacts,
    BlobMismatch,
    BlobNotFound,
    BlobStore,
    BlobTrash,
    BlobWriter,
    IncomingBlob,
    Waiting,
)
from img.domain.digest import Digest, InvalidDigest

_HELD = 1 << 16  # bytes of a new blob that are held in memory before a file is created


class FileBlobStore(BlobStore, BlobTrash):
    """Blobs as ``root/blobs/<algorithm>/<hex>`` (image-spec image-layout.md, "Blobs").

    A blob appears when it is complete: see NewFile. Downloads are in ``root/incoming`` until then.
    A blob that is marked for deletion is in ``root/trash``.
    """

    def __init__(
        self, root: Path, *, trash: str = "trash", directory_mode: int = PRIVATE_MODE
    ) -> None:
        self._directory_mode = directory_mode  # of blobs
        self._blobs = root / "blobs"
        self._temp_dir = root / "tmp"
        self._incoming = root / "incoming"
        self._trash = Trash(str(root / trash))

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return self._opened(digest)
        except FileNotFoundError:
            raise BlobNotFound(digest) from None
        except OSError as error:
            raise_state_error(error, self._path(digest))

    def _opened(self, digest: Digest) -> BinaryIO:
        try:
            return checked_file(self._path(digest), digest)
        except FileNotFoundError:
            if path := self._trash.find(digest):
                with contextlib.suppress(FileNotFoundError):
                    return checked_file(path, digest)
            # Otherwise it may just have been restored.
            return checked_file(self._path(digest), digest)

    def writer(self) -> "FileBlobWriter":
        return FileBlobWriter(self._blobs, self._temp_dir, directory_mode=self._directory_mode)

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        folder = str(self._incoming)
        target = self._path(digest)
        with incoming_file(folder, digest, target, waiting, self._directory_mode) as blob:
            yield blob

    def forget_incoming(self) -> None:
        remove_parts(str(self._incoming))

    def size(self, digest: Digest) -> int | None:
        try:
            return os.stat(self._path(digest)).st_size
        except OSError:
            return self._restored(digest)

    def _restored(self, digest: Digest) -> int | None:
        try:
            if path := self._trash.find(digest):
                with contextlib.suppress(FileNotFoundError):  # another process did it
                    os.rename(path, self._path(digest))
                return os.stat(self._path(digest)).st_size
        except OSError:
            pass
        return None

    def digests(self) -> Iterator[Digest]:
        for algorithm in _names_in(str(self._blobs)):
            for encoded in _names_in(str(self._blobs / algorithm)):
                try:
                    yield Digest.parse(f"{algorithm}:{encoded}")
                except InvalidDigest:
                    continue  # not created by img

    def remove(self, digest: Digest) -> None:
        try:
            os.unlink(self._path(digest))
        except FileNotFoundError:
            return
        except OSError as error:
            raise_state_error(error, self._path(digest))

    def facts(self, digest: Digest) -> BlobFacts | None:
        try:
            status = os.stat(self._path(digest))
        except OSError:
            try:
                status = os.stat(self._trash.find(digest) or "")
            except OSError:
                return None
        return BlobFacts(
            room=status.st_blocks * 512, stored=status.st_mtime, ours=self._is_ours(digest)
        )

    def _is_ours(self, _digest: Digest) -> bool:
        return True

    def mark_for_deletion(self, digest: Digest, generation: int) -> None:
        try:
            self._trash.put(self._path(digest), digest, generation)
        except OSError as error:
            raise_state_error(error, self._path(digest))

    def marked_for_deletion(self) -> Iterator[tuple[int, Digest]]:
        for generation in self._trash.generations():
            for digest in self._trash.digests(generation):
                yield generation, digest

    def sweep(self, generation: int) -> None:
        try:
            self._trash.empty(generation)
        except OSError as error:
            raise_state_error(error, str(self._blobs))

    def claim(self, digests: Iterable[Digest]) -> None:
        pass  # all blobs belong to img

    def _path(self, digest: Digest) -> str:
        return f"{self._blobs}/{digest.algorithm}/{digest.encoded}"


class FileBlobWriter(BlobWriter):
    """A new blob, hashed while it is written.

    A small one gets a file only if the store does not have its bytes: steps that change nothing
    have the same layer, and builds of the same content the same config and manifest.
    """

    def __init__(
        self,
        blobs: Path,
        temp_dir: Path,
        announce: Callable[[Digest], None] | None = None,
        directory_mode: int = PRIVATE_MODE,
    ) -> None:
        self._directory_mode = directory_mode
        self._blobs = blobs
        self._temp_dir = temp_dir
        self._announce = announce
        self._held = bytearray()  # the content until there is a file
        self._file: NewFile | None = None
        self._hash = hashlib.sha256()

    def _new_file(self, algorithm: str) -> NewFile:
        directory = str(self._blobs / algorithm)
        return NewFile(directory, str(self._temp_dir), directory_mode=self._directory_mode)

    def _own_file(self) -> NewFile:
        """Return the file with all content so far."""
        if self._file is None:
            self._file = self._new_file("sha256")
            self._file.write(self._held)
        return self._file

    def write(self, data: bytes | memoryview) -> int:
        self._hash.update(data)
        size = memoryview(data).nbytes
        if self._file is None and len(self._held) + size <= _HELD:
            self._held += data
            return size
        return self._own_file().write(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        try:
            digest = Digest("sha256", self._hash.hexdigest())
            if expected is not None and expected.algorithm != digest.algorithm:
                return self._commit_other(expected)
            if expected not in (None, digest):
                raise BlobMismatch(expected, digest)
            if self._announce:
                self._announce(digest)
            if not self._is_stored(digest):
                self._own_file().replace(digest.encoded)
            return digest
        finally:
            self.abort()

    def abort(self) -> None:
        if self._file is not None:
            self._file.discard()

    def _is_stored(self, digest: Digest) -> bool:
        """Return whether the store has the same bytes, durably; then their age begins anew."""
        if self._file is not None:
            return False
        directory = self._blobs / digest.algorithm
        path = str(directory / digest.encoded)
        try:
            descriptor = open_regular(path)
            try:
                if os.pread(descriptor, len(self._held) + 1, 0) != self._held:
                    return False
                os.fdatasync(descriptor)  # another tool may have written it
                os.utime(descriptor)
                if not is_at(path, descriptor):  # another process removed it
                    return False
            finally:
                os.close(descriptor)
            sync_directory(str(directory))
        except OSError:  # there is none, or it is not ours
            return False
        return True

    def _commit_other(self, expected: Digest) -> Digest:
        """Store the blob under a digest of another algorithm, which a manifest uses."""
        file = self._new_file(expected.algorithm)
        try:
            actual_hash = expected.new_hash()
            offset = 0
            while chunk := os.pread(self._own_file().descriptor, CHUNK, offset):
                offset += file.write(chunk)
                actual_hash.update(chunk)
            actual = Digest(expected.algorithm, actual_hash.hexdigest())
            if actual != expected:
                raise BlobMismatch(expected, actual)
            if self._announce:
                self._announce(expected)
            file.replace(expected.encoded)
            return expected
        except OSError as error:
            raise_state_error(error, str(self._blobs))
        finally:
            file.discard()


def _names_in(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return []
        raise_state_error(error, directory)

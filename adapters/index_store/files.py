"""Indexes as files."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from img.adapters.storage.atomic_file import raise_state_error, write_file
from img.application.ports.index_store import IndexStore
from img.domain.digest import Digest, InvalidDigest
from img.domain.filesystem.file_index import CorruptFileIndex, FileIndex, members_from
from img.domain.oci.chain import DiffID

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable

_ALGORITHMS = {64: "sha256", 96: "sha384", 128: "sha512"}  # by hex digits


class FileIndexStore(IndexStore):
    """Indexes as ``root/indexes/<hex of the DiffID>``."""

    def __init__(self, root: Path) -> None:
        self._directory = str(root / "indexes")
        self._temp_dir = str(root / "tmp")

    def get(self, diff_id: DiffID) -> FileIndex | None:
        content = self._content(diff_id)
        try:
            return None if content is None else FileIndex.decode(content)
        except CorruptFileIndex:
            return None

    def members(self, diff_id: DiffID) -> "MemberTable | None":
        try:
            with open(self._path(diff_id), "rb") as file:
                return members_from(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise_state_error(error, self._path(diff_id))

    def put(self, diff_id: DiffID, index: FileIndex) -> None:
        if not self._holds(diff_id, index):
            write_file(self._directory, diff_id.encoded, index.encoded(), self._temp_dir)

    def diff_ids(self) -> Iterator[DiffID]:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise_state_error(error, self._directory)
        for name in names:
            try:
                yield DiffID(Digest(_ALGORITHMS.get(len(name), ""), name))
            except InvalidDigest:
                continue  # not created by img

    def size(self, diff_id: DiffID) -> int:
        try:
            return os.stat(self._path(diff_id)).st_blocks * 512
        except OSError:
            return 0

    def remove(self, diff_id: DiffID) -> None:
        try:
            os.unlink(self._path(diff_id))
        except FileNotFoundError:
            return
        except OSError as error:
            raise_state_error(error, self._path(diff_id))

    def _holds(self, diff_id: DiffID, index: FileIndex) -> bool:
        try:
            with open(self._path(diff_id), "rb") as file:
                same = all(file.read(len(part)) == part for part in index.encoded())
                return same and not file.read(1)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise_state_error(error, self._path(diff_id))

    def _content(self, diff_id: DiffID) -> bytes | None:
        try:
            with open(self._path(diff_id), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise_state_error(error, self._path(diff_id))

    def _path(self, diff_id: DiffID) -> str:
        return f"{self._directory}/{diff_id.encoded}"

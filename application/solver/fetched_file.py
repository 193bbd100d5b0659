"""A downloaded file as a build context."""

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from img.application.ports.blob_store import BlobStore
from img.application.ports.build_context import LARGEST_DOCKERFILE, BuildContext, FileTooLarge
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.tree import FileTree

_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile(BuildContext):
    """One file of root, mode 0600, with a blob as its content (BuildKit source/http, "save")."""

    blobs: BlobStore
    name: FileName
    blob: Digest
    size: int  # bytes
    modified: int  # seconds since 1970

    def fingerprint(self) -> str | None:
        return f"{self.name}\0{self.blob}\0{self.modified}"

    def tree(self) -> FileTree:
        file = Entry(
            str(self.name),
            FILE,
            0o600,
            size=self.size,
            mtime=self.modified * _SECOND,
            digest=self.blob.encoded,
        )
        return FileTree.of_files([Entry("", DIRECTORY, 0o755), file])

    def open(self, path: str) -> BinaryIO:
        return self.blobs.open(self.blob)

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        return dict.fromkeys(paths, self.blob.encoded)

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        pass

    def read_file(self, path: str) -> bytes | None:
        if path != self.name:
            return None
        if self.size > LARGEST_DOCKERFILE:
            raise FileTooLarge(path)
        with self.open(path) as content:
            return content.read()

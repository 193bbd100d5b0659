"""Sources of the files of a COPY."""

import contextlib
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.build_context import BuildContext
from img.application.ports.layer_archive import InvalidLayer
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import Layer

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable

_CHUNK = 1 << 20


class Source(Protocol):
    """A tree of files and their contents."""

    @abstractmethod
    def tree(self) -> FileTree:
        """Return the files; digests may be missing before ``learn``."""

    @abstractmethod
    def key(self) -> Digest | None:
        """Return the definition key of the source, None for a build context."""

    def place(self) -> str | None:
        """Return a name of the source that later versions of it have too, None if there is none."""
        return None

    @property
    def is_context(self) -> bool:
        """True for a build context."""
        return False

    @abstractmethod
    def dated(self) -> bool:
        """Return whether the times of the files are part of their content."""

    @abstractmethod
    def learn(self, paths: Iterable[str]) -> Mapping[str, str]:
        """Return digests of files that ``tree`` has without one."""

    @abstractmethod
    def packed(self, digests: Iterable[tuple[str, str]]) -> None:
        """Store digests, by path, that were computed while the files were packed."""

    @abstractmethod
    def contents(self, paths: Iterable[str]) -> Callable[[str], BinaryIO]:
        """Return a function that opens each of ``paths``, in any order, once."""


@dataclass(frozen=True, slots=True)
class ContextSource(Source):
    """A build context."""

    context: BuildContext

    @property
    def is_context(self) -> bool:
        return True

    def tree(self) -> FileTree:
        return self.context.tree()

    def key(self) -> Digest | None:
        return None

    def place(self) -> str | None:
        return self.context.place()

    def dated(self) -> bool:
        return False

    def learn(self, paths: Iterable[str]) -> Mapping[str, str]:
        digests = self.context.read_digests(paths)
        self.context.remember(digests.items())
        return digests

    def packed(self, digests: Iterable[tuple[str, str]]) -> None:
        self.context.remember(digests)

    def contents(self, paths: Iterable[str]) -> Callable[[str], BinaryIO]:
        return self.context.open


@dataclass(frozen=True, slots=True)
class StackSource(Source):
    """A stage or an image; contents are read from the blobs of the layers."""

    stack: Stack
    trees: Trees
    scratch: ScratchSpace

    def tree(self) -> FileTree:
        return self.trees.of(self.stack.layers)

    def key(self) -> Digest | None:
        return self.stack.key

    def dated(self) -> bool:
        return self.stack.dated

    def learn(self, paths: Iterable[str]) -> Mapping[str, str]:
        return {}

    def packed(self, digests: Iterable[tuple[str, str]]) -> None:
        pass

    def contents(self, paths: Iterable[str]) -> Callable[[str], BinaryIO]:
        """Copy the contents from the layers into scratch files, in one pass over each layer."""
        tree = self.tree()
        wanted: dict[int, dict[int, Entry]] = {}
        for path in paths:
            entry = tree.get(path)
            assert entry is not None
            wanted.setdefault(tree.layer_of(path), {})[entry.offset] = entry
        self.trees.layers.bring([self.stack.layers[depth] for depth in wanted])
        spools = {depth: self._spool(depth, offsets) for depth, offsets in sorted(wanted.items())}

        def open_file(path: str) -> BinaryIO:
            entry = tree.get(path)
            assert entry is not None
            return spools[tree.layer_of(path)].open(entry.offset, entry.size)

        return open_file

    def _spool(self, depth: int, wanted: Mapping[int, Entry]) -> "Spool":
        layer = self.stack.layers[depth]
        members = self.trees.members_of(layer)
        if members is not None:
            # The table may be wrong, and the blob sound.
            with contextlib.suppress(BlobDamaged, InvalidLayer):
                return self._spooled(layer, wanted, members)
        return self._spooled(layer, wanted, None)

    def _spooled(
        self, layer: Layer, wanted: Mapping[int, Entry], members: "MemberTable | None"
    ) -> "Spool":
        spool = Spool(self.scratch.new())
        sizes = {offset: entry.size for offset, entry in wanted.items()}
        with self.trees.layers.open(layer) as blob:
            for offset, content in self.trees.archive.contents(blob, sizes, members):
                # The blob is not read to its end, so its digest is not verified.
                if spool.add(offset, content) != wanted[offset].digest:
                    raise BlobDamaged(layer.descriptor.digest)
        return spool


class NoSource(Source):
    """No files, for a COPY of here-documents."""

    def tree(self) -> FileTree:
        return FileTree()

    def key(self) -> Digest | None:
        return None

    def dated(self) -> bool:
        return False

    def learn(self, paths: Iterable[str]) -> Mapping[str, str]:
        return {}

    def packed(self, digests: Iterable[tuple[str, str]]) -> None:
        pass

    def contents(self, paths: Iterable[str]) -> Callable[[str], BinaryIO]:
        return _nothing


@dataclass(slots=True)
class Spool:
    """Contents in one scratch file, each with a number."""

    _file: BinaryIO
    _places: dict[int, int] = field(default_factory=dict)
    _end: int = 0

    def add(self, number: int, content: BinaryIO) -> str:
        """Append ``content`` and return its sha256."""
        self._places[number] = self._end
        digest = hashlib.sha256()
        while chunk := content.read(_CHUNK):
            self._file.write(chunk)
            digest.update(chunk)
            self._end += len(chunk)
        return digest.hexdigest()

    def open(self, number: int, size: int) -> BinaryIO:
        """Return the first ``size`` bytes of the content ``number``.

        One reader at a time: all use the position of the scratch file.
        """
        self._file.seek(self._places[number])
        return _Slice(self._file, size)  # type: ignore[return-value]


@dataclass(slots=True)
class _Slice:
    """The next bytes of a file as a stream."""

    _file: BinaryIO
    _left: int

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        pass

    def __enter__(self) -> "_Slice":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _nothing(path: str) -> BinaryIO:
    raise FileNotFoundError(path)

"""Built files as an output, without an image."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from img.application.layers.trees import Trees
from img.application.outputs.solved import Solved, is_multi_platform
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.ports.output_files import OutputFiles
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.results import Stack
from img.application.solver.sources import StackSource
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.rootfs import (
    creatable,
    files_in,
    in_order_of_making,
    moved_below,
    moved_from,
    without_privileges,
)
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import Layer
from img.domain.outputs import FilesOutput

if TYPE_CHECKING:
    from img.domain.attestations.statement import Statement

_SECOND = 10**9
_NO_KEY = Digest.of(b"")  # not a key of the cache


class FilesOverlap(ImgError):
    """Two platforms have a file with the same name in one output."""

    def __init__(self, path: str, first: str, second: str) -> None:
        super().__init__(
            f"cannot overwrite {path} from {first} with {second} when split option is disabled",
            hint="leave platform-split=false out",
        )
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """The folder for the files of one platform, "" for the place itself, and their time."""

    layers: tuple[Layer, ...]
    name: str = ""
    epoch: int | None = None  # seconds
    stated: tuple[PackedEntry, ...] = ()  # files with statements about the others

    def renamed(self, entry: Entry) -> Entry:
        moved = moved_below(self.name, entry)
        return moved if self.epoch is None else moved._replace(mtime=self.epoch * _SECOND)

    @property
    def itself(self) -> list[Entry]:
        if not self.name:
            return []
        return [Entry(self.name, DIRECTORY, 0o755, mtime=(self.epoch or 0) * _SECOND)]

    def entries(self, tree: FileTree) -> Iterator[Entry]:
        return files_in(tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part(_Folder):
    """The files at ``top``, which is called ``name`` in the output; "": what is below ``top``."""

    top: str

    def renamed(self, entry: Entry) -> Entry:
        return moved_from(self.top, self.name, entry)

    @property
    def itself(self) -> list[Entry]:
        return []

    def entries(self, tree: FileTree) -> Iterator[Entry]:
        for entry in files_in(tree, self.top):
            if self.name or entry.path != self.top:
                yield entry


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFiles:
    """Files from the blobs of layers, written without unpacking or mounting the layers."""

    archive: LayerArchive
    trees: Trees
    scratch: ScratchSpace
    places: OutputFiles

    def __call__(
        self,
        output: FilesOutput,
        built: Sequence[Solved],
        stated: Sequence[Sequence["Statement"]] = (),
    ) -> None:
        """Write a tar file or a directory, with files of the statements about each platform.

        Raises FilesOverlap, OutputNotWritten, UnpackRefused, BlobNotFound.
        """
        folders = [_folder(output, each, split=_is_split(output, built)) for each in built]
        if len(folders) > 1 and not folders[0].name:
            self._check_overlap(built)
        if any(stated):
            from img.application.outputs.stated_files import with_statements  # few builds have them

            folders = [
                replace(folder, stated=with_statements(self.trees, output, one, folder.name, each))
                for folder, one, each in zip(folders, built, stated, strict=True)
            ]
        if output.tar:
            with self.places.file(output.destination) as file:
                self.archive.write_tar(self._in_order(folders), file)
            return
        with self.places.directory(output.destination, delete=output.delete) as directory:
            for folder in folders:
                entries = map(without_privileges, files_in(self.trees.of(folder.layers)))
                self._make(folder, entries, directory, owners=False)

    def unpack(
        self,
        layers: tuple[Layer, ...],
        entries: Iterable[Entry],
        directory: str,
        *,
        owners: bool,
    ) -> None:
        """Create ``entries`` of the tree of ``layers`` in ``directory``. Raises UnpackRefused."""
        self._make(_Folder(layers=layers), entries, directory, owners=owners)

    def copy(
        self, layers: tuple[Layer, ...], top: str, directory: str, name: str, *, owners: bool
    ) -> list[str]:
        """Create the file or directory ``top`` of ``layers`` as ``name`` in ``directory``.

        Without a name, the files in ``top`` are created there. Files of the same names are
        replaced, directories are merged. Return the devices that were left out, which need
        ``owners``. Raises UnpackRefused, OutputNotWritten.
        """
        part = _Part(layers=layers, top=top, name=name)
        entries, left_out = creatable(part.entries(self.trees.of(layers)), owners=owners)
        with self.places.directory(directory, same_kinds=True) as draft:
            self._make(part, entries, draft, owners=owners)
        return left_out

    def copy_as_tar(self, layers: tuple[Layer, ...], top: str, path: str, name: str) -> None:
        """Write the same to a tar file. Raises OutputNotWritten."""
        with self.places.file(path) as file:
            self.archive.write_tar(self._in_order([_Part(layers=layers, top=top, name=name)]), file)

    def _make(
        self, folder: _Folder, entries: Iterable[Entry], directory: str, *, owners: bool
    ) -> None:
        empty, filled, links = in_order_of_making(entries)

        def packed() -> Iterator[PackedEntry]:
            for entry in folder.itself:
                yield PackedEntry(entry=entry)
            for entry in empty:
                yield PackedEntry(entry=folder.renamed(entry))
            yield from self._by_layer(folder, filled)
            for entry in links:
                yield PackedEntry(entry=folder.renamed(entry))
            yield from folder.stated

        self.archive.write_files(packed(), directory, owners=owners)

    def _by_layer(self, folder: _Folder, files: Iterable[Entry]) -> Iterator[PackedEntry]:
        """Yield files in the order of one pass over each layer."""
        layers = folder.layers
        tree = self.trees.of(layers)
        wanted: dict[int, dict[int, Entry]] = {}
        for entry in files:
            wanted.setdefault(tree.layer_of(entry.path), {})[entry.offset] = entry
        for depth, entries in sorted(wanted.items()):
            sizes = {offset: entry.size for offset, entry in entries.items()}
            with self.trees.layers.open(layers[depth]) as blob:
                for offset, content in self.archive.contents(blob, sizes):
                    entry = folder.renamed(entries[offset])
                    yield PackedEntry.opened(entry, content)

    def _in_order(self, folders: Sequence[_Folder]) -> Iterator[PackedEntry]:
        """Yield all files in the order of their paths, as usual in tar files."""
        made: set[str] = set()
        for folder in folders:
            for entry in folder.itself:
                yield PackedEntry(entry=entry)
            tree = self.trees.of(folder.layers)
            entries = list(folder.entries(tree))
            filled = [e.path for e in entries if e.kind == FILE and e.size]
            source = StackSource(Stack(key=_NO_KEY, layers=folder.layers), self.trees, self.scratch)
            opened = source.contents(filled)
            for entry in entries:
                renamed = folder.renamed(entry)
                if renamed.path not in made:  # else a directory of several platforms
                    yield PackedEntry(entry=renamed, open=partial(opened, entry.path))
                if entry.kind == DIRECTORY:
                    made.add(renamed.path)
            yield from folder.stated

    def _check_overlap(self, built: Sequence[Solved]) -> None:
        owner: dict[str, str] = {}
        for each in built:
            name = str(each.platform)
            for entry in files_in(self.trees.of(each.stack.layers)):
                if entry.kind == DIRECTORY:
                    continue
                if entry.path in owner:
                    raise FilesOverlap(entry.path, owner[entry.path], name)
                owner[entry.path] = name


def _is_split(output: FilesOutput, built: Sequence[Solved]) -> bool:
    return is_multi_platform(built) if output.platform_split is None else output.platform_split


def _folder(output: FilesOutput, built: Solved, *, split: bool) -> _Folder:
    return _Folder(
        layers=built.stack.layers,
        name=str(FileName(str(built.platform).replace("/", "_"))) if split else "",
        epoch=built.epoch if output.epoch is None else output.epoch,
    )

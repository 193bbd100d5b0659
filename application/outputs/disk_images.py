"""The files of an image as a file system in one file."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO

from img.application.layers.trees import Trees
from img.application.outputs.solved import Solved, is_multi_platform
from img.application.ports.disk_image import DiskImage, DiskImageForm
from img.application.ports.layer_archive import PackedEntry
from img.application.ports.output_files import OutputFiles
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.results import Stack
from img.application.solver.sources import StackSource
from img.domain.apptainer import FOLDER, missing_places, runtime_files
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.paths import parent
from img.domain.filesystem.rootfs import files_in
from img.domain.oci.chain import Layer
from img.domain.outputs import DiskImageOutput

_SECOND = 10**9
_NO_KEY = Digest.of(b"")  # not a key of the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDiskImage:
    """A disk image of the blobs of layers, without unpacking or mounting the layers."""

    formats: Mapping[str, Callable[[], DiskImage]]
    trees: Trees
    scratch: ScratchSpace
    places: OutputFiles

    def __call__(self, output: DiskImageOutput, built: Sequence[Solved]) -> None:
        """Write the file. Raises UsageError, OutputNotWritten, NotInDiskImage, BlobNotFound."""
        if is_multi_platform(built):
            raise UsageError(
                f"type={output.format} holds one platform", hint="build one --platform at a time"
            )
        (one,) = built
        epoch = one.epoch if output.epoch is None else output.epoch
        form = DiskImageForm(
            platform=one.plan.config.platform, compression=output.compression, epoch=epoch or 0
        )
        if output.format == "sif":
            # Its own files for Apptainer are left out, but not other names of those files.
            entries = _with_runtime_files(self._files(one.stack.layers, without=FOLDER), one)
        else:
            entries = self._files(one.stack.layers)
        with self.places.file(output.destination) as file:
            self.formats[output.format]().write(_at(epoch, entries), file, form)

    def _files(self, layers: tuple[Layer, ...], *, without: str = "") -> list[PackedEntry]:
        entries = list(files_in(self.trees.of(layers), without=without))
        filled = [entry.path for entry in entries if entry.kind == FILE and entry.size]
        source = StackSource(Stack(key=_NO_KEY, layers=layers), self.trees, self.scratch)
        opened = source.contents(filled)
        return [PackedEntry(entry=each, open=partial(opened, each.path)) for each in entries]


def _with_runtime_files(entries: list[PackedEntry], built: Solved) -> list[PackedEntry]:
    """Return ``entries``, which have no FOLDER, with what Apptainer needs."""
    own = [
        PackedEntry(entry=entry, open=partial(BytesIO, content))
        for entry, content in runtime_files(built.plan.config.run)
    ]
    places = frozenset(each.entry.path for each in entries)
    links = frozenset(each.entry.path for each in entries if each.entry.kind != DIRECTORY)
    own += [
        PackedEntry(entry=entry)
        for entry in missing_places(places)
        if parent(entry.path) not in links  # /var may be a link
    ]
    own.sort(key=_in_order)
    return list(heapq.merge(entries, own, key=_in_order))


def _in_order(packed: PackedEntry) -> list[str]:
    return packed.entry.path.split("/")


def _at(epoch: int | None, entries: list[PackedEntry]) -> Iterator[PackedEntry]:
    for packed in entries:
        entry: Entry = packed.entry
        if epoch is not None:
            entry = entry._replace(mtime=epoch * _SECOND)
        yield PackedEntry(entry=entry, open=packed.open)

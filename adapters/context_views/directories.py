"""Views of contexts in the state directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path

from img.adapters.context_views.listing import (
    Listing,
    decode,
    encode,
    listing_of,
    size_in,
    unchanged,
)
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.own_files import Lock, make_directories
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, remove_tree
from img.application.ports.cache_mounts import KeptDirectory
from img.application.ports.context_views import ContextViews
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.domain.dataclass import dataclass
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.process import DirectoryRoot

_MOST = 4  # views that are kept: of several contexts, or of alternating states of one
_FEW = 64  # files that are always copied: looking for a view costs as much
_LITTLE = 1 << 20  # bytes, for the same reason
_LONGEST_SIZE = 32  # characters
_WORK = "work"


@dataclass(frozen=True, slots=True)
class _View:
    """A directory with its listing; its users hold a shared lock on it."""

    path: str
    listing: Listing

    @property
    def files(self) -> str:
        return f"{self.path}/files"


class DirectoryContextViews(ContextViews):
    """Directories ``root/<random>/files``, each with a ``listing`` of its content beside it.

    Files are never written in place, so that views share them by hard links; the user's own files
    are copied. A view without a listing is incomplete. As with snapshots, views are not synced. The
    directory's own mtime is the time of its last use.

    If a mount does not keep steps from writing (``sharing`` is false) each gets a private one.
    Those in ``others`` have other ids: they are listed and removed, and not used.
    """

    def __init__(
        self,
        root: Path,
        archive: LayerArchive,
        *,
        sharing: bool = True,
        others: Sequence[Path] = (),
    ) -> None:
        self._root = os.fspath(root)
        self._others = [os.fspath(other) for other in others]
        self._archive = archive
        self._sharing = sharing

    def shared(self, files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        few = len(files) <= _FEW and sum(each.entry.size for each in files) <= _LITTLE
        return self.private(files) if few or not self._sharing else self._kept_view(files)

    @contextmanager
    def _kept_view(self, files: Sequence[PackedEntry]) -> Iterator[DirectoryRoot]:
        try:
            make_directories(f"{self._root}/{_WORK}")
            with Lock(f"{self._root}/lock"):
                view = self._wanted(files)
                held = _held(view.path, fcntl.LOCK_SH)
                os.utime(view.path)
                self._forget_old_ones()
        except OSError as error:
            raise_state_error(error, self._root)
        try:
            yield DirectoryRoot(path=view.files)
        finally:
            os.close(held)

    @contextmanager
    def private(self, files: Sequence[PackedEntry]) -> Iterator[DirectoryRoot]:
        try:
            make_directories(f"{self._root}/{_WORK}")
            directory = WorkDirectory.create(f"{self._root}/{_WORK}")
        except OSError as error:
            raise_state_error(error, self._root)
        try:
            try:
                os.mkdir(f"{directory.path}/files")
                self._write(files, f"{directory.path}/files")
            except OSError as error:
                raise_state_error(error, self._root)
            yield DirectoryRoot(path=f"{directory.path}/files")
        finally:
            directory.remove()

    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        found = []
        for path in self._places():  # also incomplete ones of killed processes
            # It may have been removed just now; a directory that may not be read is not img's.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                known = None if measured else _listed_size(path)
                size = bytes_below(path) if known is None else known
                used = os.stat(path).st_mtime
                id_, in_use = os.path.basename(path), not _is_free(path)
                found.append(KeptDirectory(id=id_, name="", size=size, used=used, in_use=in_use))
        return found

    def remove(self, id_: str) -> bool:
        for path in self._places():
            if os.path.basename(path) == id_:
                # Otherwise it might be removed between being chosen and being locked.
                with Lock(f"{os.path.dirname(path)}/lock"):
                    return _remove(path)
        return False

    def _wanted(self, files: Sequence[PackedEntry]) -> _View:
        """Return a view of ``files``: an equal one, an updated similar one, or a new one."""
        listing = listing_of(each.entry for each in files)
        views = self._views()
        for view in views:
            if view.listing == listing:
                return view
        nearest = max(views, key=lambda view: len(unchanged(listing, view.listing)), default=None)
        if nearest is None or not unchanged(listing, nearest.listing):
            return self._new(files, listing, None)
        if (claimed := WorkDirectory.claim(nearest.path)) is None:
            return self._new(files, listing, nearest)
        try:
            return self._updated(nearest, files, listing)
        finally:
            claimed.release()

    def _updated(self, view: _View, files: Sequence[PackedEntry], listing: Listing) -> _View:
        kept = unchanged(listing, view.listing)
        os.unlink(f"{view.path}/listing")
        with _opened(view.files) as at:
            for path, entry in sorted(view.listing.items(), reverse=True):  # children come first
                if entry.kind != DIRECTORY:
                    if path not in kept:
                        os.unlink(path, dir_fd=at)
                elif path and (path not in listing or listing[path].kind != DIRECTORY):
                    os.rmdir(path, dir_fd=at)
        return self._filled(view.path, files, listing, kept)

    def _new(self, files: Sequence[PackedEntry], listing: Listing, like: _View | None) -> _View:
        """Return a new view; unchanged files of ``like``, which is in use, are linked."""
        path = f"{self._root}/{os.urandom(8).hex()}"
        make_directories(f"{path}/files")
        same = set() if like is None else unchanged(listing, like.listing)
        if like is not None:
            _link_all(same, like.files, f"{path}/files")
        return self._filled(path, files, listing, same)

    def _filled(
        self, path: str, files: Sequence[PackedEntry], listing: Listing, kept: set[str]
    ) -> _View:
        changed = [each for each in files if each.entry.path not in kept]
        try:
            self._write(changed, f"{path}/files")
        except BaseException:
            remove_tree(path)
            raise
        with open(f"{path}/listing", "w", encoding="ascii") as file:
            file.write(encode(listing))
        return _View(path, listing)

    def _write(self, files: Iterable[PackedEntry], directory: str) -> None:
        root = PackedEntry(entry=Entry("", DIRECTORY, 0o755))
        self._archive.write_files(chain([root], files), directory, owners=False)

    def _views(self) -> list[_View]:
        """Return the complete views, the last used first."""
        found = []
        for path in _paths_in(self._root):
            with contextlib.suppress(OSError):
                with open(f"{path}/listing", encoding="ascii") as file:
                    listing = decode(file.read())
                if listing is not None:
                    found.append((os.stat(path).st_mtime_ns, _View(path, listing)))
        return [view for _, view in sorted(found, key=lambda each: each[0], reverse=True)]

    def _forget_old_ones(self) -> None:
        good = [view.path for view in self._views()[:_MOST]]
        for path in _paths_in(self._root):
            if path not in good:
                _remove(path)

    def _places(self) -> Iterator[str]:
        return (path for root in (self._root, *self._others) for path in _paths_in(root))


def _paths_in(root: str) -> list[str]:
    try:
        names = sorted(os.listdir(root))
    except (FileNotFoundError, PermissionError):
        return []
    return [f"{root}/{name}" for name in names if name not in (_WORK, "lock")]


def _remove(path: str) -> bool:
    claimed = WorkDirectory.claim(path)
    if claimed is None:
        return False
    work = f"{os.path.dirname(path)}/{_WORK}"
    make_directories(work)
    claimed.move(f"{work}/{os.urandom(8).hex()}")
    claimed.remove()
    return True


def _link_all(wanted: Iterable[str], source: str, target: str) -> None:
    made: set[str] = set()
    with _opened(source) as old, _opened(target) as new:
        for path in sorted(wanted):
            for directory in paths.ancestors(path):
                if directory not in made:
                    os.mkdir(directory, dir_fd=new)
                    made.add(directory)
            os.link(path, path, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


@contextmanager
def _opened(directory: str) -> Iterator[int]:
    """Enter with a descriptor: paths below it may have the kernel's full length."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _held(path: str, how: int) -> int:
    """Return a descriptor of the directory, locked."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, how)
    return descriptor


def _is_free(path: str) -> bool:
    if (claimed := WorkDirectory.claim(path)) is None:
        return False
    claimed.release()
    return True


def _listed_size(path: str) -> int | None:
    """Return the size of a view from its listing, None without one."""
    try:
        with open(f"{path}/listing", encoding="ascii") as file:
            return size_in(file.readline(_LONGEST_SIZE))
    except (OSError, ValueError):
        return None

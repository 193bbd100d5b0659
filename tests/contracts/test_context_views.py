"""The contract of views of build contexts."""

import os
import stat
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.adapters.context_views import directories
from img.adapters.context_views.directories import DirectoryContextViews
from img.adapters.context_views.listing import decode, encode, listing_of
from img.adapters.context_views.memory import MemoryContextViews
from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.context_views import ContextViews
from img.application.ports.layer_archive import PackedEntry
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from img.testing.context_views import SECOND, ContextViewsContract, a_file, an_entry
from tests.support.host.machine import ownership


def looked_at(root: str) -> dict[str, tuple[str, int, int, str]]:
    """Return kind, mode, mtime in seconds and content of all below ``root``, by path."""
    found = {}
    for directory, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = f"{directory}/{name}"
            status = os.lstat(path)
            kind, text = FILE, ""
            if stat.S_ISLNK(status.st_mode):
                kind, text = SYMLINK, os.readlink(path)
            elif stat.S_ISDIR(status.st_mode):
                kind = DIRECTORY
            elif stat.S_ISFIFO(status.st_mode):
                kind = FIFO
            else:
                text = Path(path).read_text()
            mode = 0 if kind == SYMLINK else stat.S_IMODE(status.st_mode)
            found[os.path.relpath(path, root)] = (kind, mode, int(status.st_mtime), text)
    return found


def wanted(files: Iterable[PackedEntry]) -> dict[str, tuple[str, int, int, str]]:
    """Return the expected result of ``looked_at``."""
    found: dict[str, tuple[str, int, int, str]] = {}
    for each in files:
        entry = each.entry
        text = each.open().read().decode() if each.open else entry.link
        mode = 0 if entry.kind == SYMLINK else entry.mode
        found[entry.path] = (entry.kind, mode, entry.mtime // SECOND, text)
        if entry.kind == HARDLINK:
            found[entry.path] = found[entry.link]
    return found


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContextViews:
    monkeypatch.setattr(directories, "_FEW", 0)
    return DirectoryContextViews(tmp_path / "contexts", TarLayerArchive(ownership()))


def show(views: ContextViews, files: Sequence[PackedEntry]) -> str:
    """Return the path of a view that is not in use any more."""
    with views.shared(files) as root:
        assert looked_at(root.path) == wanted(files)
        return root.path


class TestDirectories(ContextViewsContract):
    pass


class TestMemory(ContextViewsContract):
    @pytest.fixture
    def views(self) -> MemoryContextViews:
        return MemoryContextViews()


STATES: list[list[PackedEntry]] = [
    [an_entry("d"), a_file("d/f", b"1"), a_file("g", b"2"), an_entry("l", SYMLINK, link="g")],
    [an_entry("d"), a_file("d/f", b"changed"), a_file("g", b"2")],
    [an_entry("d"), a_file("d/f", b"1", mode=0o755), a_file("g", b"2", mtime=9 * SECOND)],
    [a_file("d", b"a file now"), a_file("g", b"2")],
    [an_entry("g"), an_entry("g/d"), a_file("g/d/f", b"1"), an_entry("pipe", FIFO, mode=0o600)],
    [a_file("g", b"2"), an_entry("h", HARDLINK, link="g")],
    [a_file("g", b"3"), an_entry("h", HARDLINK, link="g")],
    [a_file("g", b"3"), a_file("h", b"3")],
    [an_entry("g", SYMLINK, link="/etc"), an_entry("d", mode=0o700)],
    [],
]


def test_a_view_shows_what_is_wanted_whatever_it_showed_before(
    views: ContextViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "_MOST", 1)
    for number, before in enumerate(STATES):
        for after in STATES[number + 1 :]:
            show(views, before)
            show(views, after)

    assert len(views.kept()) == 1


def test_a_view_costs_only_what_has_changed(views: ContextViews) -> None:
    read: list[str] = []

    def counted(files: list[PackedEntry]) -> list[PackedEntry]:
        def open_one(each: PackedEntry) -> BytesIO:
            read.append(each.entry.path)
            assert each.open is not None
            return BytesIO(each.open().read())

        return [PackedEntry(entry=each.entry, open=partial(open_one, each)) for each in files]

    many = [a_file(f"f{number}", b"%d" % number) for number in range(20)]
    first = show(views, counted(many))
    read.clear()
    again = show(views, counted(many))
    assert (again, read) == (first, [each.entry.path for each in many])  # by wanted() alone
    read.clear()
    with views.shared(counted([a_file("f0", b"new"), *many[1:]])) as changed:
        assert (changed.path, read) == (first, ["f0"])


def test_a_view_in_use_stays_as_it_is_and_shares_its_files(views: ContextViews) -> None:
    many = [a_file(f"f{number}", b"%d" % number) for number in range(20)]
    later = [a_file("f0", b"new"), *many[1:]]
    with views.shared(many) as old, views.shared(later) as new, views.shared(many) as same:
        assert same.path == old.path != new.path
        assert looked_at(old.path) == wanted(many)
        assert looked_at(new.path) == wanted(later)
        assert os.path.samefile(f"{old.path}/f1", f"{new.path}/f1")
        assert sum(kept.in_use for kept in views.kept()) == 2
        assert not any(views.remove(kept.id) for kept in views.kept())
    assert all(views.remove(kept.id) for kept in views.kept())
    assert views.kept() == []


def test_one_that_is_wanted_just_now_is_not_removed(views: ContextViews) -> None:
    states = [[a_file(f"f{number}", b"%d" % state) for number in range(3)] for state in range(2)]
    over = threading.Event()

    def use(state: int) -> int:
        for _ in range(30):
            show(views, states[state])
        return state

    def remove_all() -> int:
        removed = 0
        while not over.is_set():
            removed += sum(views.remove(kept.id) for kept in views.kept())
        return removed

    with ThreadPoolExecutor(3) as pool:
        removing = pool.submit(remove_all)
        try:
            assert list(pool.map(use, range(2))) == [0, 1]
        finally:
            over.set()
    assert removing.result() + sum(views.remove(kept.id) for kept in views.kept()) > 0


def test_what_is_written_to_a_private_one_is_nowhere_else(views: ContextViews) -> None:
    files = [an_entry("d"), a_file("d/f", b"1")]
    path = show(views, files)
    with views.private(files) as one, views.private(files) as other:
        assert looked_at(one.path) == wanted(files)
        Path(f"{one.path}/d/f").write_text("spoilt")
        os.mkdir(f"{one.path}/new")
        assert looked_at(other.path) == wanted(files)
    assert not os.path.exists(one.path)
    assert looked_at(path) == wanted(files)


def test_a_view_that_was_not_brought_to_its_end_is_not_used(views: ContextViews) -> None:
    files = [a_file("f", b"1"), a_file("g", b"2")]
    path = show(views, files)
    Path(f"{path}/f").unlink()
    Path(f"{path}/../listing").write_text("[[")

    assert show(views, files) != path
    assert len(views.kept()) == 1


def test_an_estimate_of_sizes_reads_no_listing(
    views: ContextViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [an_entry("d"), a_file("d/f", b"12"), a_file("d/g", b"3" * 4097), a_file("d/h", b"")]
    show(views, [*files, an_entry("l", SYMLINK, link="d/f")])
    decoded: list[str] = []
    monkeypatch.setattr(directories, "decode", decoded.append)

    # Blocks, as on most file systems: one of the directory, one and two of the files.
    assert [view.size for view in views.kept(measured=False)] == [4 * 4096]
    assert decoded == []


@pytest.mark.parametrize("measured", [True, False])
def test_a_view_that_was_not_brought_to_its_end_can_be_removed(
    views: ContextViews, measured: bool
) -> None:
    path = show(views, [a_file("f", b"1" * 4096)])
    Path(f"{path}/../listing").unlink()

    (half,) = views.kept(measured=measured)

    assert half.size >= 4096
    assert not half.in_use
    assert views.remove(half.id)
    assert views.kept() == []
    assert not os.path.exists(path)


def test_views_of_other_id_maps_are_listed_and_removed(views: ContextViews, tmp_path: Path) -> None:
    path = show(views, [a_file("f", b"1")])
    archive = TarLayerArchive(ownership())
    beside = DirectoryContextViews(tmp_path / "beside", archive, others=[tmp_path / "contexts"])

    (kept,) = beside.kept()

    assert beside.remove(kept.id)
    assert not os.path.exists(path)


def test_where_steps_could_write_to_it_nothing_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "_FEW", 0)
    views = DirectoryContextViews(
        tmp_path / "contexts", TarLayerArchive(ownership()), sharing=False
    )
    files = [a_file("f", b"1")]

    with views.shared(files) as one, views.shared(files) as other:
        assert one != other
        Path(f"{one.path}/f").write_text("spoilt")
        assert looked_at(other.path) == wanted(files)
    assert views.kept() == []


def test_paths_may_be_as_long_as_in_a_context(views: ContextViews) -> None:
    deep = "/".join(["d" * 200] * 20)  # 4019 bytes
    folders = [an_entry("/".join(["d" * 200] * depth)) for depth in range(1, 20)]
    files = [*folders, a_file(deep, b"1"), a_file("f", b"1")]
    with views.shared(files) as old, views.shared([*files[:-1], a_file("f", b"2")]) as new:
        assert old.path != new.path
    with views.shared([a_file("f", b"2")]) as last:
        assert os.listdir(last.path) == ["f"]


def test_few_small_files_are_not_kept(tmp_path: Path) -> None:
    views = DirectoryContextViews(tmp_path / "contexts", TarLayerArchive(ownership()))

    assert not os.path.exists(show(views, [a_file("f", b"1")]))
    assert views.kept() == []


NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "a/x/1", "c\udcff"])
FILES = st.dictionaries(
    NAMES, st.tuples(st.sampled_from([b"", b"1", b"22"]), st.sampled_from([0o644, 0o755]))
)


def a_tree(files: dict[str, tuple[bytes, int]]) -> list[PackedEntry]:
    """Return the files that are no directories of others, and those directories."""
    folders = {
        path.rpartition("/")[0][:cut] or path.rpartition("/")[0]
        for path in files
        for cut in (1, None)
        if "/" in path
    }
    entries = [an_entry(path) for path in folders]
    entries += [a_file(path, *files[path]) for path in files if path not in folders]
    return sorted(entries, key=lambda each: each.entry.path)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FILES, min_size=1, max_size=4))
def test_any_row_of_trees_is_shown(
    tmp_path: Path, trees: list[dict[str, tuple[bytes, int]]]
) -> None:
    few = directories._FEW
    directories._FEW = 0
    try:
        views = DirectoryContextViews(tmp_path / "contexts", TarLayerArchive(ownership()))
        for files in trees:
            show(views, a_tree(files))
    finally:
        directories._FEW = few


@settings(max_examples=30)
@given(
    st.builds(
        Entry,
        path=st.text(),
        kind=st.sampled_from([FILE, SYMLINK]),
        link=st.text(),
        device=st.tuples(st.integers(0, 9), st.integers(0, 9)),
        xattrs=st.lists(st.tuples(st.text(), st.binary())).map(tuple),
    )
)
def test_listings_are_read_as_they_were_written(entry: Entry) -> None:
    listing = listing_of([entry])

    assert decode(encode(listing)) == listing


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", '[["a"]]', "null"])
def test_what_is_no_listing_is_none(text: str) -> None:
    assert not decode(text)
    assert not decode(f"1\n{text}")

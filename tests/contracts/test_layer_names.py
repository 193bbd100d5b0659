"""No layer archive writes a file by a name that leads out of the directory it was given."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.layer_archive import InvalidLayer, LayerArchive, PackedEntry
from img.domain.errors import ImgError
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, EntryKind
from img.domain.filesystem.file_index import FileIndex
from tests.support.images.evil_archives import a_tar, info
from tests.support.images.layer_archives import a_file

NAMES = [
    "..",
    "../x",
    "d/..",
    "d/../../x",
    ".",
    "d/.",
    "d/",
    "",
    "/",
    "/x",
    "d//x",
    "d\0x",
    "../..",
]
PARTS = st.sampled_from(["", ".", "..", "d", "link", "x", "\0", ".wh.x", ".wh...", ".wh..wh..opq"])
PATHS = st.lists(PARTS, max_size=4).map("/".join)
KINDS = st.sampled_from([FILE, DIRECTORY, SYMLINK, FIFO, HARDLINK])


class Place:
    """A directory to write to, and beside it what must stay as it is."""

    def __init__(self, tmp_path: Path) -> None:
        self.inside = tmp_path / "project/inside"
        self.inside.mkdir(parents=True)
        self.outside = tmp_path / "project"
        (self.outside / "x").write_text("precious")
        (self.outside / "src").mkdir()
        self.before = self._seen()

    def check(self) -> None:
        assert self._seen() == self.before

    def _seen(self) -> list[tuple[str, int, int, int]]:
        seen = [self.outside, self.outside.parent, self.outside / "x", self.outside / "src"]
        kept = [
            (str(path), path.stat().st_mode, path.stat().st_uid, path.stat().st_gid)
            for path in seen
        ]
        return kept + [(str(path), 0, 0, 0) for path in sorted(self.outside.iterdir())]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_made_by_no_such_name(archive: LayerArchive, place: Place, name: str) -> None:
    entries = [PackedEntry(entry=Entry("d", DIRECTORY, 0o755)), a_file(name, b"1", mode=0o777)]
    with pytest.raises(InvalidLayer):
        archive.write_files(entries, str(place.inside), owners=False)
    place.check()


@pytest.mark.parametrize("name", NAMES)
def test_no_such_name_is_packed(archive: LayerArchive, name: str) -> None:
    if name == "":
        return  # the root
    for write in (
        lambda: archive.pack([a_file(name)], MemoryBlobStore().writer()),
        lambda: archive.write_tar([a_file(name)], io.BytesIO()),
    ):
        with pytest.raises(InvalidLayer, match="cannot be the path of a file"):
            write()


@pytest.mark.parametrize("kind", [DIRECTORY, SYMLINK, FIFO, HARDLINK])
@pytest.mark.parametrize("name", [".", "..", "d/.."])
def test_nothing_of_any_kind_is_made_by_such_a_name(
    archive: LayerArchive, place: Place, kind: EntryKind, name: str
) -> None:
    entries = [a_file("f"), PackedEntry(entry=Entry(name, kind, 0o777, link="f"))]
    with pytest.raises(InvalidLayer):
        archive.write_files(entries, str(place.inside), owners=False)
    place.check()


@pytest.mark.parametrize("name", ["..", "../x", ".wh...", "d/.wh..", "d/.wh.."])
@pytest.mark.parametrize("overlay", [False, True], ids=["applied", "overlay"])
def test_an_index_leads_nowhere_else(
    archive: LayerArchive, place: Place, overlay: bool, name: str
) -> None:
    blob = a_tar((info("f"), b""))
    index = FileIndex.of([Entry("d", DIRECTORY), Entry(name, FILE, 0o777)])
    with contextlib.suppress(ImgError):
        archive.unpack(
            io.BytesIO(blob),
            str(place.inside),
            overlay=overlay,
            place=str,
            implied=lambda _: None,
            index=index,
        )
    place.check()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(PATHS, KINDS, PATHS), max_size=5), st.booleans())
def test_whatever_the_names_are_nothing_outside_is_touched(
    archive: LayerArchive,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, EntryKind, str]],
    indexed: bool,
) -> None:
    place = Place(tmp_path_factory.mktemp("names"))
    entries = [Entry("link", SYMLINK, link=".."), *(Entry(a, k, 0o777, link=b) for a, k, b in rows)]
    with contextlib.suppress(ImgError):
        if indexed:
            archive.unpack(
                io.BytesIO(bytes(1024)),
                str(place.inside),
                overlay=False,
                place=str,
                implied=lambda _: None,
                index=FileIndex.of(entries),
            )
        else:
            packed = (PackedEntry(entry=entry) for entry in entries)
            archive.write_files(packed, str(place.inside), owners=False)
    place.check()

"""Contract tests of writers of OCI image layouts."""

import io
from functools import partial
from pathlib import Path

import pytest

from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.adapters.image_layout.directory import DirectoryLayouts
from img.adapters.image_layout.memory import MemoryLayout, MemoryLayouts, MemoryLayoutWriter
from img.adapters.image_layout.writer import DirectoryLayoutWriter
from img.application.ports.image_layout import LayoutWriter
from img.application.ports.output_files import OutputNotWritten
from img.testing.layout_writer import ONE, TWO, LayoutWriterContract, Written, write_two

READER = DirectoryLayouts()


@pytest.fixture
def writer() -> LayoutWriter:
    return DirectoryLayoutWriter(partial(OciLayoutBlobStore, marks=False))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "deep/layout")


@pytest.fixture(params=["directory", "memory"])
def written(request: pytest.FixtureRequest, writer: LayoutWriter, path: str) -> Written:
    if request.param == "directory":
        return Written(writer=writer, reader=READER, path=path)
    layouts: dict[str, MemoryLayout] = {}
    return Written(writer=MemoryLayoutWriter(layouts), reader=MemoryLayouts(layouts), path="/l")


class TestLayoutWriter(LayoutWriterContract):
    pass


def test_a_damaged_blob_is_written_again(writer: LayoutWriter, path: str) -> None:
    write_two(writer, path)
    (Path(path) / f"blobs/sha256/{ONE.digest.encoded}").write_bytes(b"{")

    writer.add(path, ONE, io.BytesIO(b"{}"))

    with READER.open(path, ONE) as content:
        assert content.read() == b"{}"


def test_a_place_that_takes_no_layout_is_told(writer: LayoutWriter, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = str(tmp_path / "file")

    with pytest.raises(OutputNotWritten, match=f"^cannot write {path}: Not a directory$"):
        writer.add(path, ONE, io.BytesIO(b"{}"))
    with pytest.raises(OutputNotWritten, match=f"^cannot write {path}: Not a directory$"):
        writer.name(path, "one", ONE)


def test_blobs_that_lead_out_of_a_layout_are_neither_written_nor_deleted(
    writer: LayoutWriter, tmp_path: Path
) -> None:
    write_two(writer, str(tmp_path / "other"))
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "blobs").symlink_to(tmp_path / "other/blobs")

    with pytest.raises(OutputNotWritten, match="blobs is a link"):
        writer.add(str(layout), ONE, io.BytesIO(b"{}"))
    with pytest.raises(OutputNotWritten, match="blobs is a link"):
        writer.name(str(layout), "one", ONE, only=())

    with READER.open(str(tmp_path / "other"), TWO) as content:
        assert content.read() == b"[]"

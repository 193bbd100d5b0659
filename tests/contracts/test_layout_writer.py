"""What every writer of image layouts for others promises."""

import io
from functools import partial
from pathlib import Path

import pytest

from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.adapters.image_layout.directory import DirectoryLayouts
from img.adapters.image_layout.writer import DirectoryLayoutWriter
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.image_layout import LayoutError, LayoutWriter
from img.application.ports.output_files import OutputNotWritten
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor

READER = DirectoryLayouts()


def a_blob(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(content), size=len(content)
    )


ONE, TWO = a_blob(b"{}"), a_blob(b"[]")


@pytest.fixture
def writer() -> LayoutWriter:
    return DirectoryLayoutWriter(partial(OciLayoutBlobStore, marks=False))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "deep/layout")


def named(writer: LayoutWriter, path: str) -> None:
    writer.add(path, ONE, io.BytesIO(b"{}"))
    writer.name(path, "one", ONE)
    writer.add(path, TWO, io.BytesIO(b"[]"))


def test_what_was_added_and_named_is_found(writer: LayoutWriter, path: str) -> None:
    named(writer, path)
    writer.name(path, "two", TWO)

    assert READER.find(path, "one", None)[0].digest == ONE.digest
    assert READER.find(path, "two", None)[0].digest == TWO.digest
    with READER.open(path, TWO) as content:
        assert content.read() == b"[]"


def test_a_name_comes_to_stand_for_something_else(writer: LayoutWriter, path: str) -> None:
    named(writer, path)
    writer.name(path, "one", TWO)

    assert READER.find(path, "one", None)[0].digest == TWO.digest


def test_only_what_is_wanted_stays(writer: LayoutWriter, path: str) -> None:
    named(writer, path)
    writer.name(path, "two", TWO, only={TWO.digest})

    assert READER.find(path, "", None)[0].digest == TWO.digest  # the only one
    with pytest.raises(LayoutError):
        READER.open(path, ONE)


def test_bytes_that_are_not_those_promised_are_refused(writer: LayoutWriter, path: str) -> None:
    with pytest.raises(BlobMismatch):
        writer.add(path, ONE, io.BytesIO(b"no"))
    with pytest.raises(LayoutError):
        READER.open(path, ONE)


def test_a_blob_that_is_there_is_not_read_again(writer: LayoutWriter, path: str) -> None:
    named(writer, path)

    writer.add(path, ONE, io.BytesIO(b"not looked at"))

    with READER.open(path, ONE) as content:
        assert content.read() == b"{}"


def test_a_damaged_blob_is_written_again(writer: LayoutWriter, path: str) -> None:
    named(writer, path)
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
    named(writer, str(tmp_path / "other"))
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "blobs").symlink_to(tmp_path / "other/blobs")

    with pytest.raises(OutputNotWritten, match="blobs is a link"):
        writer.add(str(layout), ONE, io.BytesIO(b"{}"))
    with pytest.raises(OutputNotWritten, match="blobs is a link"):
        writer.name(str(layout), "one", ONE, only=())

    with READER.open(str(tmp_path / "other"), TWO) as content:
        assert content.read() == b"[]"

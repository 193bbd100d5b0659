"""The contract of exporters into a directory."""

import json
import os
from pathlib import Path

import pytest

from img.adapters.exporter.oci_layout import OciLayoutExporter
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.exporter import ArchivedImage, LayoutExporter
from img.application.ports.output_files import OutputNotWritten
from img.domain.oci.codec import decode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import blob_path, check_layout, name_of
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

APP, OTHER = ImageReference.parse("app:v1"), ImageReference.parse("quay.io/other:2")


@pytest.fixture
def app() -> InMemoryApp:
    return InMemoryApp()


@pytest.fixture(params=[OciLayoutExporter])
def exporter(request: pytest.FixtureRequest, app: InMemoryApp) -> LayoutExporter:
    made: LayoutExporter = request.param(app.blobs)
    return made


def an_image(app: InMemoryApp, content: bytes = b"1") -> Descriptor:
    return app.build("FROM scratch\nCOPY a /\n", {"a": content}, tags=[]).target


def named(layout: Path) -> list[tuple[str, str]]:
    index = decode_index((layout / "index.json").read_bytes())
    return [(name_of(entry), str(entry.digest)) for entry in index.manifests]


def blobs_in(layout: Path) -> set[str]:
    return set(os.listdir(layout / "blobs/sha256"))


def test_a_new_layout_holds_all_of_the_image(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    target, layout = an_image(app), tmp_path / "new/layout"

    exporter.export([ArchivedImage(target=target, references=(APP, OTHER))], str(layout))

    check_layout((layout / "oci-layout").read_bytes())
    assert named(layout) == [(str(APP), str(target.digest)), (str(OTHER), str(target.digest))]
    manifest = json.loads((layout / blob_path(target.digest)).read_bytes())
    parts = (manifest["config"], *manifest["layers"])
    assert blobs_in(layout) == {
        target.digest.encoded,
        *(part["digest"].removeprefix("sha256:") for part in parts),
    }
    assert all(
        (layout / "blobs" / part["digest"].replace(":", "/")).stat().st_size == part["size"]
        for part in parts
    )
    assert sorted(os.listdir(layout)) == ["blobs", "index.json", "oci-layout"]


def test_what_is_there_stays_and_names_move(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    old, new = an_image(app, b"old"), an_image(app, b"new")
    exporter.export([ArchivedImage(target=old, references=(APP, OTHER))], str(tmp_path))
    before = blobs_in(tmp_path)

    exporter.export([ArchivedImage(target=new, references=(APP,))], str(tmp_path))

    assert named(tmp_path) == [(str(OTHER), str(old.digest)), (str(APP), str(new.digest))]
    assert before < blobs_in(tmp_path)


def test_an_image_without_a_name_is_there_once(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    target = an_image(app)

    for _ in range(2):
        exporter.export([ArchivedImage(target=target)], str(tmp_path))

    assert named(tmp_path) == [("", str(target.digest))]


def test_an_index_goes_in_whole(exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[])
    built = app.build("FROM scratch\nCOPY a /\n", tags=[], platforms=[HERE, ELSEWHERE])

    exporter.export([ArchivedImage(target=built.target, references=(APP,))], str(tmp_path))

    assert {image.target.digest.encoded for image in built.images} < blobs_in(tmp_path)


def test_a_blob_that_was_left_half_is_written_whole(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    target = an_image(app)
    images = [ArchivedImage(target=target, references=(APP,))]
    exporter.export(images, str(tmp_path))
    blob = tmp_path / blob_path(target.digest)
    content = blob.read_bytes()
    blob.write_bytes(content[:-1])

    exporter.export(images, str(tmp_path))

    assert blob.read_bytes() == content


def test_an_image_that_is_not_whole_leaves_no_name(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[])
    app.blobs.remove(built.images[0].manifest.layers[0].digest)

    with pytest.raises(BlobNotFound):
        exporter.export([ArchivedImage(target=built.target, references=(APP,))], str(tmp_path))

    assert not (tmp_path / "index.json").exists() or named(tmp_path) == []


@pytest.mark.parametrize("place", ["file", "file/layout"])
def test_a_place_that_takes_no_layout_is_named(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OutputNotWritten, match=f"cannot write .*{place}"):
        exporter.export([ArchivedImage(target=an_image(app))], str(tmp_path / place))


@pytest.mark.parametrize("place", ["blobs", "blobs/sha256", "oci-layout"])
def test_nothing_is_written_where_a_link_leads(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path, place: str
) -> None:
    outside, layout = tmp_path / "outside", tmp_path / "layout"
    (layout / place).parent.mkdir(parents=True)
    if place == "oci-layout":
        exporter.export([ArchivedImage(target=an_image(app), references=(APP,))], str(layout))
        os.rename(layout / place, outside)
    else:
        outside.mkdir()
    (layout / place).symlink_to(outside)
    before = outside.stat()

    with pytest.raises(OutputNotWritten, match="is a link"):
        exporter.export([ArchivedImage(target=an_image(app), references=(OTHER,))], str(layout))

    assert outside.stat().st_mtime_ns == before.st_mtime_ns


def test_a_temporary_directory_that_leads_elsewhere_is_not_swept(
    exporter: LayoutExporter, app: InMemoryApp, tmp_path: Path
) -> None:
    victim, layout = tmp_path / "victim", tmp_path / "layout"
    victim.mkdir()
    (victim / "old").write_text("precious")
    os.utime(victim / "old", (0, 0))
    layout.mkdir()
    (layout / ".img-tmp").symlink_to(victim)

    for name in (APP, OTHER):
        exporter.export([ArchivedImage(target=an_image(app), references=(name,))], str(layout))

    assert os.listdir(victim) == ["old"]

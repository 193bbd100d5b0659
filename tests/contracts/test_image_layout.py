"""Contract tests of readers of OCI image layouts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.image_layout.directory import DirectoryLayouts
from img.adapters.image_layout.memory import MemoryLayout, MemoryLayouts
from img.application.ports.image_layout import LayoutError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, blob_path
from img.testing.image_layout import ONE, TWO, ImageLayoutsContract, Layouts, manifest

NAMED = Index(manifests=(manifest(ONE, "v1"), manifest(TWO, "docker.io/library/x:latest")))
SINGLE = Index(manifests=(manifest(ONE, "else"),))
BLOBS = {Digest.of(content): content for content in (ONE, TWO)}


def on_disk(root: Path) -> Layouts:
    for name, index in (("named", NAMED), ("single", SINGLE)):
        layout = root / name
        (layout / "blobs/sha256").mkdir(parents=True)
        (layout / "oci-layout").write_bytes(LAYOUT_CONTENT)
        (layout / "index.json").write_bytes(encode_index(index))
        for digest, content in BLOBS.items():
            (layout / blob_path(digest)).write_bytes(content)
    return Layouts(
        layouts=DirectoryLayouts(),
        named=str(root / "named"),
        single=str(root / "single"),
        nowhere=str(root / "nowhere"),
    )


def in_memory(_root: Path) -> Layouts:
    named, single = (MemoryLayout(index=index, blobs=BLOBS) for index in (NAMED, SINGLE))
    layouts = MemoryLayouts({"/named": named, "/single": single})
    return Layouts(layouts=layouts, named="/named", single="/single", nowhere="/nowhere")


@pytest.fixture(params=[on_disk, in_memory])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Layouts:
    make: Callable[[Path], Layouts] = request.param
    return make(tmp_path)


class TestImageLayouts(ImageLayoutsContract):
    pass


def test_all_platforms_of_a_name_are_found(tmp_path: Path) -> None:
    index = Index(manifests=(manifest(ONE, "v1"), manifest(TWO), manifest(TWO, "v1")))
    layouts = MemoryLayouts({"/": MemoryLayout(index=index, blobs=BLOBS)})

    assert layouts.find("/", "v1", None) == (index.manifests[0], index.manifests[2])


def test_a_directory_that_is_no_layout_says_why(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "9"}))
    with pytest.raises(LayoutError, match="is no OCI image layout"):
        DirectoryLayouts().find(str(tmp_path), "", None)


def test_a_manifest_that_only_an_index_names_is_found_by_its_digest(tmp_path: Path) -> None:
    place = on_disk(tmp_path)
    content = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": {}, "layers": []}
    ).encode()
    (Path(place.named) / blob_path(Digest.of(content))).write_bytes(content)
    (found,) = place.layouts.find(place.named, "", Digest.of(content))
    assert (found.digest, found.media_type) == (Digest.of(content), media_types.OCI_MANIFEST)

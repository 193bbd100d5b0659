"""What every reader of somebody else's image layouts promises."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.image_layout.directory import DirectoryLayouts
from img.adapters.image_layout.memory import MemoryLayout, MemoryLayouts
from img.application.ports.image_layout import ImageLayouts, LayoutError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, REF_NAME, blob_path


def manifest(content: bytes, name: str = "") -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        annotations={REF_NAME: name} if name else {},
    )


ONE, TWO = b'{"one": 1}', b'{"two": 2}'
NAMED = Index(manifests=(manifest(ONE, "v1"), manifest(TWO, "docker.io/library/x:latest")))
SINGLE = Index(manifests=(manifest(ONE, "else"),))
BLOBS = {Digest.of(content): content for content in (ONE, TWO)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """A reader, and the paths of two layouts."""

    layouts: ImageLayouts
    named: str
    single: str
    nowhere: str


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


def test_an_image_is_found_by_its_tag_or_by_latest(found: Layouts) -> None:
    assert found.layouts.find(found.named, "v1", None)[0].digest == Digest.of(ONE)
    assert found.layouts.find(found.named, "", None)[0].digest == Digest.of(TWO)


def test_an_image_is_found_by_its_digest(found: Layouts) -> None:
    assert found.layouts.find(found.named, "v1", Digest.of(TWO))[0].digest == Digest.of(TWO)


def test_all_platforms_of_a_name_are_found(tmp_path: Path) -> None:
    index = Index(manifests=(manifest(ONE, "v1"), manifest(TWO), manifest(TWO, "v1")))
    layouts = MemoryLayouts({"/": MemoryLayout(index=index, blobs=BLOBS)})

    assert layouts.find("/", "v1", None) == (index.manifests[0], index.manifests[2])


def test_the_only_image_needs_no_name(found: Layouts) -> None:
    assert found.layouts.find(found.single, "", None)[0].digest == Digest.of(ONE)


def test_an_image_that_is_not_there_is_named(found: Layouts) -> None:
    with pytest.raises(LayoutError, match="has no image nope"):
        found.layouts.find(found.named, "nope", None)
    with pytest.raises(LayoutError, match="has no image sha256:"):
        found.layouts.find(found.named, "", Digest.of(b"nope"))


def test_blobs_can_be_read(found: Layouts) -> None:
    with found.layouts.open(found.named, manifest(ONE)) as content:
        assert content.read() == ONE
    with pytest.raises(LayoutError):
        found.layouts.open(found.named, manifest(b"nope"))


def test_a_layout_that_is_not_there_is_named(found: Layouts) -> None:
    with pytest.raises(LayoutError, match="nowhere cannot be read: no such file"):
        found.layouts.find(found.nowhere, "", None)


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

"""Base images in a foreign OCI layout."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from img.adapters.image_layout.memory import MemoryLayout, MemoryLayouts
from img.application.planning.resolve import BaseUnavailable
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.codec import encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import REF_NAME
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, a_request

PLACE = "oci-layout:///layouts/base"


class Layout:
    """A layout with one image of a file ``base``, for each platform another."""

    def __init__(self, app: InMemoryApp, *, layer_type: str = "") -> None:
        self._layer_type = layer_type
        self.blobs: dict[Digest, bytes] = {}
        self._app = app
        images = [self._image(platform) for platform in (HERE, ELSEWHERE)]
        index = encode_index(Index(manifests=tuple(images)))
        target = self._added(index, media_types.OCI_INDEX, {REF_NAME: "v1"})
        layout = MemoryLayout(index=Index(manifests=(target,)), blobs=self.blobs)
        app.container.storage.layouts.override(MemoryLayouts({"/layouts/base": layout}))

    def _image(self, platform: Platform) -> Descriptor:
        layer = self._app.layer({"base": str(platform).encode()})
        with self._app.blobs.open(layer.descriptor.digest) as content:
            self.blobs[layer.descriptor.digest] = content.read()
        self._app.blobs.remove(layer.descriptor.digest)
        config = ImageConfig(platform=platform, diff_ids=(layer.diff_id,))
        named = self._added(encode_config(config), media_types.OCI_CONFIG)
        kind = self._layer_type or layer.descriptor.media_type
        layers = (replace(layer.descriptor, media_type=kind),)
        manifest = encode_manifest(Manifest(config=named, layers=layers))
        found = self._added(manifest, media_types.OCI_MANIFEST)
        return Descriptor(
            media_type=found.media_type, digest=found.digest, size=found.size, platform=platform
        )

    def _added(
        self, content: bytes, media_type: str, annotations: Mapping[str, str] | None = None
    ) -> Descriptor:
        self.blobs[Digest.of(content)] = content
        return Descriptor(
            media_type=media_type,
            digest=Digest.of(content),
            size=len(content),
            annotations=annotations or {},
        )


def built(app: InMemoryApp, place: str, dockerfile: str = "FROM base\n") -> dict[str, bytes]:
    request = a_request(contexts={"base": place})
    return app.files_of(app.build(dockerfile, {}, request=request))


@pytest.mark.parametrize("place", [PLACE, f"{PLACE}:v1"])
def test_a_base_comes_out_of_a_layout_for_the_platform(place: str) -> None:
    app = InMemoryApp()
    Layout(app)
    assert built(app, place) == {"base": str(HERE).encode()}


def test_an_encrypted_base_is_named_as_such() -> None:
    app = InMemoryApp()
    Layout(app, layer_type=f"{media_types.OCI_LAYER_GZIP}+encrypted")
    with pytest.raises(ImgError, match=r"/layouts/base is encrypted: layer sha256:.*\+encrypted"):
        built(app, PLACE)


def test_files_can_be_copied_from_an_image_in_a_layout() -> None:
    app = InMemoryApp()
    Layout(app)
    files = built(app, PLACE, "FROM scratch\nCOPY --from=base /base /x\n")
    assert files == {"x": str(HERE).encode()}


def test_only_what_the_platform_needs_is_copied() -> None:
    app = InMemoryApp()
    layout = Layout(app)
    built(app, PLACE)
    assert not set(layout.blobs) <= set(app.blobs.digests())


def test_a_blob_that_is_damaged_is_not_stored() -> None:
    app = InMemoryApp()
    layout = Layout(app)
    for digest in layout.blobs:
        if layout.blobs[digest][:2] == b"\x1f\x8b":
            layout.blobs[digest] = b"\x1f\x8bdamaged"
    with pytest.raises(BaseUnavailable, match="oci-layout /layouts/base is damaged"):
        built(app, PLACE)


def test_a_layout_that_is_not_there_is_said_at_the_line_that_needs_it() -> None:
    app = InMemoryApp()
    with pytest.raises(BaseUnavailable, match="oci-layout /nope cannot be read") as failure:
        built(app, "oci-layout:///nope")
    assert failure.value.lines == (1, 1)

"""Loaded images can be used; other archives are refused, and leave nothing."""

import io
import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.exporter import ArchivedImage
from img.application.ports.image_store import ImageNotFound
from img.application.ports.importer import InvalidArchive
from img.application.transfer.catalog import PlatformNotHere
from img.application.transfer.find_image import FindImage
from img.application.transfer.publish import PlatformsAbsent
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.image_filter import ImageFilter
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import REF_NAME, blob_path
from img.domain.oci.presence import Presence, presence_of
from img.domain.platform import DefaultPlatform, Platform
from img.domain.reference import ImageReference
from tests.support.images.image_archives import (
    a_config,
    a_layout,
    an_archive,
    an_artifact,
    an_attestation,
    an_image,
    an_index,
    listed,
    without_layers,
)
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

APP = ImageReference.parse("registry.example/team/app:1")
NAMES = ("registry.example/team/app:1", "registry.example/team/other:2", "short")
WRONG = Digest.of(b"something else")


@dataclass(slots=True)
class Archive:
    """An archive in the making, and what its images hold."""

    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    entries: list[Descriptor] = field(default_factory=list)
    contents: dict[Digest, bytes] = field(default_factory=dict)  # of the file "x", by manifest
    docker: list[dict[str, object]] = field(default_factory=list)
    gone: set[Digest] = field(default_factory=set)

    def image(self, platform: Platform, *, complete: bool = True) -> Descriptor:
        """Add an image of one file; unless it is ``complete`` its manifest names no layers."""
        content = f"{len(self.contents)} for {platform}".encode()
        layer = an_archive({"x": content})
        target = an_image(self.blobs, layer, platform=platform, compressed=False)
        config = Digest.of(a_config(layer, platform=platform))
        self.docker.append({"Config": blob_path(config), "Layers": [blob_path(Digest.of(layer))]})
        if not complete:
            target = without_layers(self.blobs, target)
        self.contents[target.digest] = content
        return replace(target, platform=platform)

    def name(self, target: Descriptor, name: str, *, with_platform: bool = True) -> None:
        """List ``target`` in index.json."""
        annotations = {REF_NAME: name} if name else {}
        platform = target.platform if with_platform else None
        self.entries.append(listed(target, platform, annotations))

    def read(self, target: Descriptor) -> bytes:
        """Return a document."""
        with self.blobs.open(target.digest) as content:
            return content.read()

    def bytes(self, *, null: bool = False, docker: bool = False) -> bytes:
        """Return the archive; with ``null`` its index lists nothing, with ``docker`` that does."""
        index: Index | bytes = Index(manifests=tuple(self.entries))
        if null:
            index = b'{"schemaVersion":2,"manifests":null}'
        more = {"manifest.json": json.dumps(self.docker).encode()} if docker else {}
        return a_layout(self.blobs, index, without=self.gone, more=more)


@st.composite
def archives(draw: st.DrawFn) -> tuple[Archive, bytes]:
    """Return an archive of anything, some of which may be missing or wrong."""
    made = Archive()
    platforms = st.sampled_from((HERE, ELSEWHERE))
    complete = st.sampled_from((True, True, True, True, False))
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(("image", "image", "index", "index", "artifact"))):
            case "image":
                target = made.image(draw(platforms), complete=draw(complete))
            case "index":
                parts = [made.image(draw(platforms)) for _ in range(draw(st.integers(1, 3)))]
                parts += [an_attestation(made.blobs)] * draw(st.integers(0, 1))
                target = an_index(made.blobs, *draw(st.permutations(parts)))
            case _:
                target = an_artifact(made.blobs)
        name = draw(st.sampled_from(("", *NAMES)))
        if name and draw(st.integers(0, 4)) == 0:
            name += f"@{draw(st.sampled_from((target.digest, target.digest, WRONG)))}"
        made.name(target, name, with_platform=draw(st.booleans()))
    for entry in made.docker:
        entry["RepoTags"] = draw(st.lists(st.sampled_from(NAMES), max_size=1))
    made.gone = set(draw(st.lists(st.sampled_from(sorted(made.blobs.digests())), max_size=2)))
    null, docker = draw(st.integers(0, 9)) == 0, draw(st.booleans())
    return made, made.bytes(null=null, docker=docker)


@given(archives())
def test_what_is_loaded_can_be_used_and_what_is_refused_leaves_no_name(
    given_archive: tuple[Archive, bytes],
) -> None:
    made, archive = given_archive
    app = InMemoryApp()
    try:
        loaded = app.container.images.load_image()(io.BytesIO(archive))
    except ImgError:
        assert list(app.images.list()) == []
        return

    assert loaded
    names = [reference for image in loaded for reference in image.references]
    assert sorted(map(str, names)) == sorted(set(map(str, names)))
    for image in loaded:
        check_usable(app, made, image)
    report = app.container.housekeeping.check_store()()
    assert report.clean, report.findings


def check_usable(app: InMemoryApp, made: Archive, image: ArchivedImage) -> None:
    """List, unpack, save, load again and push the image under each of its names."""
    present = presence(app, image.target)
    assert present.images
    for each in present.images:
        found = app.catalog.image(each, each.platform or DefaultPlatform(HERE))
        expected = made.contents.get(each.digest)
        if expected is not None:  # else it is one that manifest.json describes
            assert app.files_in(found.layers) == {"x": expected}
    found_by_id = FindImage(images=app.images, catalog=app.catalog)(ImageName.parse(str(image.id)))
    assert found_by_id.target.digest == image.target.digest
    for reference in image.references:
        assert app.images.get(reference).target == image.target
        assert reference.digest in (None, image.target.digest)
        sizes = [
            each.size
            for each in app.container.images.list_images()(HERE, ImageFilter(text=str(reference)))
        ]
        assert None not in sizes
        check_saved(app, reference, image)
        check_pushed(app, reference, present)


def check_saved(app: InMemoryApp, reference: ImageReference, image: ArchivedImage) -> None:
    output = io.BytesIO()
    app.container.images.save_image()([ImageName.of(reference)], output, archive_format="oci")
    again = InMemoryApp().container.images.load_image()(io.BytesIO(output.getvalue()))
    assert again == [replace(image, references=(reference,))]


def check_pushed(app: InMemoryApp, reference: ImageReference, present: Presence) -> None:
    try:
        (pushed,) = app.container.images.push_image()(ImageName.of(reference))
    except PlatformsAbsent as error:
        assert error.absent
        assert len(present.images) > 1 or reference.digest
        return
    assert bool(pushed.left_out) == bool(present.absent)
    target = app.registry.resolve(reference)
    assert target.digest == pushed.digest
    for each in presence(app, pushed.target).whole:
        for blob in decode_manifest(app.catalog.read(each)).blobs:
            assert app.registry.has_blob(reference, blob.digest)


def presence(app: InMemoryApp, target: Descriptor) -> Presence:
    def has(blob: Descriptor) -> bool:
        return app.blobs.size(blob.digest) is not None

    return presence_of(
        target, lambda document: app.catalog.read(document) if has(document) else None, has
    )


@pytest.mark.parametrize("in_layout", [True, False])
def test_a_name_with_a_digest_is_never_that_of_another_image(in_layout: bool) -> None:
    made = Archive()
    target = made.image(HERE)
    pinned = f"registry.example/base@{WRONG}"
    made.name(target, pinned if in_layout else "")
    made.docker[0]["RepoTags"] = [str(APP), pinned]
    app = InMemoryApp()

    with pytest.raises(InvalidArchive, match=r"it gives the name registry\.example/base@"):
        app.container.images.load_image()(
            io.BytesIO(made.bytes(docker=not in_layout, null=not in_layout))
        )

    assert list(app.images.list()) == []
    with pytest.raises(ImageNotFound):
        app.images.get(ImageReference.parse(pinned))


def test_a_name_with_its_own_digest_is_taken() -> None:
    made = Archive()
    target = made.image(HERE)
    pinned = ImageReference.parse(f"registry.example/base@{target.digest}")
    made.name(target, str(pinned))
    app = InMemoryApp()

    app.container.images.load_image()(io.BytesIO(made.bytes()))

    assert app.images.get(pinned).target.digest == target.digest


def a_partial_image(app: InMemoryApp, *here: Platform, name: ImageReference = APP) -> Archive:
    """Load an image of three platforms, of which only those are in the archive; return that."""
    made = Archive()
    others = [made.image(platform) for platform in (Platform("linux", "arm64"), ELSEWHERE)]
    images = [*others, *(made.image(platform) for platform in here)]
    index = an_index(made.blobs, *images, an_attestation(made.blobs))
    if name.digest is not None:
        name = name.with_digest(index.digest)
    made.name(index, str(name))
    for image in others:
        made.gone.add(decode_manifest(made.read(image)).layers[0].digest)
    app.container.images.load_image()(io.BytesIO(made.bytes()))
    return made


def test_of_a_partial_image_the_platform_that_is_here_is_pushed_and_it_is_said() -> None:
    app = InMemoryApp()
    made = a_partial_image(app, HERE)
    ours = next(d for d, content in made.contents.items() if str(HERE) in content.decode())

    (pushed,) = app.container.images.push_image()(ImageName.of(APP))

    assert app.registry.resolve(APP).digest == pushed.digest == ours
    assert pushed.difference_from("app") == (
        f"of app only {HERE} is here and was pushed, as {ours}; left out: linux/arm64, {ELSEWHERE}"
    )


def test_of_a_partial_image_with_several_platforms_it_is_said_what_is_missing() -> None:
    app = InMemoryApp()
    a_partial_image(app, HERE, Platform("linux", "riscv64"))

    with pytest.raises(PlatformsAbsent) as refused:
        app.container.images.push_image()(ImageName.of(APP))

    assert refused.value.message == (
        f"cannot push {APP}: not here, nor at registry.example: linux/arm64, {ELSEWHERE}"
    )
    assert app.registry.names == set()


def test_under_a_name_with_a_digest_no_part_is_pushed() -> None:
    app = InMemoryApp()
    a_partial_image(app, HERE, name=APP.with_digest(WRONG))
    (image,) = app.images.list()
    assert image.reference is not None

    with pytest.raises(PlatformsAbsent):
        app.container.images.push_image()(ImageName.of(image.reference))


def test_a_partial_image_is_pushed_whole_where_the_registry_has_the_rest() -> None:
    app = InMemoryApp()
    made = a_partial_image(app, HERE)
    for digest, content in made.contents.items():
        if str(HERE) not in content.decode():
            manifest = made.read(replace(made.entries[0], digest=digest))
            app.registry.push_manifest(APP.with_digest(digest), manifest, media_types.OCI_MANIFEST)

    (pushed,) = app.container.images.push_image()(ImageName.of(APP))

    assert pushed.left_out == ()
    assert app.registry.resolve(APP).digest == made.entries[0].digest


def test_an_image_with_a_damaged_platform_is_not_pushed_without_it() -> None:
    app = InMemoryApp()
    made = Archive()
    images = [made.image(platform) for platform in (HERE, ELSEWHERE)]
    made.name(an_index(made.blobs, *images), str(APP))
    app.container.images.load_image()(io.BytesIO(made.bytes()))
    (layer,) = decode_manifest(made.read(images[1])).layers
    app.blobs._blobs[layer.digest] = b"damaged"

    with pytest.raises(ImgError, match="damaged"):
        app.container.images.push_image()(ImageName.of(APP))

    assert APP not in app.registry.names


def test_fsck_says_what_a_partial_image_lacks_and_calls_it_no_fault() -> None:
    app = InMemoryApp()
    a_partial_image(app, HERE)

    report = app.container.housekeeping.check_store()()

    assert report.clean
    assert [finding.text for finding in report.findings] == [
        f"{APP}: not all of linux/arm64 is here",
        f"{APP}: not all of {ELSEWHERE} is here",
    ]


def test_fsck_finds_a_lost_layer_of_the_only_platform() -> None:
    app = InMemoryApp()
    made = Archive()
    image = made.image(HERE)
    made.name(an_index(made.blobs, image, an_attestation(made.blobs)), str(APP))
    app.container.images.load_image()(io.BytesIO(made.bytes()))
    (layer,) = decode_manifest(made.read(image)).layers
    app.blobs.remove(layer.digest)

    assert not app.container.housekeeping.check_store()().clean


def test_of_a_platform_that_is_not_here_it_is_said_which() -> None:
    app = InMemoryApp()
    made = Archive()
    image, other = made.image(HERE), made.image(ELSEWHERE)
    made.name(an_index(made.blobs, image, other), str(APP))
    made.gone.add(image.digest)
    app.container.images.load_image()(io.BytesIO(made.bytes()))

    with pytest.raises(PlatformNotHere, match=f"the image for {HERE} is not here: no blob "):
        app.container.images.inspect_image()(ImageName.of(APP), HERE)
    assert app.container.images.inspect_image()(ImageName.of(APP), ELSEWHERE)


def test_indexes_in_an_index_are_pushed_before_it() -> None:
    app = InMemoryApp()
    made = Archive()
    inner = an_index(made.blobs, made.image(HERE), made.image(ELSEWHERE))
    outer = an_index(made.blobs, inner)
    made.name(outer, str(APP))
    app.container.images.load_image()(io.BytesIO(made.bytes()))

    (pushed,) = app.container.images.push_image()(ImageName.of(APP))

    assert pushed.left_out == ()
    assert app.registry.resolve(APP).digest == outer.digest
    assert app.registry.resolve(APP.with_digest(inner.digest)).digest == inner.digest


def test_a_name_with_a_digest_is_refused_in_the_oldest_archives_too() -> None:
    layer = an_archive({"x": b"1"})
    files = {
        "top/json": b'{"os": "linux", "architecture": "amd64"}',
        "top/layer.tar": layer,
        "repositories": json.dumps({"registry.example/base": {f"1@{WRONG}": "top"}}).encode(),
    }
    app = InMemoryApp()

    with pytest.raises(InvalidArchive, match=r"it gives the name registry\.example/base:1@"):
        app.container.images.load_image()(io.BytesIO(an_archive(files)))

    assert list(app.images.list()) == []

"""Finding images by what users type for them."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.transfer.find_image import FindImage
from img.domain.digest import Digest
from img.domain.image_name import AmbiguousImage, ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference, StoredName
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of

DOCKERFILE = "FROM scratch\nCOPY a /\n"


def finder(app: InMemoryApp) -> FindImage:
    return FindImage(images=app.images, catalog=app.catalog)


def find(app: InMemoryApp, text: str) -> Digest:
    return finder(app)(ImageName.parse(text)).target.digest


def a_manifest(app: InMemoryApp, author: str, annotation: str = "") -> Descriptor:
    """Store an image without layers, and no name for it."""
    config = encode_config(ImageConfig(platform=HERE, author=author))
    manifest = encode_manifest(
        Manifest(
            config=Descriptor(
                media_type=media_types.OCI_CONFIG, digest=Digest.of(config), size=len(config)
            ),
            annotations={"a": annotation} if annotation else {},
        )
    )
    for content in (config, manifest):
        writer = app.blobs.writer()
        writer.write(content)
        writer.commit()
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(manifest), size=len(manifest)
    )


def put(app: InMemoryApp, target: Descriptor, name: str = "") -> StoredName:
    key = ImageReference.parse(name) if name else target.digest
    return app.images.put(key, target, app.clock.now()).name


def ids_of(app: InMemoryApp, count: int) -> list[Digest]:
    """Store images without a name; return their IDs."""
    find_image = finder(app)
    targets = [a_manifest(app, str(number)) for number in range(count)]
    for target in targets:
        put(app, target)
    return [find_image.id_of(target) for target in targets]


def test_every_digest_of_an_image_finds_it_in_full_and_cut_short() -> None:
    app = InMemoryApp()
    image = image_of(app.build(DOCKERFILE, {"a": b"1"}))
    target, config = image.target.digest, image.manifest.config.digest

    for digest in (target, config):
        for text in (str(digest), digest.encoded, digest.encoded[:12], str(digest)[:14]):
            found = finder(app)(ImageName.parse(text))
            assert found.target == image.target
            assert [str(name) for name in found.references] == ["docker.io/library/app:latest"]
            assert not found.by_name
    assert find(app, f"app@{target}") == target
    assert find(app, f"app:other@{target}") == target  # the digest decides


def test_an_image_without_a_name_is_found() -> None:
    app = InMemoryApp()
    image = image_of(app.build(DOCKERFILE, {"a": b"1"}, tags=[]))

    found = finder(app)(ImageName.parse(image.manifest.config.digest.encoded[:12]))

    assert found.target == image.target
    assert found.references == ()


def test_a_name_goes_before_the_beginning_of_an_id_and_not_before_an_id() -> None:
    app = InMemoryApp()
    (id_,) = ids_of(app, 1)
    other = a_manifest(app, "other")
    put(app, other, id_.encoded[:8])
    put(app, other, f"sha256:{id_.encoded[:10]}")
    put(app, other, f"sha256:{id_.encoded}")

    assert find(app, id_.encoded[:8]) == other.digest
    assert find(app, f"sha256:{id_.encoded[:10]}") == other.digest
    assert find(app, id_.encoded[:9]) != other.digest
    assert find(app, str(id_)) != other.digest


def test_what_may_be_several_images_says_which() -> None:
    app = InMemoryApp()
    ids = ids_of(app, 17)
    first = next(d for d in "0123456789abcdef" if sum(id_.encoded[0] == d for id_ in ids) > 1)

    with pytest.raises(AmbiguousImage) as error:
        find(app, first)

    for id_ in ids:
        if id_.encoded[0] == first:
            assert f"{id_.encoded[:12]} (<none>)" in error.value.candidates


def test_an_id_may_not_be_too_short_even_if_it_is_the_only_one() -> None:
    app = InMemoryApp()
    (id_,) = ids_of(app, 1)

    with pytest.raises(AmbiguousImage, match="too short"):
        find(app, id_.encoded[:3])
    assert find(app, id_.encoded[:4])


@pytest.mark.parametrize(
    "text", ["nothing", "0" * 64, f"sha256:{'0' * 64}", "00000000", f"app@sha256:{'0' * 64}"]
)
def test_what_is_not_here_is_not_found(text: str) -> None:
    app = InMemoryApp()
    app.build(DOCKERFILE, {"a": b"1"})

    with pytest.raises(ImageNotFound, match="not found"):
        find(app, text)


def test_a_digest_is_looked_for_in_the_repository_of_the_name_alone() -> None:
    app = InMemoryApp()
    built = app.build(DOCKERFILE, {"a": b"1"})

    with pytest.raises(ImageNotFound):
        find(app, f"other@{built.target.digest}")
    with pytest.raises(ImageNotFound):  # an ID is no digest of the repository
        find(app, f"app@{image_of(built).manifest.config.digest}")


def test_the_manifests_of_an_index_are_found_and_so_is_the_index() -> None:
    app = InMemoryApp()
    built = app.build(DOCKERFILE, {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    index, parts = built.target.digest, built.images

    assert find(app, str(index)) == index
    for part in parts:
        for digest in (part.target.digest, part.manifest.config.digest):
            found = finder(app)(ImageName.parse(str(digest)))
            assert found.target.digest == part.target.digest
            assert found.stored == ()
            assert found.part_of is not None
        assert find(app, f"app@{part.target.digest}") == part.target.digest


def test_one_image_in_two_forms_has_one_id() -> None:
    app = InMemoryApp()
    plain, annotated = a_manifest(app, "a"), a_manifest(app, "a", "x")
    names = {put(app, plain, "plain"), put(app, annotated, "annotated")}
    id_ = finder(app).id_of(plain)

    found = finder(app)(ImageName.parse(str(id_)))

    assert {image.name for image in found.stored} == names
    assert find(app, str(plain.digest)) == plain.digest
    assert find(app, str(annotated.digest)) == annotated.digest


def test_a_damaged_image_is_found_by_the_digest_of_its_manifest_and_hides_no_other() -> None:
    app = InMemoryApp()
    damaged = a_manifest(app, "damaged")
    put(app, damaged)
    (id_,) = ids_of(app, 1)
    app.blobs.remove(damaged.digest)

    assert find(app, str(damaged.digest)) == damaged.digest
    assert finder(app)(ImageName.parse(str(id_)))

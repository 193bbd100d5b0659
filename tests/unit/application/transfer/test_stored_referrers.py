"""Attestations beside images in the store."""

from img.domain.attestations.options import parse_attestations
from img.domain.image_name import ImageName
from img.domain.image_place import RegistryPlace, StoredPlace
from img.domain.oci.descriptor import Descriptor
from img.domain.outputs import ImageOutput
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.in_memory_app import HERE, InMemoryApp, a_request

NAME = ImageReference.parse("quay.io/team/app:1")


def built(app: InMemoryApp, file: bytes = b"1", place: str = "referrer") -> tuple[Descriptor, ...]:
    app.contexts.text = "FROM scratch\nCOPY a /\n"
    app.contexts.context = type(app.contexts.context)({"a": file})
    image = app.container.building.build_image()(
        a_request(),
        location=".",
        outputs=[ImageOutput(names=(NAME,))],
        attestations=parse_attestations([], "mode=min", place=place),
    )
    assert image is not None
    return image.referrers


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.container.registries.contents.override(app.registry)
    return app


def nameless(app: InMemoryApp) -> list[Descriptor]:
    return [each.target for each in app.images.list() if each.reference is None]


def test_a_push_sends_attestations_to_each_repository() -> None:
    app = an_app()
    (referrer,) = built(app)
    other = ImageReference.parse("quay.io/other/app:1")
    app.container.images.tag_image()(ImageName.parse(str(NAME)), other)

    app.container.images.push_image()(*map(ImageName.of, (NAME, other)))

    for name in (NAME, other):
        subject = app.registry.resolve(name).digest
        (found,) = app.registry.referrers(name, subject)
        assert found.digest == referrer.digest


def test_attestations_go_with_the_last_name_of_their_image() -> None:
    app = an_app()
    (referrer,) = built(app)
    other = ImageReference.parse("quay.io/other/app:1")
    app.container.images.tag_image()(ImageName.parse(str(NAME)), other)
    remove = app.container.housekeeping.remove_image

    remove()(ImageName.of(NAME))
    assert [each.digest for each in nameless(app)] == [referrer.digest]
    remove()(ImageName.of(other))
    assert nameless(app) == []
    assert app.blobs.size(referrer.digest) is None


def test_a_build_replaces_the_attestations_of_the_last_one() -> None:
    app = an_app()
    built(app)

    (second,) = built(app, b"2")

    assert [each.digest for each in nameless(app)] == [second.digest]


def test_a_list_of_images_does_not_have_them() -> None:
    app = an_app()
    built(app)

    listed = app.container.images.list_images()(HERE)

    assert [each.image.reference for each in listed] == [NAME]


def test_they_are_found_by_platform_and_type_at_both_places() -> None:
    app = an_app()
    built(app)
    app.container.images.push_image()(ImageName.of(NAME))
    listing = app.container.images.list_attestations()

    for place in (StoredPlace(ImageName.of(NAME)), RegistryPlace(NAME)):
        (found,) = listing(place, HERE, "provenance")
        assert found.is_referrer and found.platform == HERE
        assert listing(place, HERE, str(found.blob.digest)[:20]) == [found]
        assert listing(place, HERE, "sbom") == []
        assert listing(place, Platform("linux", "s390x"), "") == []
        assert b"https://slsa.dev/provenance/v1" in listing.content(place, found)


def test_those_of_former_indexes_are_not_listed_as_referrers() -> None:
    app = an_app()
    listing = app.container.images.list_attestations()
    found = []
    for _ in range(2):  # at different times, so the statements differ
        built(app, place="index")
        app.container.images.push_image()(ImageName.of(NAME))
        (listed,) = listing(RegistryPlace(NAME))
        assert not listed.is_referrer
        found.append(listed.blob.digest)

    assert found[0] != found[1]

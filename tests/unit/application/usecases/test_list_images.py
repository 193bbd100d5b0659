"""Listing images."""

from collections.abc import Sequence
from datetime import timedelta
from typing import BinaryIO

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.image_store import ImageNotFound
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.application.usecases.list_images import ListedImage, ListImages
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_filter import ImageFilter, parse_image_filters
from img.domain.reference import ImageReference
from img.domain.usage import Since
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of


def listed(app: InMemoryApp, containing: str = "") -> list[ListedImage]:
    return list(app.container.images.list_images()(HERE, ImageFilter(text=containing)))


def names(images: list[ListedImage]) -> list[str]:
    return [str(image.image.name).removeprefix("docker.io/library/") for image in images]


def test_images_are_sorted_by_name() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["b:1", "a:2", "a:1"])

    assert names(listed(app)) == ["a:1", "a:2", "b:1"]


def test_a_size_counts_all_that_the_image_is_stored_as() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))

    (image,) = listed(app)

    stored = [built.target, built.manifest.config, *built.manifest.layers]
    assert image.size == sum(blob.size for blob in stored)


def test_of_many_platforms_what_is_here_is_counted() -> None:
    app = InMemoryApp()
    both = app.build(
        "FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["both"], platforms=[HERE, ELSEWHERE]
    )
    (whole,) = listed(app)
    app.blobs.remove(both.images[1].target.digest)

    (image,) = listed(app)

    assert whole.size is not None and image.size is not None
    assert 0 < image.size < whole.size


def test_a_part_of_the_full_name_chooses() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app", "quay.io/team/tool"])

    assert names(listed(app, "quay")) == ["quay.io/team/tool:latest"]
    assert names(listed(app, "docker.io")) == ["app:latest"]


def test_each_document_of_an_image_is_read_once() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app"]))
    read: list[Digest] = []

    class Watched(MemoryBlobStore):
        def open(self, digest: Digest) -> BinaryIO:
            read.append(digest)
            return app.blobs.open(digest)

    catalog = Catalog(blobs=Watched())
    find = FindImage(images=app.images, catalog=catalog)

    (image,) = ListImages(images=app.images, catalog=catalog, find=find)(HERE)

    assert image.size is not None
    assert read == [built.target.digest, built.manifest.config.digest]


def test_a_damaged_image_is_listed_without_a_size() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    app.blobs.remove(image_of(built).manifest.config.digest)

    (image,) = listed(app)

    assert image.size is None


def chosen(app: InMemoryApp, *filters: str, patterns: Sequence[str] = ()) -> list[str]:
    list_images = app.container.images.list_images()
    wanted = parse_image_filters(
        filters,
        patterns,
        created=lambda name: list_images.created(name, HERE),
        ago=Since(app.clock.now()),
    )
    return [
        image.image.reference.familiar if image.image.reference else "<none>"
        for image in list_images(HERE, wanted)
    ]


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.build("FROM scratch\nLABEL a=1 b=\n", {}, tags=["app:1", "quay.io/team/tool:2"])
    app.clock.advance(timedelta(hours=1))
    app.build("FROM scratch\nLABEL a=2\n", tags=["app:2"])
    app.clock.advance(timedelta(hours=1))
    built = app.build("FROM scratch\nLABEL c=3\n", tags=[])
    pinned = ImageReference.parse("pinned").with_tag("").with_digest(built.target.digest)
    app.images.put(pinned, built.target, app.clock.now())
    app.build("FROM scratch\nLABEL d=4\n", tags=[])
    return app


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["reference=app"], ["app:1", "app:2"]),
        (["reference=app:*"], ["app:1", "app:2"]),
        (["reference=a?p:[12]"], ["app:1", "app:2"]),
        (["reference=app:1", "reference=*/*/*:2"], ["app:1", "quay.io/team/tool:2"]),
        (["reference=docker.io/library/app"], ["app:1", "app:2"]),
        (["reference=*"], ["app:1", "app:2", "PINNED"]),
        (["reference=team/*"], []),
        (["reference=x"], []),
        (["dangling=true"], ["PINNED", "<none>"]),
        (["dangling=false"], ["app:1", "app:2", "quay.io/team/tool:2"]),
        (["label=a"], ["app:1", "app:2", "quay.io/team/tool:2"]),
        (["label=a=1"], ["app:1", "quay.io/team/tool:2"]),
        (["label=a=1", "label=b"], ["app:1", "quay.io/team/tool:2"]),
        (["label!=a", "dangling=true"], ["PINNED", "<none>"]),
        (["before=app:2"], ["app:1", "quay.io/team/tool:2"]),
        (["since=app:2"], ["PINNED", "<none>"]),
        (["since=app:1", "before=pinned@DIGEST"], ["app:2"]),
        (["until=90m"], ["app:1", "quay.io/team/tool:2"]),
        (["tool"], ["quay.io/team/tool:2"]),
    ],
)
def test_filters_choose_as_dockers_do(filters: list[str], names: list[str]) -> None:
    app = an_app()
    (pinned,) = [i.reference for i in app.images.list() if i.reference and i.reference.digest]
    filters = [each.replace("pinned@DIGEST", pinned.familiar) for each in filters]

    assert chosen(app, *filters) == [each.replace("PINNED", pinned.familiar) for each in names]


def test_a_name_behind_the_options_is_a_pattern() -> None:
    app = an_app()

    assert chosen(app, patterns=["app"]) == ["app:1", "app:2"]
    assert chosen(app, "label=a=2", patterns=["app"]) == ["app:2"]
    assert chosen(app, patterns=["docker.io/library/app:2"]) == ["app:2"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("referense=x", "is no filter"),
        ("dangling=maybe", "is no filter"),
        ("reference=[", "syntax error in pattern"),
        ("until=someday", "is no time"),
    ],
)
def test_a_filter_that_makes_no_sense_is_said(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        chosen(InMemoryApp(), text)


def test_an_image_to_compare_with_has_to_be_here() -> None:
    with pytest.raises(ImageNotFound):
        chosen(InMemoryApp(), "before=nothing")


def test_ids_are_those_of_configs_and_of_indexes() -> None:
    app = InMemoryApp()
    one = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["one"]))
    both = app.build(app.contexts.text, tags=["two"], platforms=[HERE, ELSEWHERE])

    assert [image.id for image in listed(app)] == [
        one.manifest.config.digest,
        both.target.digest,
    ]

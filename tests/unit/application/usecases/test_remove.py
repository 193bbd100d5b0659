"""Removing images."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.usecases.remove import PartOfAnImage, SeveralRepositories
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of

BASE, APP, OTHER = (ImageReference.parse(name) for name in ("base", "app", "other"))


def test_what_only_a_removed_image_needed_goes_with_it() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})
    app.container.images.pull_image()(BASE, HERE)

    app.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert list(app.images.list()) == []
    assert list(app.blobs.digests()) == []
    assert list(app.indexes.diff_ids()) == []


def test_what_another_name_needs_stays() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})
    image = app.container.images.pull_image()(BASE, HERE)
    app.container.images.tag_image()(ImageName.of(BASE), OTHER)

    app.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert app.files_in(app.catalog.image(image.target, HERE).layers) == {"a": b"1"}


def test_what_the_build_cache_may_use_stays() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    app.container.housekeeping.remove_image()(ImageName.of(APP))
    app.forget_progress()

    app.build(app.contexts.text)

    assert app.found == ["[1/1] COPY a /"]


def test_a_name_that_is_not_here_cannot_be_removed() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})

    with pytest.raises(ImageNotFound):
        app.container.housekeeping.remove_image()(ImageName.of(OTHER))

    assert app.images.get(APP)


def test_while_others_work_the_name_goes_and_the_bytes_wait() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})
    app.container.images.pull_image()(BASE, HERE)

    with app.lock.working():
        app.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert list(app.images.list()) == []
    assert list(app.blobs.digests()) != []


def remove(app: InMemoryApp, text: str, *, force: bool = False) -> None:
    app.container.housekeeping.remove_image()(ImageName.parse(text), force=force)


def names_left(app: InMemoryApp) -> list[str]:
    return [image.reference.familiar for image in app.images.list() if image.reference]


def test_an_id_removes_all_names_of_a_repository() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app:1", "app:2"])
    app.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["other"])

    remove(app, image_of(built).manifest.config.digest.encoded[:12])

    assert names_left(app) == ["other:latest"]
    assert app.blobs.size(built.target.digest) is None


def test_an_id_removes_no_names_in_several_repositories_but_by_force() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app", "other"])
    id_ = str(image_of(built).manifest.config.digest)

    with pytest.raises(SeveralRepositories, match="app:latest, other:latest"):
        remove(app, id_)
    assert names_left(app) == ["app:latest", "other:latest"]
    remove(app, f"app@{built.target.digest}")
    assert names_left(app) == ["other:latest"]
    app.build(app.contexts.text, tags=["app"])
    remove(app, id_, force=True)
    assert names_left(app) == []


def test_an_image_without_a_name_is_removed_by_its_id() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[])

    remove(app, str(image_of(built).manifest.config.digest))

    assert list(app.images.list()) == []
    assert app.blobs.size(built.target.digest) is None


def test_a_part_of_an_index_is_not_removed() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    with pytest.raises(PartOfAnImage, match="one platform of the image"):
        remove(app, str(built.images[0].target.digest), force=True)

    assert names_left(app) == ["app:latest"]

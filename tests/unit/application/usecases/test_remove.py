"""Removing images."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.usecases.remove import PartOfAnImage, SeveralRepositories
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from tests.support.workshop import ELSEWHERE, HERE, Workshop, image_of

BASE, APP, OTHER = (ImageReference.parse(name) for name in ("base", "app", "other"))


def test_what_only_a_removed_image_needed_goes_with_it() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    workshop.container.images.pull_image()(BASE, HERE)

    workshop.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert list(workshop.images.list()) == []
    assert list(workshop.blobs.digests()) == []
    assert list(workshop.indexes.diff_ids()) == []


def test_what_another_name_needs_stays() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    image = workshop.container.images.pull_image()(BASE, HERE)
    workshop.container.images.tag_image()(ImageName.of(BASE), OTHER)

    workshop.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert workshop.files_in(workshop.catalog.image(image.target, HERE).layers) == {"a": b"1"}


def test_what_the_build_cache_may_use_stays() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.container.housekeeping.remove_image()(ImageName.of(APP))
    workshop.forget_progress()

    workshop.build(workshop.contexts.text)

    assert workshop.found == ["[1/1] COPY a /"]


def test_a_name_that_is_not_here_cannot_be_removed() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})

    with pytest.raises(ImageNotFound):
        workshop.container.housekeeping.remove_image()(ImageName.of(OTHER))

    assert workshop.images.get(APP)


def test_while_others_work_the_name_goes_and_the_bytes_wait() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    workshop.container.images.pull_image()(BASE, HERE)

    with workshop.lock.working():
        workshop.container.housekeeping.remove_image()(ImageName.of(BASE))

    assert list(workshop.images.list()) == []
    assert list(workshop.blobs.digests()) != []


def remove(workshop: Workshop, text: str, *, force: bool = False) -> None:
    workshop.container.housekeeping.remove_image()(ImageName.parse(text), force=force)


def names_left(workshop: Workshop) -> list[str]:
    return [image.reference.familiar for image in workshop.images.list() if image.reference]


def test_an_id_removes_all_names_of_a_repository() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app:1", "app:2"])
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["other"])

    remove(workshop, image_of(built).manifest.config.digest.encoded[:12])

    assert names_left(workshop) == ["other:latest"]
    assert workshop.blobs.size(built.target.digest) is None


def test_an_id_removes_no_names_in_several_repositories_but_by_force() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app", "other"])
    id_ = str(image_of(built).manifest.config.digest)

    with pytest.raises(SeveralRepositories, match="app:latest, other:latest"):
        remove(workshop, id_)
    assert names_left(workshop) == ["app:latest", "other:latest"]
    remove(workshop, f"app@{built.target.digest}")
    assert names_left(workshop) == ["other:latest"]
    workshop.build(workshop.contexts.text, tags=["app"])
    remove(workshop, id_, force=True)
    assert names_left(workshop) == []


def test_an_image_without_a_name_is_removed_by_its_id() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[])

    remove(workshop, str(image_of(built).manifest.config.digest))

    assert list(workshop.images.list()) == []
    assert workshop.blobs.size(built.target.digest) is None


def test_a_part_of_an_index_is_not_removed() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    with pytest.raises(PartOfAnImage, match="one platform of the image"):
        remove(workshop, str(built.images[0].target.digest), force=True)

    assert names_left(workshop) == ["app:latest"]

"""Listing images."""

from img.application.usecases.list_images import ListedImage
from tests.unit.application.workshop import ELSEWHERE, HERE, Workshop, image_of


def listed(workshop: Workshop, containing: str = "") -> list[ListedImage]:
    return list(workshop.container.list_images()(HERE, containing))


def names(images: list[ListedImage]) -> list[str]:
    return [str(image.image.name).removeprefix("docker.io/library/") for image in images]


def test_images_are_sorted_by_name() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["b:1", "a:2", "a:1"])

    assert names(listed(workshop)) == ["a:1", "a:2", "b:1"]


def test_a_size_counts_all_that_the_image_is_stored_as() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))

    (image,) = listed(workshop)

    stored = [built.target, built.manifest.config, *built.manifest.layers]
    assert image.size == sum(blob.size for blob in stored)


def test_of_many_platforms_what_is_here_is_counted() -> None:
    workshop = Workshop()
    both = workshop.build(
        "FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["both"], platforms=[HERE, ELSEWHERE]
    )
    (whole,) = listed(workshop)
    workshop.blobs.remove(both.images[1].target.digest)

    (image,) = listed(workshop)

    assert whole.size is not None and image.size is not None
    assert 0 < image.size < whole.size


def test_a_part_of_the_full_name_chooses() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app", "quay.io/team/tool"])

    assert names(listed(workshop, "quay")) == ["quay.io/team/tool:latest"]
    assert names(listed(workshop, "docker.io")) == ["app:latest"]


def test_a_damaged_image_is_listed_without_a_size() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    workshop.blobs.remove(image_of(built).manifest.config.digest)

    (image,) = listed(workshop)

    assert image.size is None

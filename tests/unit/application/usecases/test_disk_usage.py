"""Disk usage by item."""

from img.domain.usage import UsageFilter, UsedItem
from tests.support.workshop import HERE, Workshop, image_of


def used(workshop: Workshop, containing: str = "") -> list[UsedItem]:
    items = workshop.container.housekeeping.disk_usage()(UsageFilter(text=containing))
    return [item for item in items if item.id != "state"]


def test_nothing_is_here_at_first() -> None:
    assert used(Workshop()) == []


def test_blobs_are_listed_by_what_made_them_largest_first() -> None:
    workshop = Workshop()
    workshop.commands["make"] = lambda root: root.write("made", bytes(range(256)) * 100)
    workshop.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"1"})

    items = used(workshop)

    assert [item.size for item in items] == sorted((item.size for item in items), reverse=True)
    assert {item.description for item in items} == {
        "COPY a /",
        "RUN make",
        "config of docker.io/library/app:latest",
        "image docker.io/library/app:latest",
        "unpacked layers of docker.io/library/app:latest",
    }


def test_what_an_image_needs_is_not_reclaimable_and_the_rest_is() -> None:
    workshop = Workshop()
    old = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    new = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"2"})

    reclaimable = {item.id: item.reclaimable for item in used(workshop)}

    assert reclaimable[image_of(old).layers[0].descriptor.digest.encoded]
    assert not reclaimable[image_of(new).layers[0].descriptor.digest.encoded]


def test_pulled_layers_are_named_by_their_image() -> None:
    workshop = Workshop()
    base = workshop.publish("base", {"a": b"1"})
    workshop.container.images.pull_image()(base, HERE)

    assert "pulled from docker.io/library/base:latest" in {i.description for i in used(workshop)}


def test_a_part_of_a_name_or_id_chooses() -> None:
    workshop = Workshop()
    built = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    digest = image_of(built).layers[0].descriptor.digest

    assert [item.description for item in used(workshop, "COPY")] == ["COPY a /"]
    assert [item.description for item in used(workshop, digest.encoded[:12])] == ["COPY a /"]
    assert used(workshop, "nothing like it") == []


def test_a_damaged_image_does_not_hide_the_rest() -> None:
    workshop = Workshop()
    broken = workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["broken"])
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["good"])
    workshop.blobs.remove(broken.target.digest)

    assert "config of docker.io/library/good:latest" in {i.description for i in used(workshop)}

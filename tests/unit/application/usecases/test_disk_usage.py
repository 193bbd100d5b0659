"""Disk usage by item."""

from img.domain.usage import UsageFilter, UsedItem
from tests.support.in_memory_app import HERE, InMemoryApp, image_of


def used(app: InMemoryApp, containing: str = "") -> list[UsedItem]:
    items = app.container.housekeeping.disk_usage()(UsageFilter(text=containing))
    return [item for item in items if item.id != "state"]


def test_nothing_is_here_at_first() -> None:
    assert used(InMemoryApp()) == []


def test_blobs_are_listed_by_what_made_them_largest_first() -> None:
    app = InMemoryApp()
    app.commands["make"] = lambda root: root.write("made", bytes(range(256)) * 100)
    app.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"1"})

    items = used(app)

    assert [item.size for item in items] == sorted((item.size for item in items), reverse=True)
    assert {item.description for item in items} == {
        "COPY a /",
        "RUN make",
        "config of docker.io/library/app:latest",
        "image docker.io/library/app:latest",
        "unpacked layers of docker.io/library/app:latest",
    }


def test_what_an_image_needs_is_not_reclaimable_and_the_rest_is() -> None:
    app = InMemoryApp()
    old = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    new = app.build("FROM scratch\nCOPY a /\n", {"a": b"2"})

    reclaimable = {item.id: item.reclaimable for item in used(app)}

    assert reclaimable[image_of(old).layers[0].descriptor.digest.encoded]
    assert not reclaimable[image_of(new).layers[0].descriptor.digest.encoded]


def test_pulled_layers_are_named_by_their_image() -> None:
    app = InMemoryApp()
    base = app.publish("base", {"a": b"1"})
    app.container.images.pull_image()(base, HERE)

    assert "pulled from docker.io/library/base:latest" in {i.description for i in used(app)}


def test_a_part_of_a_name_or_id_chooses() -> None:
    app = InMemoryApp()
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"})
    digest = image_of(built).layers[0].descriptor.digest

    assert [item.description for item in used(app, "COPY")] == ["COPY a /"]
    assert [item.description for item in used(app, digest.encoded[:12])] == ["COPY a /"]
    assert used(app, "nothing like it") == []


def test_a_damaged_image_does_not_hide_the_rest() -> None:
    app = InMemoryApp()
    broken = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["broken"])
    app.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["good"])
    app.blobs.remove(broken.target.digest)

    assert "config of docker.io/library/good:latest" in {i.description for i in used(app)}

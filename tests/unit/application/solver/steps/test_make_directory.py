"""WORKDIR."""

import pytest

from img.domain.errors import BuildError
from img.domain.filesystem.entry import DIRECTORY, Entry
from tests.support.in_memory_app import InMemoryApp, image_of

PASSWD = b"root:x:0:0::/:/bin/sh\napp:x:7:8::/:/bin/sh\n"


def test_missing_directories_are_made() -> None:
    app = InMemoryApp()
    app.publish("base", {"srv/x": b"0"})

    image = image_of(app.build("FROM base\nWORKDIR /srv/app/data\n"))

    made = list(app.container.images.trees().index_of(image.layers[-1]))
    assert [(entry.path, entry.kind, entry.mode) for entry in made][-2:] == [
        ("srv/app", DIRECTORY, 0o755),
        ("srv/app/data", DIRECTORY, 0o755),
    ]
    assert image.config.run.working_dir == "/srv/app/data"


def test_one_that_is_there_gives_an_empty_layer_as_in_buildkit() -> None:
    app = InMemoryApp()
    app.commands["mkdir"] = lambda root: root.write("srv/x", b"")

    image = image_of(app.build("FROM scratch\nRUN mkdir\nWORKDIR /srv\n"))

    assert len(app.container.images.trees().index_of(image.layers[-1])) == 0
    assert not image.config.history[-1].empty_layer


def test_it_belongs_to_the_user_of_the_stage() -> None:
    app = InMemoryApp()
    app.publish("base", {"etc/passwd": PASSWD})

    image = image_of(app.build("FROM base\nUSER app\nWORKDIR /home/app\n"))

    made = app.container.images.trees().of(image.layers).get("home/app")
    assert made is not None and (made.uid, made.gid) == (7, 8)


@pytest.mark.parametrize(("user", "ids"), [("", (0, 33)), ("USER app\n", (7, 8))])
def test_one_below_a_set_group_id_directory_inherits(user: str, ids: tuple[int, int]) -> None:
    app = InMemoryApp()
    app.publish("base", {"etc/passwd": PASSWD})
    app.commands["mkdir"] = lambda root: root.put(Entry("srv", DIRECTORY, 0o2775, 0, 33))

    image = image_of(app.build(f"FROM base\nRUN mkdir\n{user}WORKDIR /srv/a/b\n"))

    tree = app.container.images.trees().of(image.layers)
    for path in ("srv/a", "srv/a/b"):
        made = tree.get(path)
        assert made is not None and (made.mode, made.uid, made.gid) == (0o2755, *ids)


def test_a_file_in_the_way_is_said() -> None:
    app = InMemoryApp()
    app.publish("base", {"srv": b"a file"})

    with pytest.raises(BuildError, match="/srv is a file") as failed:
        app.build("FROM base\nWORKDIR /srv/app\n")

    assert failed.value.lines == (2, 2)


def test_the_same_directory_is_made_once() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nWORKDIR /app\n")
    app.forget_progress()

    app.build("FROM scratch\nWORKDIR /app\nCMD x\n")

    assert app.found == ["[1/1] WORKDIR /app"]

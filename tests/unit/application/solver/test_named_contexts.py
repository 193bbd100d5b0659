"""Named contexts: what they replace, and where they come from."""

import pytest

from img.domain.errors import ContextError, DockerfileError
from tests.unit.application.solver.context_places import World, an_archive

MAIN = {"Dockerfile": b"FROM scratch\nCOPY --from=other . /o/\n"}


@pytest.mark.parametrize(
    ("world", "place"),
    [
        (
            World(
                directories={".": MAIN, "dir": {"a": b"1", "b": b"2", ".dockerignore": b"b\n.*"}}
            ),
            "dir",
        ),
        (World(directories={".": MAIN}, repository={"a": b"1"}), "https://host/r.git"),
    ],
    ids=["directory", "git"],
)
def test_a_named_context_gives_its_files(world: World, place: str) -> None:
    assert world.build(".", other=place) == {"o/a": b"1"}


def test_a_named_context_on_the_web_is_one_file() -> None:
    world = World(directories={".": MAIN}, pages={"https://host/f": b"1"})
    assert world.build(".", other="https://host/f") == {"o/context": b"1"}


def test_a_named_context_takes_the_place_of_a_stage() -> None:
    text = b"FROM scratch AS other\nCOPY Dockerfile /\nFROM scratch\nCOPY --from=other . /o/\n"
    world = World(directories={".": {"Dockerfile": text}, "dir": {"a": b"1"}})
    assert world.build(".", other="dir") == {"o/a": b"1"}


def test_a_named_context_can_be_a_base() -> None:
    world = World(
        directories={".": {"Dockerfile": b"FROM other\n"}}, repository={"a": b"1", "d/b": b"2"}
    )
    assert world.build(".", other="https://host/r.git") == {"a": b"1", "d/b": b"2"}


def test_a_named_context_that_nobody_needs_is_not_opened() -> None:
    world = World(directories={".": {"Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n"}})
    assert set(world.build(".", other="https://host/nope.git")) == {"Dockerfile"}


def test_a_named_context_that_is_not_there_is_named() -> None:
    with pytest.raises(ContextError, match="failed to get build context other: nowhere"):
        World(directories={".": MAIN}).build(".", other="nowhere")


def test_a_named_context_that_is_nowhere_is_refused_even_if_nobody_needs_it() -> None:
    world = World(directories={".": {"Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n"}})
    with pytest.raises(ContextError, match='failed to get build context "other"'):
        world.build(".", other="")


def test_a_kind_of_context_that_is_unknown_is_refused() -> None:
    for place, kind in (("target:base", "target"), ("ftp://host/x", "ftp")):
        with pytest.raises(DockerfileError, match=f"unsupported context source {kind} for other"):
            World(directories={".": MAIN}).build(".", other=place)


def test_a_context_that_is_nothing_makes_an_empty_base() -> None:
    world = World(directories={".": {"Dockerfile": b"FROM other\nCOPY Dockerfile /\n"}})
    assert set(world.build(".", other="docker-image://scratch")) == {"Dockerfile"}


def test_a_named_context_may_be_a_directory_of_an_archive() -> None:
    pages = {"https://host/c.tgz": an_archive({"top/a": b"1", "b": b"2"})}
    dockerfile = {"Dockerfile": b"FROM scratch\nCOPY --from=named . /all/\n"}
    world = World(directories={".": dockerfile}, pages=pages)

    assert world.build(".", named="https://host/c.tgz#:top") == {"all/a": b"1"}

"""Contexts from wherever they are, and the Dockerfiles that belong to them."""

import io
import tarfile
from collections.abc import Mapping
from datetime import datetime

import pytest

from img.application.ports.build_context import LARGEST_DOCKERFILE
from img.domain.bake.definition.remote import LARGEST_PAGE
from img.domain.bake.errors import BakeError
from img.domain.errors import ContextError, DockerfileError, ImgError, UsageError
from img.domain.git_reference import BadGitReference
from tests.support.in_memory_app import a_request, image_of
from tests.unit.application.solver.context_places import World, an_archive

COPY_ALL = b"FROM scratch\nCOPY . /all/\n"
FILES = {"Dockerfile": COPY_ALL, "a": b"1", "secret": b"s", ".dockerignore": b"secret\nDockerfile"}
EXPECTED = {"all/a": b"1", "all/.dockerignore": FILES[".dockerignore"]}


@pytest.mark.parametrize(
    ("world", "location"),
    [
        (World(directories={"dir": FILES}), "dir"),
        (World(stdin=an_archive(FILES)), "-"),
        (World(pages={"https://host/c.tgz": an_archive(FILES)}), "https://host/c.tgz"),
        (World(repository=FILES), "https://host/r.git"),
        (World(repository=FILES), "github.com/a/r#main"),
    ],
    ids=["directory", "standard input", "web", "git", "hub"],
)
def test_a_context_gives_the_same_files_wherever_it_comes_from(world: World, location: str) -> None:
    assert world.build(location) == EXPECTED


DATED = b"""\
ARG SOURCE_DATE_EPOCH=context
FROM scratch
ARG SOURCE_DATE_EPOCH
ENV AT=$SOURCE_DATE_EPOCH
COPY a /
"""
NAMED = DATED.replace(b"context", b"other")


@pytest.mark.parametrize(
    ("world", "location", "named", "expected"),
    [
        (World(directories={"dir": {"Dockerfile": DATED, "a": b""}}), "dir", {}, None),
        (World(stdin=an_archive({"Dockerfile": DATED, "a": b""}, mtime=70)), "-", {}, 70),
        (World(stdin=DATED.replace(b"COPY a /\n", b"")), "-", {}, None),
        (
            World(
                pages={"https://host/c.tgz": an_archive({"Dockerfile": DATED, "a": b""}, mtime=70)}
            ),
            "https://host/c.tgz",
            {},
            70,
        ),
        (
            World(
                pages={"https://host/c.tgz": an_archive({"Dockerfile": DATED, "a": b""}, mtime=70)},
                modified=80,
            ),
            "https://host/c.tgz",
            {},
            80,
        ),
        (World(repository={"Dockerfile": DATED, "a": b""}), "https://host/r.git", {}, 90),
        (
            World(directories={"dir": {"Dockerfile": NAMED, "a": b""}}, repository={"x": b""}),
            "dir",
            {"other": "https://host/r.git"},
            90,
        ),
    ],
    ids=["directory", "archive", "Dockerfile", "web", "modified", "git", "named"],
)
def test_source_date_epoch_may_be_the_time_of_a_context(
    world: World, location: str, named: dict[str, str], expected: int | None
) -> None:
    config = image_of(world.built(location, request=a_request(contexts=named))).config

    env = dict(config.run.env)
    assert env["AT"] == ("" if expected is None else str(expected))
    shown = datetime.fromisoformat(config.created or "").timestamp()
    assert shown == (expected or world.app.clock.now().timestamp())


def test_files_of_a_commit_have_its_time_where_an_epoch_is_given() -> None:
    world = World(repository={"Dockerfile": b"FROM scratch\nCOPY a /\n", "a": b"1"})
    request = a_request(build_args={"SOURCE_DATE_EPOCH": "1000"})

    built = image_of(world.built("https://host/r.git", request=request))

    (entry,) = world.app.container.images.trees().index_of(built.layers[-1])
    assert entry.mtime == 90 * 10**9


def test_a_dockerfiles_own_ignore_file_goes_first_in_an_archive() -> None:
    files = {**FILES, "Dockerfile.dockerignore": b"a\nDock*\n.*"}
    assert World(stdin=an_archive(files)).build("-") == {"all/secret": b"s"}


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])
def test_what_is_no_regular_file_of_an_archive_is_refused_by_name(name: str, kind: bytes) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        if name != "Dockerfile":
            dockerfile = tarfile.TarInfo("Dockerfile")
            dockerfile.size = len(COPY_ALL)
            tar.addfile(dockerfile, io.BytesIO(COPY_ALL))
        planted = tarfile.TarInfo(name)
        planted.type, planted.linkname = kind, "../../etc/passwd"
        tar.addfile(planted)
    with pytest.raises(ContextError, match=f"unable to open {name}: it is, or is a link to, no"):
        World(stdin=content.getvalue()).build("-")


@pytest.mark.parametrize("size", [LARGEST_DOCKERFILE, LARGEST_DOCKERFILE + 1])
def test_a_dockerfile_has_a_largest_size(size: int) -> None:
    dockerfile = b"FROM scratch\n#".ljust(size, b"\0")
    worlds = [
        (World(stdin=dockerfile), "-", None),
        (World(stdin=an_archive({"Dockerfile": dockerfile})), "-", None),
        (World(pages={"https://host/Dockerfile": dockerfile}), "https://host/Dockerfile", None),
        (World(repository={"Dockerfile": dockerfile}), "https://host/r.git", None),
        (World(repository={}, stdin=dockerfile), "https://host/r.git", "-"),
    ]
    for world, location, file in worlds:
        problem = "greater than max allowed size of 65535" if size == LARGEST_DOCKERFILE else None
        with pytest.raises(ImgError, match=problem or f"larger than {LARGEST_DOCKERFILE} bytes"):
            world.build(location, file)


def test_a_dockerfile_has_a_largest_number_of_lines() -> None:
    with pytest.raises(DockerfileError, match="more than 100000 lines"):
        World(stdin=b"FROM scratch\n" + b"\n" * 100_000).build("-")


def test_what_is_let_in_again_keeps_its_directory() -> None:
    files = {"Dockerfile": COPY_ALL, "d/a": b"1", "d/b": b"2", ".dockerignore": b"*\n!d/a"}
    for world, location in (
        (World(stdin=an_archive(files)), "-"),
        (World(repository=files), "https://host/r.git"),
    ):
        assert world.build(location) == {"all/d/a": b"1"}


def test_owners_of_an_archives_files_stay() -> None:
    world = World(stdin=an_archive({"Dockerfile": COPY_ALL}))
    layers = world.built("-").images[0].layers
    entry = world.app.container.images.trees().of(layers).get("all/Dockerfile")
    assert entry is not None
    assert entry.uid == 7


def test_a_directory_goes_before_a_repository_of_that_name() -> None:
    world = World(directories={"github.com/a/r": {"Dockerfile": COPY_ALL, "local": b""}})
    assert "all/local" in world.build("github.com/a/r")


def test_a_dockerfile_alone_has_an_empty_context() -> None:
    text = b"FROM scratch\nCOPY <<E /x\nhi\nE\n"
    assert World(stdin=text).build("-") == {"x": b"hi\n"}
    with pytest.raises(ImgError, match="not found"):
        World(stdin=b"FROM scratch\nCOPY a /\n").build("-")


def test_a_dockerfile_on_the_web_is_its_own_context() -> None:
    text = b"FROM scratch\nCOPY . /all/\n"
    assert World(pages={"https://host/D": text}).build("https://host/D") == {"all/context": text}


@pytest.mark.parametrize(
    ("file", "others", "pages"),
    [
        ("sub/Other", {}, {}),
        ("/outside/Other", {"/outside/Other": b"FROM scratch\nCOPY a /x\n"}, {}),
        ("https://host/Other", {}, {"https://host/Other": b"FROM scratch\nCOPY a /x\n"}),
    ],
)
def test_the_dockerfile_of_an_archive_may_be_in_it_or_elsewhere(
    file: str, others: Mapping[str, bytes], pages: Mapping[str, bytes]
) -> None:
    files = {"a": b"1", "sub/Other": b"FROM scratch\nCOPY a /x\n"}
    world = World(stdin=an_archive(files), others=others, pages=pages)
    assert world.build("-", file) == {"x": b"1"}


def test_a_dockerfile_on_the_web_goes_with_a_directory() -> None:
    files = {"a": b"1", "b": b"2", ".dockerignore": b"b"}
    pages = {"https://host/Other": COPY_ALL}
    world = World(directories={"dir": files}, pages=pages)
    assert set(world.build("dir", "https://host/Other")) == {"all/a", "all/.dockerignore"}


def test_a_dockerfile_by_standard_input_goes_with_a_repository() -> None:
    world = World(stdin=b"FROM scratch\nCOPY a /x\n", repository={"a": b"1"})
    assert world.build("https://host/r.git", "-") == {"x": b"1"}


@pytest.mark.parametrize("name", ["dockerfile", "Containerfile"])
def test_a_small_d_will_do_and_the_name_that_podman_gives(name: str) -> None:
    assert f"all/{name}" in World(stdin=an_archive({name: COPY_ALL})).build("-")
    assert f"all/{name}" in World(repository={name: COPY_ALL}).build("https://host/r.git")


def test_a_context_without_dockerfile_says_so() -> None:
    with pytest.raises(ContextError, match="open Dockerfile: no such file"):
        World(stdin=an_archive({"a": b"1"})).build("-")
    with pytest.raises(ContextError, match="open Other: no such file"):
        World(repository={"a": b"1"}).build("https://host/r.git", "Other")


def test_standard_input_is_not_for_two_things() -> None:
    with pytest.raises(UsageError, match="can't use stdin for both build context and dockerfile"):
        World(stdin=COPY_ALL).build("-", "-")
    with pytest.raises(UsageError, match="ambiguous Dockerfile source"):
        World(stdin=COPY_ALL).build("-", "Other")


def test_a_place_that_is_nothing_is_named() -> None:
    with pytest.raises(ContextError, match='path "nowhere" not found'):
        World().build("nowhere")
    with pytest.raises(BadGitReference, match='unexpected query "x"'):
        World().build("https://host/r.git?x=1")


def test_a_repository_is_fetched_once_a_commit() -> None:
    world = World(repository=FILES)
    first = world.built("https://host/r.git")
    assert world.built("https://host/r.git").target == first.target
    assert len(world.git.checkouts) == 1


IN_A_DIRECTORY = {f"top/{name}": content for name, content in FILES.items()}


def test_a_directory_of_an_archive_is_a_context() -> None:
    archive = an_archive({**IN_A_DIRECTORY, "outside": b"no"})
    world = World(pages={"https://host/c.tgz": archive})

    assert world.build("https://host/c.tgz#:top") == EXPECTED
    with pytest.raises(ContextError, match="other: no such directory in the archive"):
        world.build("https://host/c.tgz#:other")


def test_a_file_that_is_no_archive_has_no_directories() -> None:
    world = World(pages={"https://host/f": b"FROM scratch"})

    with pytest.raises(ContextError, match="no archive that has a directory top"):
        world.build("https://host/f#:top")


@pytest.mark.parametrize(
    ("world", "location"),
    [
        (World(pages={"https://host/c.tgz": an_archive(FILES)}), "https://host/c.tgz"),
        (
            World(pages={"https://host/c.tgz": an_archive(IN_A_DIRECTORY)}),
            "https://host/c.tgz#:top",
        ),
        (World(repository=FILES), "https://host/r.git"),
    ],
    ids=["archive", "directory of an archive", "git"],
)
def test_a_definition_is_some_files_of_a_remote_place(world: World, location: str) -> None:
    fetch = world.app.container.dockerfiles.fetch_definition()

    assert fetch(location, ["a", "nothing"]) == {"a": b"1"}


def test_a_definition_of_one_file_has_a_largest_size() -> None:
    pages = {"https://host/f": b"x", "https://host/large": b"\n" * (LARGEST_PAGE + 1)}
    fetch = World(pages=pages).app.container.dockerfiles.fetch_definition()

    assert fetch("https://host/f", ["a"]) == b"x"
    with pytest.raises(BakeError, match="maximum allowed size"):
        fetch("https://host/large", ["a"])


def test_a_repository_with_the_name_of_a_directory_is_no_definition() -> None:
    fetch = World(directories={"github.com/a/b": {}}).app.container.dockerfiles.fetch_definition()

    with pytest.raises(ContextError, match="is a directory here"):
        fetch("github.com/a/b", ["a"])

"""Cached steps do not run again."""

import re
import time
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.waiting import wait_until
from tests.support.images.written_images import read_archive
from tests.support.steps.watched_files import watching

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.any_user]

_DOCKERFILE = """
FROM @BASE@ AS made
RUN cat /proc/sys/kernel/random/uuid > /random
COPY f d /srv/
WORKDIR /w
FROM @BASE@
COPY --from=made /random /srv/f /
CMD ["true"]
"""


@pytest.fixture
def context(busybox: str, write_context: WriteContext) -> Path:
    return write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f" * 10**6, "d/g": "g"})


@pytest.fixture
def old_context(context: Path) -> Path:
    """Return the context when its files are old enough for the table of known files."""
    time.sleep(2.5)  # a ctime cannot be set
    return context


def steps_of(log: str) -> dict[str, str]:
    """Return the outcome of each vertex of a plain log, by its name."""
    names = dict(re.findall(r"^#(\d+) (\[.*)$", log, re.M))
    ends = dict(re.findall(r"^#(\d+) (CACHED|DONE|ERROR|CANCELED)", log, re.M))
    return {name: ends[number] for number, name in names.items() if number in ends}


def ran(log: str) -> set[str]:
    """Return the steps of the Dockerfile that were not found in the cache."""
    return {
        name for name, end in steps_of(log).items() if end != "CACHED" and "internal" not in name
    }


def facts(state: Path) -> dict[str, tuple[int, int, int]]:
    """Return the attributes of each file and directory in the state that a write would change.

    Not of the state's own directory: SQLite makes files for as long as its database is open. Nor
    of the leases, by which a build says that it is at work.
    """
    found = (path for path in state.rglob("*") if state / "leases" not in (path, path.parent))
    statuses = {str(path): path.lstat() for path in found}
    return {
        path: (status.st_ino, status.st_mtime_ns, status.st_size)
        for path, status in statuses.items()
    }


def digest(img: Img, name: str) -> str:
    line = next(line for line in img("ls").stdout.splitlines() if name in line)
    return line.split()[-1]


def test_a_second_build_runs_nothing_and_makes_the_same_image(img: Img, context: Path) -> None:
    first = img("build", "-t", "app", context)
    before = digest(img, "app")

    second = img("build", "-t", "app", context)

    assert any("RUN" in name for name in ran(first.stderr))
    assert ran(second.stderr) == set()
    assert digest(img, "app") == before


def test_a_second_build_writes_nothing(img: Img, old_context: Path) -> None:
    img("build", "-t", "app", old_context)
    img("build", "-t", "app", old_context)
    before = facts(img.state)

    img("build", "-t", "app", old_context)

    assert facts(img.state) == before


def test_a_second_build_reads_no_file_of_the_context(img: Img, old_context: Path) -> None:
    files = {path for path in old_context.rglob("*") if path.is_file()}
    with watching(files) as first:
        img("build", "-t", "app", old_context)
    with watching(files) as second:
        img("build", "-t", "app", old_context)

    assert first == files
    assert second == {old_context / "Dockerfile"}


def test_a_changed_file_runs_its_copy_and_what_depends_on_it_alone(img: Img, context: Path) -> None:
    img("build", "-t", "app", context)
    (context / "d/g").write_text("other")

    outcome = img("build", "-t", "app", context)

    assert {re.sub(r"^\[.*?\] ", "", name) for name in ran(outcome.stderr)} <= {
        "COPY f d /srv/",
        "WORKDIR /w",
    }


def test_no_cache_runs_all_of_it_again(img: Img, context: Path) -> None:
    img("build", "-t", "one", context)
    outcome = img("build", "--no-cache", "-t", "two", context)

    assert any("RUN" in name for name in ran(outcome.stderr))
    assert digest(img, "one") != digest(img, "two")


def test_a_backend_finds_what_another_has_built(img: Img, context: Path) -> None:
    img("build", "-b", "naive", "-t", "app", context)

    assert ran(img("build", "-b", "overlay", "-t", "app", context).stderr) == set()


def test_prune_forgets_the_cache_but_no_image(img: Img, context: Path) -> None:
    img("build", "-t", "app", context)
    before = read_archive(img("save", "--format", "oci", "app").output)

    img("prune", "--all")

    assert read_archive(img("save", "--format", "oci", "app").output) == before
    assert any("RUN" in name for name in ran(img("build", "-t", "app", context).stderr))


def test_prune_of_a_builder_leaves_images_without_a_name(img: Img, context: Path) -> None:
    built = img("build", "-q", context).stdout.strip()

    listed = img("builder", "prune", "-f").stdout + img("buildx", "prune", "--all").stdout

    assert built not in listed
    img("tag", built, "app")
    assert read_archive(img("save", "--format", "oci", "app").output)


def test_removing_all_names_leaves_an_empty_store(img: Img, context: Path) -> None:
    img("build", "-t", "app", context)

    names = [line.split()[0] for line in img("ls").stdout.splitlines()[1:]]
    img("rm", *names)
    img("prune", "--all")

    assert [path for path in (img.state / "blobs").rglob("*") if path.is_file()] == []
    assert img("ls").stdout.splitlines() == ["NAME\tSIZE\tCREATED AT\tUPDATED AT\tDIGEST"]


@pytest.mark.parametrize("same", [True, False])
def test_builds_at_the_same_time_share_one_state(
    img: Img, busybox: str, write_context: WriteContext, same: bool
) -> None:
    contexts = [
        write_context(
            f"FROM {busybox}\nRUN echo {0 if same else i} > /n && sleep 1\nCOPY f /\n",
            {"f": "same" if same else f"{i}"},
            f"context{i}",
        )
        for i in range(6)
    ]

    builds = [img.start("build", "-t", f"app{i}", context) for i, context in enumerate(contexts)]
    for build in builds:
        Img.outcome(build, *build.communicate(timeout=120), 0)

    for i in range(len(contexts)):
        image = read_archive(img("save", "--format", "oci", f"app{i}").output)
        assert "/n" in image.layers[1]
        assert "/f" in image.layers[2]


def test_a_build_goes_on_while_others_remove_and_prune(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    wait = "touch /c/begun; for i in $(seq 600); do [ -e /c/go ] && exit; sleep 0.1; done; exit 1"
    context = write_context(
        f"FROM {busybox}\nRUN echo m > /m\nRUN --mount=type=cache,target=/c {wait}\n"
        f"RUN test -f /m\nCOPY f /\n",
        {"f": "f"},
    )
    img("build", "-t", "other", write_context(f"FROM {busybox}\nRUN echo o > /o\n", name="other"))
    img("rm", "other")

    build = img.start("build", "-t", "app", context)
    (begun,) = wait_until(lambda: list(img.state.glob("mounts/*/*/data/begun")), "RUN begins")
    pruned = img("prune").stdout
    img("prune", "--all")
    (begun.parent / "go").touch()
    Img.outcome(build, *build.communicate(timeout=120), 0)

    assert "RUN echo o > /o" in pruned
    assert "RUN echo m > /m" not in pruned
    assert "Reclaimed:\t0B\n" in pruned  # the blob is there until the build has ended
    image = read_archive(img("save", "--format", "oci", "app").output)
    assert "/f" in image.layers[-1]
    assert ran(img("build", "-t", "app", context).stderr) == set()


def test_a_user_needs_no_home(img_for: ImgFor, context: Path, workplace: Path) -> None:
    img = img_for("user").with_environment(HOME="/nonexistent")

    img("build", "-t", "app", context)

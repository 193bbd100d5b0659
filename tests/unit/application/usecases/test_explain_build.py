"""Explanations of steps that were not cached, by each kind of change."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.domain.filesystem.entry import FILE, Entry
from img.domain.history.explain import Explanation
from img.domain.history.record import BuildRecord
from img.domain.process import Volume
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, a_request

FILES = {"app/src/a.py": b"a", "app/b.py": b"b"}
DOCKERFILE = """\
FROM base
ENV E=1
COPY app /srv
ARG V=1
RUN make
RUN test
"""


@pytest.fixture
def app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", {"bin/make": b"make"}, platforms=(HERE, ELSEWHERE))
    app.commands["make"] = lambda root: root.write("out", b"result")
    return app


def explained(app: InMemoryApp, record: BuildRecord) -> Sequence[Explanation]:
    return app.container.housekeeping.explain_build()(record)


def reasons(app: InMemoryApp, record: BuildRecord) -> dict[str, tuple[str, ...]]:
    """Return the reasons by the text of the step."""
    return {each.step.text: each.reasons for each in explained(app, record)}


def after(
    app: InMemoryApp,
    dockerfile: str = DOCKERFILE,
    files: Mapping[str, bytes] = FILES,
    *,
    first: str = DOCKERFILE,
    **more: object,
) -> dict[str, tuple[str, ...]]:
    """Build, build with a change, and return the reasons of the steps that ran again."""
    app.recorded(first, FILES)
    return reasons(app, app.recorded(dockerfile, files, **more))


def test_without_a_change_nothing_is_explained(app: InMemoryApp) -> None:
    assert after(app) == {}


def test_a_first_build_has_no_earlier_steps(app: InMemoryApp) -> None:
    found = reasons(app, app.recorded(DOCKERFILE, FILES))

    assert set(found.values()) == {("no earlier build has this step",)}


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        ({"app/src/a.py": b"A"}, ("changed src/a.py (content)",)),
        ({"app/src/new.py": b""}, ("new src/new.py",)),
        ({"app/more/x": b"", "app/more/y": b""}, ("new more/x", "new more/y")),
        (
            {"app/src/a.py": b"A", "app/new": b""},
            ("changed src/a.py (content)", "new new"),
        ),
    ],
)
def test_changed_and_new_files_are_named(
    app: InMemoryApp, files: Mapping[str, bytes], changes: tuple[str, ...]
) -> None:
    assert after(app, files={**FILES, **files}) == {
        "COPY app /srv": changes,
        "RUN make": ("parent step 2 changed",),
        "RUN test": ("parent step 3 changed",),
    }


def test_removed_files_are_named(app: InMemoryApp) -> None:
    found = after(app, files={"app/src/a.py": b"a"})

    assert found["COPY app /srv"] == ("removed b.py",)


def test_of_many_changes_some_are_named(app: InMemoryApp) -> None:
    found = after(app, files={**FILES, **{f"app/{number:02}": b"" for number in range(30)}})

    assert len(found["COPY app /srv"]) == 11
    assert found["COPY app /srv"][-1] == "and 20 more"


def test_a_changed_mode_is_named(app: InMemoryApp) -> None:
    app.recorded(DOCKERFILE, {**FILES, "app/b.py": b""})
    others = [Entry("app/b.py", FILE, 0o755)]
    app.contexts.context = MemoryContext({"app/src/a.py": b"a"}, others=others)

    found = reasons(app, app.recorded(DOCKERFILE))

    assert found["COPY app /srv"] == ("changed b.py (mode 644 → 755)",)


@pytest.mark.parametrize(
    ("old", "new", "step", "reason"),
    [
        ("ARG V=1", "ARG V=2", "RUN make", "ARG V: 1 → 2"),
        ("ARG V=1\n", "", "RUN make", "ARG V: removed"),
        ("ARG V=1", "ARG V=1\nARG W=1", "RUN make", "ARG W: new"),
        ("ENV E=1", "ENV E=2", "RUN make", "ENV E: 1 → 2"),
        (
            "RUN make",
            "RUN --mount=type=cache,target=/c make",
            "RUN --mount=type=cache,target=/c make",
            "mount /c: new",
        ),
        (
            "RUN make",
            "RUN make all",
            "RUN make all",
            "instruction text: RUN make → RUN make all",
        ),
        ("RUN make", "USER 7\nRUN make", "RUN make", "user:  → 7"),
    ],
)
def test_a_change_of_the_dockerfile_is_named(
    app: InMemoryApp, old: str, new: str, step: str, reason: str
) -> None:
    found = after(app, DOCKERFILE.replace(old, new))

    assert found[step] == (reason,)


def test_a_changed_option_is_named_with_the_files_that_it_changes(app: InMemoryApp) -> None:
    found = after(app, DOCKERFILE.replace("COPY", "COPY --chmod=700"))

    assert found["COPY --chmod=700 app /srv"] == (
        "instruction text: COPY app /srv → COPY --chmod=700 app /srv",
        "changed app (mode 755 → 700)",
        "changed b.py (mode 644 → 700)",
        "changed src (mode 755 → 700)",
        "changed src/a.py (mode 644 → 700)",
    )


def test_the_value_of_a_secret_argument_is_not_shown(app: InMemoryApp) -> None:
    first = DOCKERFILE.replace("ARG V=1", "ARG API_TOKEN=t0p")

    found = after(app, first.replace("t0p", "0ther"), first=first)

    assert found["RUN make"] == ("ARG API_TOKEN: another value, which is not kept",)
    first = first.replace("ARG", "ENV")
    found = after(app, first.replace("t0p", "th1rd"), first=first)
    assert found["RUN make"] == ("ENV API_TOKEN: another value, which is not shown",)


def test_a_changed_mount_is_named(app: InMemoryApp) -> None:
    first = DOCKERFILE.replace("RUN make", "RUN --mount=type=cache,target=/c make")
    found = after(app, first.replace("/c make", "/c,sharing=locked make"), first=first)

    (reason, *_) = found["RUN --mount=type=cache,target=/c,sharing=locked make"]
    assert reason == "mount /c: sharing shared → locked"


def test_changed_files_of_a_mount_are_named_by_the_mount(app: InMemoryApp) -> None:
    first = DOCKERFILE.replace("RUN make", "RUN --mount=source=app/b.py,target=/b make")

    found = after(app, first, {**FILES, "app/b.py": b"B"}, first=first.replace("COPY app", "#"))

    assert "no earlier build has this step" in found["COPY app /srv"]
    second = reasons(app, app.recorded(first, {**FILES, "app/b.py": b"C", "app/src/a.py": b"a"}))
    assert second["COPY app /srv"] == ("changed b.py (content)",)


def test_files_of_a_mount_alone(app: InMemoryApp) -> None:
    first = "FROM base\nRUN --mount=source=app/b.py,target=/b make\n"

    found = after(app, first, {**FILES, "app/b.py": b"B"}, first=first)

    assert [*found.values()] == [("mount /b: its files changed",)]


def test_a_base_that_moved_is_named(app: InMemoryApp) -> None:
    before = app.recorded(DOCKERFILE, FILES)
    old = before.instructions[0].facts
    app.publish("base", {"bin/make": b"make 2"})
    from img.domain.pull_policy import PullPolicy

    record = app.recorded(DOCKERFILE, FILES, request=a_request(pull=PullPolicy.ALWAYS))

    new = record.instructions[0].facts
    assert old
    assert new
    found = reasons(app, record)
    assert next(iter(found.values())) == (
        f"moved: {old.operation['manifest']} → {new.operation['manifest']}",
    )
    assert found["RUN make"] == ("base image docker.io/library/base:latest changed",)


def test_another_platform_is_named(app: InMemoryApp) -> None:
    copies = "FROM base\nCOPY app /srv\n"

    found = after(app, copies, first=copies, platforms=[ELSEWHERE])

    assert next(iter(found.values())) == (f"platform: {HERE} → {ELSEWHERE}",)


def test_pruned_results_are_named(app: InMemoryApp) -> None:
    app.recorded(DOCKERFILE, FILES)
    app.cache.remove([key for key, _ in app.cache.records()])

    found = reasons(app, app.recorded(DOCKERFILE, FILES))

    assert found["COPY app /srv"] == ("expired by prune",)
    assert found["RUN make"] == ("parent step 2 made other files",)  # the time of /srv


def test_another_executor_is_named(app: InMemoryApp) -> None:
    app.recorded(DOCKERFILE, FILES)
    app.cache.remove([key for key, _ in app.cache.records()])  # as in a namespace of its own

    found = reasons(app, app.recorded(DOCKERFILE, FILES, namespace="--emulate=off"))

    assert found["RUN make"] == (
        "other executor: its results are kept apart (exact → --emulate=off)",
    )


def test_no_cache_is_named(app: InMemoryApp) -> None:
    found = after(app, request=a_request(no_cache=True))

    assert set(found.values()) == {("--no-cache",)}


def test_a_step_that_failed_before_is_named(app: InMemoryApp) -> None:
    app.statuses["make"] = 1
    failed = app.recorded(DOCKERFILE, FILES)
    del app.statuses["make"]

    found = reasons(app, app.recorded(DOCKERFILE, FILES))

    assert found["RUN make"] == (f"it failed in build {failed.id}",)
    assert found["RUN test"] == ("no earlier build has this step",)


def test_a_parent_that_made_other_files_is_named(app: InMemoryApp) -> None:
    app.recorded(DOCKERFILE, FILES)
    app.commands["make"] = lambda root: root.write("out", b"other")
    make: Callable[[str], bool] = lambda text: text.startswith(("RUN make", "RUN test"))  # noqa: E731
    app.cache.remove([key for key, record in app.cache.records() if make(record.description)])

    found = reasons(app, app.recorded(DOCKERFILE, FILES))

    assert found == {
        "RUN make": ("expired by prune",),
        "RUN test": ("parent step 3 made other files",),
    }


def test_one_step_is_explained_alone(app: InMemoryApp) -> None:
    app.recorded(DOCKERFILE, FILES)
    record = app.recorded(DOCKERFILE.replace("V=1", "V=2"), FILES)
    explain = app.container.housekeeping.explain_build()

    (run,) = explain(record, record.instructions[2])
    (cached,) = explain(record, record.instructions[1])

    assert run.reasons == ("ARG V: 1 → 2",)
    assert cached.reasons == ()


def test_a_volume_is_named_by_its_place(app: InMemoryApp) -> None:
    def built(**fields: object) -> dict[str, tuple[str, ...]]:
        volume = {"source": "/s", "target": "/t", "read_only": True, "device": 1, "inode": 2}
        volumes = (Volume(**{**volume, **fields}),) if fields else ()  # type: ignore[arg-type]
        return reasons(
            app, app.recorded("FROM base\nRUN make\n", request=a_request(volumes=volumes))
        )

    built()
    assert built(state="a") == {"RUN make": ("volume /t: new",)}
    assert built(state="b") == {"RUN make": ("volume /t: changed files",)}
    assert built(read_only=False) == {"RUN make": ("the files of volume /t may change",)}

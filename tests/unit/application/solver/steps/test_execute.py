"""RUN: what the command gets, what its changes become, what finds it again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import pytest
from dependency_injector import providers

from img.adapters.build_context.memory import MemoryContext
from img.adapters.cache_mounts.memory import MemoryCacheMounts
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import PackedEntry
from img.application.solver.steps.execute import ProcessFailed, ProcessTooSlow
from img.domain.errors import BuildError
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.selection import CopyRules, Selection, select
from img.domain.filesystem.source_match import SourceNotFound
from img.domain.filesystem.tree import FileTree
from img.domain.graph.codec import encode_operation
from img.domain.graph.operations import Exec
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    Network,
    TmpfsMount,
    TreeMount,
    Volume,
)
from img.domain.progress import VertexOutput
from tests.support.in_memory_app import InMemoryApp, a_request, image_of

BASE = {"etc/conf": b"old", "etc/gone": b"x"}


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", BASE)
    return app


def test_changes_and_deletions_become_a_layer() -> None:
    app = an_app()

    def change(root: MemoryWorkspace) -> None:
        root.write("etc/conf", b"new")
        root.remove("etc/gone")

    app.commands["change"] = change

    built = app.build("FROM base\nRUN change\n")

    assert app.files_of(built) == {"etc/conf": b"new"}
    index = app.container.images.trees().index_of(image_of(built).layers[-1])
    assert {entry.path for entry in index} >= {"etc/.wh.gone", "etc/conf"}


def test_a_command_that_changes_nothing_gives_an_empty_layer_as_in_buildkit() -> None:
    app = an_app()

    image = image_of(app.build("FROM base\nRUN true\n"))

    assert len(image.layers) == 2
    assert len(app.container.images.trees().index_of(image.layers[-1])) == 0


def test_a_command_that_fails_is_tried_again_with_the_files_from_before() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(retries=2)
    tries: list[None] = []

    def fail_once(root: MemoryWorkspace) -> None:
        tries.append(None)
        root.write(f"try-{len(tries)}")
        app.statuses["flaky"] = int(len(tries) == 1)

    app.commands["flaky"] = fail_once

    built = app.build("FROM base\nRUN flaky\n")

    assert app.files_of(built).keys() == {*BASE, "try-2"}
    shown = [event.data for event in app.progress.events if isinstance(event, VertexOutput)]
    assert shown == [
        b'process "/bin/sh -c flaky" did not complete successfully: exit code: 1; retry 1 of 2\n'
    ]


def test_after_the_last_retry_the_step_fails() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(retries=2)
    tries: list[None] = []
    app.commands["broken"] = lambda _: tries.append(None)
    app.statuses["broken"] = 7

    with pytest.raises(ProcessFailed) as failed:
        app.build("FROM base\nRUN broken\n")

    assert (failed.value.status, len(tries)) == (7, 3)


def test_a_command_that_takes_too_long_is_stopped() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(limit_s=0.01)
    app.commands["slow"] = lambda _: Event().wait(0.02)

    with pytest.raises(ProcessTooSlow) as stopped:
        app.build("FROM base\nRUN slow\n")

    assert stopped.value.message == 'process "/bin/sh -c slow" did not end within 0.01 seconds'


def test_a_command_that_ends_in_time_is_not_stopped() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(limit_s=60.0)
    app.commands["quick"] = lambda root: root.write("made", b"1")

    assert app.files_of(app.build("FROM base\nRUN quick\n"))["made"] == b"1"


def test_what_it_wrote_is_kept_as_a_snapshot_for_the_next() -> None:
    app = an_app()

    image = image_of(app.build("FROM base\nRUN true\n"))

    assert len(app.snapshotter.chain_ids()) == 1
    assert image.layers


def test_the_same_command_on_the_same_files_is_found_again() -> None:
    app = an_app()
    app.build("FROM base\nCOPY a /\nRUN make\n", {"a": b"1"})
    app.publish("renamed", BASE)
    app.forget_progress()

    app.build("FROM renamed\nCOPY a /\nRUN make\n")

    assert "[3/3] RUN make" in app.found


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM base\nRUN make\n",
        "FROM base\nENV A=1\nRUN make\n",
        "FROM base\nARG A=1\nRUN make\n",
        "FROM base\nUSER 7\nRUN make\n",
        "FROM base\nRUN --network=none make\n",
        "FROM base\nRUN --mount=type=tmpfs,target=/t make\n",
        'FROM base\nSHELL ["/bin/bash", "-c"]\nRUN make\n',
        'FROM base\nRUN ["make"]\n',
    ],
)
def test_whatever_decides_is_in_its_key(dockerfile: str) -> None:
    app = an_app()
    app.build("FROM base\nWORKDIR /x\nRUN make\n")

    app.build(dockerfile)
    app.build(dockerfile)

    assert len(app.executor.processes) == 2


def test_proxies_are_seen_and_decide_nothing() -> None:
    app = an_app()
    app.build("FROM base\nRUN make\n", request=a_request(build_args={"HTTP_PROXY": "http://a"}))

    app.build("FROM base\nRUN make\n", request=a_request(build_args={"HTTP_PROXY": "http://b"}))

    (process,) = app.executor.processes
    assert process.env["HTTP_PROXY"] == "http://a"


def test_a_heredoc_is_run_as_a_script() -> None:
    app = an_app()

    app.build("FROM base\nRUN <<EOF\necho one\necho two\nEOF\n")

    (process,) = app.executor.processes
    assert "echo one\necho two\n" in process.argv[-1]


def test_options_of_the_build_reach_the_command() -> None:
    app = an_app()
    request = a_request(hosts=(("db", "10.0.0.1"),), shm_size=1 << 20, network=Network.NONE)

    app.build("FROM base\nRUN make\n", request=request)

    (process,) = app.executor.processes
    assert process.hosts == (("db", "10.0.0.1"),)
    assert process.shm_size == 1 << 20
    assert process.network is Network.NONE


def test_mounts_reach_the_command_and_not_the_layer() -> None:
    app = an_app()

    built = app.build(
        "FROM base\nRUN --mount=type=bind,target=/src --mount=type=tmpfs,target=/t make\n",
        {"a": b"1"},
    )

    (process,) = app.executor.processes
    bind, tmpfs = process.mounts
    assert isinstance(bind, TreeMount) and bind.target == "/src" and bind.read_only
    assert isinstance(tmpfs, TmpfsMount) and tmpfs.target == "/t"
    assert app.files_of(built) == BASE


def test_a_bound_context_is_shown_and_not_packed() -> None:
    app = an_app()
    stored = set(app.blobs.digests())

    app.build(
        "FROM base\nRUN --mount=type=bind,target=/src make\n"
        "RUN --mount=type=bind,source=d,target=/src,rw make\n",
        {"a": b"never in a layer", "d/b": b"2"},
    )

    read_only, writable = (process.mounts[0] for process in app.executor.processes)
    assert isinstance(read_only, TreeMount) and isinstance(writable, TreeMount)
    assert read_only.root == DirectoryRoot(path="/views/shared/1")
    assert writable.root == DirectoryRoot(path="/views/private/2")
    assert app.views.shown == [
        {"a": b"never in a layer", "d/b": b"2"},
        {"d/b": b"2"},
    ]
    for digest in set(app.blobs.digests()) - stored:
        with app.blobs.open(digest) as content:
            assert b"never in a layer" not in content.read()


@pytest.mark.parametrize("name", ["[id]", "a*", "what?", "dev-x\\x2dy", "[a\\"])
def test_the_source_of_a_mount_is_no_pattern(name: str) -> None:
    app = an_app()
    files = {f"{name}/page": b"1", "ab/page": b"2", "i/page": b"3", "whats/page": b"4"}
    source = name.replace("\\", "\\" * 4)  # flags take a backslash away, and words another

    app.build(
        f"FROM scratch AS other\nCOPY . /\n"
        f"FROM base\nRUN --mount=type=bind,source={source},target=/src make\n"
        f"RUN --mount=type=cache,from=other,source={source},target=/c make\n",
        files,
    )

    assert app.views.shown == [{f"{name}/page": b"1"}]
    (cache,) = app.executor.processes[1].mounts
    assert isinstance(cache, BindMount)
    assert (Path(cache.source) / "page").read_bytes() == b"1"


@pytest.mark.parametrize("source", ["no", "a*", "[a]", "a?", "[a"])
@pytest.mark.parametrize("mount", ["bind", "bind,from=other", "cache,from=other"])
def test_the_source_of_a_mount_has_to_be_there(mount: str, source: str) -> None:
    app = an_app()
    with pytest.raises(SourceNotFound) as missing:
        app.build(
            "FROM scratch AS other\nCOPY . /\n"
            f"FROM base\nRUN --mount=type={mount},source={source},target=/x make\n",
            {"a/b": b"1", "ab": b"2"},
        )
    assert missing.value.path == source


def test_a_bound_context_that_changed_while_it_was_read_is_told() -> None:
    class Changing(MemoryContext):
        def open(self, path: str) -> BinaryIO:
            return BytesIO(b"new") if path == "a" else super().open(path)

    app = an_app()
    app.contexts.context = Changing({"a": b"old", "b": b"same"})

    with pytest.raises(ContextFileChanged, match="a changed while it was being read"):
        app.build("FROM base\nRUN --mount=type=bind,target=/src make\n")

    assert app.executor.processes == ()


def test_a_bound_file_that_changed_runs_the_command_again() -> None:
    app = an_app()
    dockerfile = "FROM base\nRUN --mount=type=bind,source=a,target=/a make\n"
    for content in (b"1", b"1", b"2"):
        app.build(dockerfile, {"a": content, "other": content + b"!"})

    assert len(app.executor.processes) == 2


@pytest.mark.parametrize("source", ["d", "/"])
def test_the_mode_of_a_bound_directory_runs_the_command_again(source: str) -> None:
    app = an_app()
    path = source.strip("/")
    mount = f"RUN --mount=type=bind,from=other,source={source},target=/x make\n"
    for mode in (0o755, 0o755, 0o700):
        made_so = Entry(path, DIRECTORY, mode)
        app.commands[f"touch {mode}"] = partial(MemoryWorkspace.put, entry=made_so)
        app.build(f"FROM base AS other\nRUN touch {mode}\nFROM base\n{mount}")

    made = [process.argv[-1] for process in app.executor.processes]
    assert made == ["touch 493", "make", "touch 448", "make"]


def test_a_bound_directory_of_the_context_has_its_mode() -> None:
    app = an_app()
    listed: list[Entry] = []
    shared = app.views.shared

    def seen(files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        listed.extend(each.entry for each in files)
        return shared(files)

    app.views.shared = seen  # type: ignore[method-assign, assignment]
    for mode in (0o700, 0o700, 0o711):
        closed = Entry("up/d", DIRECTORY, mode)
        app.contexts.context = MemoryContext({"up/d/f": b"1"}, others=[closed])
        app.build("FROM base\nRUN --mount=type=bind,source=up/d,target=/x make\n")

    assert [(e.path, e.mode) for e in listed if e.kind == DIRECTORY] == [
        ("up", 0o755),
        ("up/d", 0o700),
        ("up", 0o755),
        ("up/d", 0o711),
    ]


def test_a_failure_tells_command_and_status_and_keeps_nothing() -> None:
    app = an_app()
    app.statuses["make"] = 137

    with pytest.raises(ProcessFailed) as failed:
        app.build("FROM base\nRUN make\n")

    assert failed.value.status == 137
    assert failed.value.argv == ("/bin/sh", "-c", "make")
    assert all(each.discarded for each in app.snapshotter.workspaces.values())
    assert app.snapshotter.chain_ids() == []


@pytest.mark.parametrize(
    "flag",
    ["--security=insecure", "--device=vendor.com/gpu=all", "--mount=type=bind,source=no,target=/x"],
)
def test_what_cannot_be_given_is_refused_by_name(flag: str) -> None:
    app = an_app()

    with pytest.raises(BuildError) as refused:
        app.build(f"FROM base\nRUN {flag} make\n", {})

    assert refused.value.lines == (2, 2)
    assert app.executor.processes == ()


def test_what_mounts_show_of_a_context_is_selected_and_read_once_a_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = an_app()
    mount = "RUN --mount=type=bind,source=src,target=/src"
    text = (
        f"FROM base AS a\n{mount} make a\n{mount} --mount=type=bind,source=src,target=/b make b\n"
        f"FROM base AS b\n{mount} make c\nFROM base\nCOPY --from=a /etc /a\n"
        f"COPY --from=b /etc /b\n{mount} make d\n"
    )
    files = {"src/a": b"1", "src/b": b"2", "c": b"3"}
    selected: list[tuple[str, ...]] = []
    digested: list[Selection] = []

    def counted(source: FileTree, rules: CopyRules, *more: Any, **named: Any) -> Selection:
        selected.append(rules.sources)
        return select(source, rules, *more, **named)

    def contents_digest(selection: Selection, *more: Any, **named: Any) -> str:
        digested.append(selection)
        return digest_of(selection, *more, **named)

    digest_of = Selection.contents_digest
    monkeypatch.setattr("img.application.solver.steps.copy_files.select", counted)
    monkeypatch.setattr(Selection, "contents_digest", contents_digest)

    for _ in range(2):  # done, and found
        selected.clear()
        digested.clear()
        app.build(text, files)
        assert selected.count(("src",)) == 1
        of_src = [each for each in digested if "src/a" in {item.source for item in each.items}]
        assert len(of_src) <= 2  # by what it was made from, and by what it holds
    assert len(of_src) == 1
    app.build(text, {**files, "src/a": b"4"})
    assert selected.count(("src",)) == 2


class _OneByOne(MemoryCacheMounts):
    """Directories with exclusive use: a second request for one in use would wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, str]] = []
        self._in_use: set[str] = set()

    @contextmanager
    def use(
        self,
        name: str,
        *,
        sharing: str,
        mode: int,
        owner: tuple[int, int],
        fill: Callable[[str], None],
    ) -> Iterator[str]:
        assert name not in self._in_use
        self._in_use.add(name)
        self.taken.append((name.partition("\0")[0], sharing))
        with super().use(name, sharing=sharing, mode=mode, owner=owner, fill=fill) as directory:
            yield directory
        self._in_use.discard(name)


def test_no_step_waits_for_itself_or_for_one_that_waits_for_it() -> None:
    app = an_app()
    caches = _OneByOne()
    app.container.execution.cache_mounts.override(providers.Object(caches))
    locked = "--mount=type=cache,sharing=locked"
    app.build(
        f"FROM base\nRUN {locked},id=a,target=/1 {locked},id=b,target=/2 make 1\n"
        f"RUN {locked},id=b,target=/1 {locked},id=a,target=/2 make 2\n"
        f"RUN --mount=type=cache,id=a,target=/1 {locked},id=a,target=/2 make 3\n"
    )

    both = [("/a", "locked"), ("/b", "locked")]
    assert caches.taken == [*both, *both, ("/a", "locked")]
    mounts = [
        [each.source for each in process.mounts if isinstance(each, BindMount)]
        for process in app.executor.processes
    ]
    assert mounts[0] == mounts[1][::-1]
    assert mounts[2] == [mounts[0][0]] * 2


def steps_run(app: InMemoryApp, *volumes: Volume) -> int:
    """Build with the volumes; return the number of commands that were run."""
    before = len(app.executor.processes)
    app.build("FROM base\nRUN true\nRUN other\n", request=a_request(volumes=volumes))
    return len(app.executor.processes) - before


def a_volume(state: str = "", *, read_only: bool = True) -> Volume:
    return Volume(
        source="/srv", target="/data", read_only=read_only, device=1, inode=2, state=state
    )


def test_a_result_is_found_again_while_the_files_of_its_volumes_are_the_same() -> None:
    app = an_app()

    assert [steps_run(app, a_volume(state)) for state in ("a", "a", "b", "a")] == [2, 0, 2, 0]
    assert [steps_run(app) for _ in range(2)] == [2, 0]
    assert app.executor.processes[0].mounts == (a_volume("a"),)


def test_results_with_files_that_may_change_are_neither_found_nor_kept() -> None:
    app = an_app()

    assert [steps_run(app, a_volume(read_only=False)) for _ in range(2)] == [2, 2]
    assert {record.description for _, record in app.cache.records()} == {"image"}


def test_keys_of_steps_without_volumes_are_what_they_were() -> None:
    assert "volumes" not in encode_operation(Exec(argv=("true",)))

"""Mounts of RUN: what they show, what finds a step with them again, what waits for them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from dependency_injector import providers

from img.adapters.build_context.memory import MemoryContext
from img.adapters.cache_mounts.memory import MemoryCacheMounts
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import PackedEntry
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.selection import CopyRules, Selection, select
from img.domain.filesystem.source_match import SourceNotFound
from img.domain.filesystem.tree import FileTree
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    TmpfsMount,
    TreeMount,
)
from tests.support.in_memory_app import InMemoryApp

BASE = {"etc/conf": b"old"}


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", BASE)
    return app


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

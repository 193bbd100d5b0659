"""Builds that refuse to keep secrets."""

import base64
import gzip

import pytest

from img.adapters.secret_source.memory import MemorySecrets
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.solver.steps.secret_guard import SecretGuard, SecretLeaked
from img.domain.filesystem.entry import FILE, SYMLINK, Entry
from tests.support.in_memory_app import InMemoryApp

SECRET = b"hunter2-hunter2\n"
RUN = "FROM scratch\nRUN --mount=type=secret,id=token leave\n"


def app_that_leaves(path: str, content: bytes, *, guard: bool = True) -> InMemoryApp:
    app = InMemoryApp()
    app.container.execution.secrets.override(MemorySecrets({"token": SECRET}))

    def leave(root: MemoryWorkspace) -> None:
        root.write(path, content)

    app.commands["leave"] = leave
    if guard:
        app.container.building.execute.add_kwargs(secret_guard=True)
    return app


def test_a_secret_in_a_file_fails_the_build_and_nothing_is_named() -> None:
    app = app_that_leaves("root/.netrc", b"x" * 300_000 + b"password hunter2-hunter2 y")

    with pytest.raises(SecretLeaked) as raised:
        app.build(RUN)

    assert raised.value.path == "root/.netrc"
    assert 'secret "token" is in /root/.netrc (as it is)' in raised.value.message
    assert not [image for image in app.container.storage.images().list() if image.reference]


def test_a_build_without_a_leak_or_without_the_guard_succeeds() -> None:
    app_that_leaves("f", gzip.compress(SECRET)).build(RUN)
    app_that_leaves("f", SECRET, guard=False).build(RUN)


@pytest.mark.parametrize(("content", "kept"), [(b"a " + SECRET, 0), (b"a", 1)])
def test_changes_of_a_failed_step_with_a_secret_are_not_kept(content: bytes, kept: int) -> None:
    app = app_that_leaves("root/.netrc", content, guard=False)
    app.statuses["leave"] = 1

    record = app.recorded(RUN)

    assert "exit code: 1" in record.error
    assert [bool(step.facts and step.facts.kept) for step in record.instructions] == [bool(kept)]
    assert len([r for _, r in app.cache.records() if "(failed)" in r.description]) == kept


def test_a_step_that_was_not_searched_is_not_taken_from_the_cache() -> None:
    app = app_that_leaves("f", base64.b64encode(SECRET), guard=False)
    app.build(RUN)
    app.container.building.execute.add_kwargs(secret_guard=True)

    with pytest.raises(SecretLeaked):
        app.build(RUN)


def test_names_links_and_attributes_are_searched() -> None:
    guard = SecretGuard({"token": SECRET})
    from img.application.ports.layer_archive import PackedEntry

    for entry in (
        Entry("a/hunter2-hunter2", FILE),
        Entry("a", SYMLINK, link="/hunter2-hunter2"),
        Entry("a", FILE, xattrs=(("user.x", b"hunter2-hunter2"),)),
    ):
        with pytest.raises(SecretLeaked) as raised:
            guard.checked(PackedEntry(entry=entry))
        assert "hunter2" not in str(raised.value) + raised.value.path


@pytest.mark.parametrize("chunk", [1, 3, 7, 14, 15, 100])
def test_a_secret_across_chunks_is_found(chunk: int) -> None:
    import io

    from img.application.ports.layer_archive import PackedEntry

    data = b"a" * 40 + SECRET + b"b" * 40
    entry = PackedEntry(entry=Entry("f", FILE, size=len(data)), open=lambda: io.BytesIO(data))
    checked = SecretGuard({"token": SECRET}).checked(entry)
    assert checked.open is not None
    with pytest.raises(SecretLeaked), checked.open() as content:
        while content.read(chunk):
            pass

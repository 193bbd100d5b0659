"""Files that modes deny to a step's root, which other processes replace meanwhile."""

import ctypes
import os
from pathlib import Path
from typing import Any, cast

import pytest

from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Reply
from img.adapters.syscall_supervisor.root.credentials import credentials_of
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.overrides import Overrides
from img.adapters.syscall_supervisor.root.paths import Paths


class Answers:
    """A listener that records the answers to callers."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.errors: list[int] = []

    def hand_over(self, _: Notification, descriptor: int, *, inheritable: bool) -> None:
        self.contents.append(os.read(descriptor, 10))

    def refuse(self, _: Notification, error: int) -> None:
        self.errors.append(error)


def _open(listener: Answers, file: Path, flags: int) -> object:
    credentials = credentials_of(0, 0, ())
    paths = cast(Paths, type("NotStrayed", (), {"strayed": False}))
    top = os.fsencode(file.parent)
    overrides = Overrides(cast(Any, listener), Identities(credentials), paths, top)
    handlers = overrides.around(dict.fromkeys(_CALLS, lambda _: Reply.LET_PASS))
    text = ctypes.create_string_buffer(os.fsencode(file))
    arguments = (ctypes.addressof(text), flags, 0, 0, 0, 0)
    return handlers["open"](Notification(1, os.getpid(), 0, 0, arguments))


_CALLS = (
    *("unlink", "unlinkat", "rmdir", "rename", "renameat", "link", "linkat", "mkdir", "mkdirat"),
    *("symlink", "symlinkat", "mknod", "mknodat"),
    *("open", "openat", "creat", "access", "faccessat"),
)


def test_a_closed_file_is_opened_and_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    file.chmod(0)
    monkeypatch.chdir("/proc")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root would be allowed to read it
    listener = Answers()

    assert _open(listener, file, os.O_RDONLY) is Reply.SENT

    assert listener.contents == [b"content"]
    assert file.stat().st_mode & 0o777 == 0


def test_a_fifo_that_replaces_the_file_is_left_to_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()

    def replaced(*_: object) -> bool:
        file.unlink()
        os.mkfifo(file, 0)
        return False

    monkeypatch.chdir("/proc")
    monkeypatch.setattr(os, "access", replaced)
    listener = Answers()

    # Without O_NONBLOCK the supervisor would wait for ever for the other end.
    assert _open(listener, file, os.O_WRONLY | os.O_NONBLOCK) is Reply.LET_PASS

    assert listener.errors == []
    assert file.stat().st_mode & 0o777 == 0

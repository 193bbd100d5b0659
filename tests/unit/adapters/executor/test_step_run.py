"""Limits of the reports of a first process, in case an image ever controls it."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from img.adapters.executor import reports, step_run
from img.adapters.executor.launch import Launch
from img.adapters.executor.reports import Ended, MountPoint
from img.adapters.executor.step_run import StepRun, not_started
from img.adapters.linux import records, syscalls
from img.application.ports.executor import ProcessNotStarted
from img.domain.process import DirectoryRoot, OverlayRoot, Process
from tests.support.host.machine import need_root


class _Talkative:
    """A fork server with a step that reports mount points until it is killed."""

    def __init__(self) -> None:
        self.told = 0
        self._thread = threading.Thread(target=self._tell)

    def start(self, launch: Launch, stdout: int, stderr: int) -> socket.socket:
        ours, self._channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._thread.start()
        return ours

    def _tell(self) -> None:
        self._channel.setblocking(False)
        while True:
            try:
                self._channel.recv(16)
            except BlockingIOError:
                pass
            else:
                break
            try:
                self._channel.send(
                    records.encode(MountPoint("d" * 99, directory=True, mtime=0, inode=0))
                )
            except BlockingIOError:
                continue
            self.told += 1
        self._channel.setblocking(True)
        reports.send(self._channel, Ended(137))
        self._channel.close()


def test_reports_without_end_are_not_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_run, "remove_mount_points", lambda *_: None)
    server: Any = _Talkative()
    launch = Launch(Process(argv=("/a",), env={}), DirectoryRoot(path=str(tmp_path)))
    run = StepRun(server, launch, lambda *_: None)
    with pytest.raises(ProcessNotStarted, match="too many directories"):
        run.wait(threading.Event())
    run.end()

    assert server.told < 1 << 16


def test_a_mount_without_programs_is_named_where_one_does_not_start(tmp_path: Path) -> None:
    need_root()
    root, overlay = DirectoryRoot(path=str(tmp_path)), an_overlay(tmp_path)
    denied = 'exec: "/bin/sh": permission denied'
    syscalls.mount("tmpfs", str(tmp_path), "tmpfs", syscalls.MS_NOEXEC)
    try:
        told = not_started(denied, root)
        others = [not_started(denied, overlay), not_started("exec: no such file", root)]
    finally:
        syscalls.umount2(str(tmp_path), syscalls.MNT_DETACH)

    assert told.message.endswith(f"denied: {tmp_path} is on a file system that is mounted noexec")
    assert told.hint
    assert not any("noexec" in other.message for other in (*others, not_started(denied, root)))


def an_overlay(path: Path) -> OverlayRoot:
    """Return an overlay with ``path`` as all of its directories."""
    return OverlayRoot(lowers=(str(path),), upper=str(path), work=str(path), target=str(path))

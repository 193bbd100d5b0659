"""The requests to each version of Landlock, and their effect on this kernel."""

import errno
import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from img.adapters.linux import landlock, syscalls
from img.adapters.linux.landlock import ALL, READING, Access
from tests.unit.adapters.linux.forked import exit_code_of

with_landlock = pytest.mark.skipif(
    landlock.version() < 2, reason="no Landlock in this kernel, or it is not among its LSMs"
)
with_scopes = pytest.mark.skipif(
    landlock.version() < 6, reason="no scopes in the Landlock of this kernel (Linux 6.12)"
)


def test_a_kernel_is_asked_for_what_it_knows() -> None:
    assert landlock.handled_access(0) == landlock.handled_access(1) == Access(0)
    assert Access.TRUNCATE not in landlock.handled_access(2)
    assert Access.REFER in landlock.handled_access(2)
    assert landlock.handled_access(4) == ALL & ~Access.IOCTL_DEV
    assert landlock.handled_access(7) == ALL == Access(0xFFFF)


def test_the_ruleset_is_as_long_as_the_kernel_knows_it() -> None:
    assert landlock.ruleset_attributes(5, Access.EXECUTE) == struct.pack("Q", 1)
    assert landlock.ruleset_attributes(6, Access(0)) == struct.pack("QQQ", 0, 0, 3)
    assert not any(landlock.ruleset_attributes(5, Access(0)))


def test_a_file_gets_no_rights_of_directories(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, expected in ((tmp_path, ALL), (tmp_path / "file", Access(0xC007))):
        descriptor = os.open(path, os.O_PATH)
        rule = landlock.path_rule(ALL, descriptor)
        os.close(descriptor)
        assert rule == struct.pack("=Qi", expected, descriptor)
        assert len(rule) == 12


def _without_new_privileges() -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


@with_landlock
def test_files_beside_those_that_were_named_cannot_be_reached(tmp_path: Path) -> None:
    for name in ("in", "read"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "out").write_text("x")

    def tries() -> int:
        _without_new_privileges()
        named = ((tmp_path / "in", ALL), (tmp_path / "read", READING))
        landlock.restrict([(os.open(path, os.O_PATH), access) for path, access in named])
        (tmp_path / "in" / "new").write_text((tmp_path / "read" / "file").read_text())
        os.rename(tmp_path / "in" / "new", tmp_path / "in" / "file")
        for attempt in (
            (tmp_path / "out").read_text,
            lambda: (tmp_path / "read" / "file").write_text("y"),
            lambda: os.rename(tmp_path / "read" / "file", tmp_path / "in" / "stolen"),
            lambda: os.mkdir(tmp_path / "new"),
        ):
            try:
                attempt()
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EXDEV):
                    return 1
            else:
                return 2
        return 0

    assert exit_code_of(tries) == 0


@with_scopes
def test_abstract_sockets_and_signals_stay_among_the_restricted() -> None:
    name = f"\0img-landlock-{os.getpid()}"
    outside = subprocess.Popen(["sleep", "60"])

    def tries() -> int:
        _without_new_privileges()
        landlock.restrict()
        own = socket.socket(socket.AF_UNIX)
        own.bind(f"{name}-own")
        own.listen()
        socket.socket(socket.AF_UNIX).connect(f"{name}-own")
        refused = 0
        try:
            socket.socket(socket.AF_UNIX).connect(name)
        except PermissionError:
            refused += 1
        try:
            os.kill(outside.pid, 0)
        except PermissionError:
            refused += 1
        return refused

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)
        listening.listen()
        try:
            assert exit_code_of(tries) == 2
        finally:
            outside.kill()
            outside.wait()

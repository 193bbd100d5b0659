"""Runtimes that can be used: what a runtime that is found has to be able to do."""

from pathlib import Path

import pytest

from img.adapters.executor.runc import RuntimeLauncher
from img.application.ports.executor import ExecutorUnavailable

FEATURES = "+SYSTEMD +SELINUX +APPARMOR +CAP {}+EBPF +YAJL"


def install(directory: Path, name: str, features: str) -> None:
    """Make a program that shows ``features`` as the last line of its version, as crun does."""
    program = directory / name
    program.write_text(f"#!/bin/sh\necho {name} version 1.8.1\necho '{features}'\n")
    program.chmod(0o755)


def test_crun_has_to_be_built_with_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "crun", FEATURES.format(""))

    with pytest.raises(ExecutorUnavailable, match="cannot filter system calls"):
        RuntimeLauncher("crun").require()


def test_crun_with_filters_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "crun", FEATURES.format("+SECCOMP "))

    RuntimeLauncher("crun").require()


def test_runc_refuses_a_filter_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "runc", "")

    RuntimeLauncher("runc").require()


def test_a_crun_that_is_no_program_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "crun"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)

    with pytest.raises(ExecutorUnavailable, match="cannot be executed"):
        RuntimeLauncher("crun").require()

"""Files of keys, and passwords from variables and standard input."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from img.application.ports.signing_keys import LARGEST_KEY, BadKey, KeyPair
from img.domain.errors import UsageError
from img.entrypoints.cli.key_files import (
    naming,
    new_password,
    password_of,
    read_key,
    write_key_pair,
)

_PAIR = KeyPair(b"private", b"public")


def _with_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD", raising=False)
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_key_is_read_from_a_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(b"in a file")
    monkeypatch.setenv("KEY", "in a variable")

    assert read_key(str(tmp_path / "key")) == b"in a file"
    assert read_key("env://KEY") == b"in a variable"


def test_a_file_that_is_too_large_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * (LARGEST_KEY + 1))

    with pytest.raises(UsageError, match="more than 65536 bytes"):
        read_key(str(tmp_path / "key"))


def test_errors_name_the_key() -> None:
    with pytest.raises(BadKey, match=r"--key a\.pub: broken"), naming("a.pub"):
        raise BadKey("broken")


def test_a_password_is_that_of_the_variable_even_if_it_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _with_input(monkeypatch, b"from stdin\n")
    monkeypatch.setenv("COSIGN_PASSWORD", "")

    assert (password_of(), new_password()) == (b"", b"")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_password_on_standard_input_ends_with_the_line(
    end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_input(monkeypatch, b" a b " + end)
    assert password_of() == b" a b "
    _with_input(monkeypatch, b"x" * 5000)
    with pytest.raises(UsageError, match="at most 4096 bytes"):
        new_password()


def test_a_new_pair_replaces_no_file_and_leaves_no_half(tmp_path: Path) -> None:
    prefix = str(tmp_path / "a")
    (tmp_path / "a.pub").write_bytes(b"other")

    with pytest.raises(UsageError, match=r"a\.pub: file exists"):
        write_key_pair(prefix, _PAIR)
    assert os.listdir(tmp_path) == ["a.pub"]
    (tmp_path / "a.pub").unlink()
    (tmp_path / "a.key").symlink_to("elsewhere")
    with pytest.raises(UsageError, match=r"a\.key"):
        write_key_pair(prefix, _PAIR)
    assert os.listdir(tmp_path) == ["a.key"]
    (tmp_path / "a.key").unlink()

    assert write_key_pair(prefix, _PAIR) == [f"{prefix}.key", f"{prefix}.pub"]
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a.pub").read_bytes() == b"public"

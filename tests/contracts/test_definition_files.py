"""Contract tests of definition files, and tests of those on this machine."""

import os
import socket
import sys
from pathlib import Path

import pytest

from img.adapters.definition_files.compose import read_compose
from img.adapters.definition_files.local import LocalDefinitionFiles
from img.adapters.definition_files.memory import MemoryDefinitionFiles
from img.adapters.definition_files.password_hash import hash_password
from img.application.ports.definition_files import DefinitionFiles
from img.domain.bake.compose.project import Tagged
from img.domain.bake.errors import BakeError
from img.testing.definition_files import FILES, SOCKET, DefinitionFilesContract

BOMB = b"a0: &a0 [x, x]\n" + b"".join(
    b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)
)


@pytest.fixture(params=["local", "memory"])
def files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DefinitionFiles:
    if request.param == "memory":
        return MemoryDefinitionFiles(FILES, sockets=[SOCKET])
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(SOCKET)
    return LocalDefinitionFiles()


class TestDefinitionFiles(DefinitionFilesContract):
    pass


def test_links_lead_out_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("/etc", "link")

    assert not LocalDefinitionFiles().is_inside("link/passwd", ".")


@pytest.mark.timeout(20)
def test_a_fifo_is_refused_and_a_descriptor_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    reading, writing = os.pipe()
    os.write(writing, b"x = 1\n")
    os.close(writing)
    files = LocalDefinitionFiles()

    with pytest.raises(BakeError, match="open fifo: "):
        files.read("fifo")
    assert not files.is_private_key("fifo")
    assert files.read(f"/dev/fd/{reading}") == b"x = 1\n"

    os.close(reading)


def test_a_name_that_no_file_can_have_is_no_file() -> None:
    files = LocalDefinitionFiles()

    assert files.read("a\0b") is None
    assert files.kind("a\0b") == ""
    assert not files.is_socket("a\0b")


def test_compose_files_have_tags_and_the_scalars_of_go() -> None:
    text = b"a: !override [yes, 0755, 1.50, 0o17, ~]\n---\nb: !reset null\n"

    first, second = read_compose("compose.yaml", text).documents

    assert first == {"a": Tagged("!override", ["yes", 0o755, 1.5, 0o17, None])}
    assert second == {"b": Tagged("!reset", None)}


def test_a_key_may_override_one_of_a_merged_mapping() -> None:
    text = b"a: {<<: &c {<<: &b {x: 1, y: 1}, x: 2}, z: 3}\nd: *c\ne: *b\n"

    (document,) = read_compose("compose.yaml", text).documents

    assert document == {
        "a": {"x": 2, "y": 1, "z": 3},
        "d": {"x": 2, "y": 1},
        "e": {"x": 1, "y": 1},
    }


def test_compose_files_without_pyyaml_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "img.adapters.definition_files.compose_yaml", raising=False)

    with pytest.raises(BakeError, match="PyYAML has to be installed") as caught:
        read_compose("compose.yaml", b"services: {}\n")

    assert "img-builder[compose]" in (caught.value.hint or "")


def test_a_hash_without_bcrypt_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hash_password(b"x", 4) != hash_password(b"x", 4)
    monkeypatch.setitem(sys.modules, "bcrypt", None)

    with pytest.raises(BakeError, match="needs the package bcrypt") as caught:
        hash_password(b"x", 4)

    assert "img-builder[bcrypt]" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"a: [",
        b"? [a]\n: b\n",
        b"a: &a [*a]\n",
        b"a: ._\n",
        b"a: " + b"9" * 5000,
        b"a: !unknown b\n",
        b"a: 1\na: 2\n",
        b"[" * 5000,
        BOMB,
    ],
)
def test_bad_yaml_is_one_error(text: bytes) -> None:
    with pytest.raises(BakeError) as caught:
        read_compose("compose.yaml", text)

    assert "\n" not in caught.value.message

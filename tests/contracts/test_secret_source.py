"""Contract tests of sources of secrets and SSH agents."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.secret_source.local import LocalSecrets
from img.adapters.secret_source.memory import MemorySecrets
from img.application.ports.secret_source import SecretSource
from img.domain.errors import ContextError
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.testing.secret_source import SECRET, SecretSourceContract
from tests.support.host.machine import ownership


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """Return the socket of an agent that echoes its input, for one client."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()

        def echo() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over, and no client came
                return
            with connection:
                connection.sendall(connection.recv(100))

        thread = threading.Thread(target=echo)
        thread.start()
        yield tmp_path / "agent"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def local(directory: Path, agent: Path) -> LocalSecrets:
    for name, content in (("token", SECRET), ("empty", b"")):
        (directory / name).write_bytes(content)
    return LocalSecrets(
        [SecretSpec(id=name, path=str(directory / name)) for name in ("token", "empty")],
        [AgentSpec(id="keys", paths=(str(agent),))],
        environment={},
        ownership=ownership(),
    )


@pytest.fixture(params=["local", "memory"])
def source(request: pytest.FixtureRequest, tmp_path: Path, agent: Path) -> SecretSource:
    if request.param == "local":
        return local(tmp_path, agent)
    return MemorySecrets({"token": SECRET, "empty": b""}, {"keys": str(agent)})


class TestSecretSource(SecretSourceContract):
    pass


# MemorySecrets returns the path that it was given, without a socket of its own.


def test_the_socket_of_an_agent_leads_to_it_and_is_gone_after(tmp_path: Path, agent: Path) -> None:
    with local(tmp_path, agent).agent("keys", mode=0o640, uid=7, gid=8) as path:
        assert path is not None
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o640
        if os.geteuid() == 0:
            assert (status.st_uid, status.st_gid) == (7, 8)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"list")
            assert client.recv(100) == b"list"

    assert not os.path.exists(path)


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path, agent: Path) -> None:
    source = local(tmp_path, agent)
    (tmp_path / "token").unlink()

    with pytest.raises(ContextError, match=r"secret token: cannot read .*token: no such file"):
        source.secret("token")


def test_a_secret_may_come_from_the_environment() -> None:
    specs = [SecretSpec(id="named", env="GIVEN"), SecretSpec(id="ID"), SecretSpec(id="x", env="NO")]
    source = LocalSecrets(specs, [], environment={"GIVEN": "1", "ID": "2"})

    assert [source.secret(name) for name in ("named", "ID", "x")] == [b"1", b"2", None]

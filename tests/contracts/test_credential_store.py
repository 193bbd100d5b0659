"""Contract tests of credential stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.credential_store.auth_files import AuthFiles
from img.adapters.credential_store.containers_auth import ContainersAuthCredentials
from img.adapters.credential_store.docker_config import DockerConfigCredentials
from img.adapters.credential_store.memory import MemoryCredentials
from img.application.ports.credential_store import CredentialStore
from img.testing.credential_store import CredentialStoreContract


@pytest.fixture(params=["memory", "docker_config", "containers_auth", "auth_files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CredentialStore]:
    if request.param == "memory":
        yield MemoryCredentials()
    elif request.param == "containers_auth":
        yield ContainersAuthCredentials(tmp_path / "containers" / "auth.json")
    elif request.param == "auth_files":
        files = [DockerConfigCredentials(tmp_path / name) for name in ("ours.json", "theirs.json")]
        yield AuthFiles(files)
    else:
        yield DockerConfigCredentials(tmp_path / "not-yet-there" / "config.json")


class TestCredentialStore(CredentialStoreContract):
    pass

"""Contract tests of registries: the simulator, and oras with a real registry."""

from collections.abc import Iterator

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.registry.mirrored import MirroredRegistry
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import (
    Registry,
)
from img.domain.registries import Endpoint, RegistryRule, RegistryRules
from img.testing.loopback_registry import LoopbackRegistry
from img.testing.registry import CREDENTIALS, RegistryContract, RegistryLoginContract
from tests.support.servers.registry_server import PROGRAM, RegistryServer

_WITH_A_MIRROR = RegistryRules(
    rules=(RegistryRule(prefix="registry.test", mirrors=(Endpoint(location="empty.test/mirror"),)),)
)


@pytest.fixture(
    params=["memory", "mirrored", "loopback", pytest.param("oras", marks=pytest.mark.registry)],
    scope="module",
)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Registry, str]]:
    if request.param == "memory":
        yield MemoryRegistry(), "registry.test"
        return
    if request.param == "mirrored":
        yield MirroredRegistry(MemoryRegistry(), lambda: _WITH_A_MIRROR), "registry.test"
        return
    if request.param == "loopback":
        with LoopbackRegistry() as registry:
            yield OrasRegistry(credentials=MemoryCredentials()), registry.address
        return
    if PROGRAM is None:
        pytest.skip("docker-registry is not installed")
    with RegistryServer() as server:
        yield OrasRegistry(credentials=MemoryCredentials()), server.address


@pytest.fixture
def registry(place: tuple[Registry, str]) -> Registry:
    return place[0]


@pytest.fixture
def server(place: tuple[Registry, str]) -> str:
    return place[1]


@pytest.fixture(params=["memory", pytest.param("oras", marks=pytest.mark.registry)])
def locked(request: pytest.FixtureRequest) -> Iterator[tuple[Registry, str]]:
    """Return a registry that accepts CREDENTIALS alone."""
    if request.param == "memory":
        simulator = MemoryRegistry()
        simulator.admit("registry.test", CREDENTIALS)
        yield simulator, "registry.test"
        return
    if PROGRAM is None:
        pytest.skip("docker-registry is not installed")
    with RegistryServer((CREDENTIALS.username, CREDENTIALS.password)) as server:
        yield OrasRegistry(credentials=MemoryCredentials()), server.address


class TestRegistry(RegistryContract):
    pass


class TestRegistryLogin(RegistryLoginContract):
    pass

"""Contract tests of lists of what registries hold."""

from collections.abc import Iterator

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.registry.oras import OrasRegistry
from img.testing.registry_contents import Place, RegistryContentsContract
from tests.support.host.machine import lacking
from tests.support.servers.registry_server import PROGRAM, RegistryServer


@pytest.fixture(params=["memory", pytest.param("oras", marks=pytest.mark.registry)], scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        memory = MemoryRegistry()
        yield Place(registry=memory, contents=memory, server="registry.test")
        return
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    with RegistryServer() as server:
        credentials = MemoryCredentials()
        yield Place(
            registry=OrasRegistry(credentials=credentials),
            contents=OrasRegistryContents(Access(credentials=credentials)),
            server=server.address,
        )


class TestRegistryContents(RegistryContentsContract):
    pass

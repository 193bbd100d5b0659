"""Detection of the scheme of a registry that may use either."""

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import RegistryError
from img.domain.oci import media_types
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_MANIFEST = b"{}"


def _serve(_: Request) -> Answer:
    return Answer(headers={"Content-Type": media_types.OCI_MANIFEST}, body=_MANIFEST)


def _resolved(server: ScriptedServer, registry: OrasRegistry) -> int:
    return registry.resolve(ImageReference.parse(f"{server.address}/app:1")).size


@pytest.mark.parametrize("refusing", [0, 1, 2, 3, 5])
def test_http_is_found_on_loopback_however_the_first_connections_end(refusing: int) -> None:
    registry = OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)

    with ScriptedServer(_serve, refusing=refusing) as server:
        assert _resolved(server, registry) == len(_MANIFEST)


def test_a_registry_that_comes_back_is_found_by_the_same_client() -> None:
    registry = OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)

    with ScriptedServer(_serve, refusing=50) as server:
        with pytest.raises(RegistryError):
            _resolved(server, registry)
        server.stop_refusing()
        assert _resolved(server, registry) == len(_MANIFEST)

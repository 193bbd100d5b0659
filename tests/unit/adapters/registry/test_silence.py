"""Registries that take a request and say nothing, or say it very slowly."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.limits import Limits
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import RegistryUnreachable
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_LIMITS = Limits(read_s=0.1, commit_s=0.1)
_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)


@contextmanager
def _silent(method: str) -> Iterator[ScriptedServer]:
    """Serve a registry that never answers ``method``."""
    over = Event()

    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        if request.method in {method, "HEAD", "GET"}:
            over.wait(30)
        return Answer(status=202, headers={"Location": "/u"})

    with ScriptedServer(answer) as server:
        yield server
        over.set()


def _resolve(registry: OrasRegistry, name: ImageReference) -> object:
    return registry.resolve(name)


def _open(registry: OrasRegistry, name: ImageReference) -> object:
    return registry.open_blob(name, _BLOB)


def _push(registry: OrasRegistry, name: ImageReference) -> None:
    registry.push_blob(name, _BLOB, io.BytesIO(b"layer"))


def _mount(registry: OrasRegistry, name: ImageReference) -> object:
    return registry.mount_blob(name, _BLOB, name)


def _push_manifest(registry: OrasRegistry, name: ImageReference) -> object:
    return registry.push_manifest(name, b"{}", media_types.OCI_MANIFEST)


@pytest.mark.parametrize(
    ("use", "method"),
    [
        (_resolve, "HEAD"),
        (_open, "GET"),
        (_push, "POST"),
        (_push, "PUT"),
        (_mount, "POST"),
        (_push_manifest, "PUT"),
    ],
)
def test_a_silent_registry_is_asked_twice(
    use: Callable[[OrasRegistry, ImageReference], object], method: str
) -> None:
    with _silent(method) as server:
        name = ImageReference(domain=server.address, path="team/app", tag="v1")
        registry = OrasRegistry(
            credentials=MemoryCredentials(), sleep=lambda _: None, limits=_LIMITS
        )
        with pytest.raises(RegistryUnreachable, match="does not answer in time"):
            use(registry, name)

        assert len(server.asked(method, "/")) <= 2 + (method == "GET")  # the ping
        assert not server.asked("DELETE", "/")


def test_a_list_that_never_comes_is_asked_for_twice() -> None:
    with _silent("GET") as server:
        name = ImageReference(domain=server.address, path="team/app", tag="v1")
        access = Access(credentials=MemoryCredentials(), sleep=lambda _: None, limits=_LIMITS)
        with pytest.raises(RegistryUnreachable, match="does not answer in time"):
            list(OrasRegistryContents(access).tags(name))

        assert len(server.asked("GET", "/v2/team")) == 2

"""Registries that answer what they like, asked by the real client over the network.

Statuses, headers, bodies, redirects, links to the next page, challenges and tokens are changed.
Nothing but an ImgError comes out; nothing is sent to places that are nearer than the registry is;
the password is sent to no other host; time, memory and the number of requests are limited.
"""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.connections_watch import ConnectionsWatch, distance
from tests.security.fuzzing import TOTAL, fuzz, shards
from tests.security.registry_target import Registry
from tests.support.host.machine import in_memory
from tests.support.servers.scripted_server import Answer, ScriptedServer


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="img-fuzz-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("seeds", shards(TOTAL * 5 // 100, most=250), ids=str)
def test_no_answer_of_a_registry_does_harm(seeds: range, place: Path) -> None:
    registry = Registry(place)
    try:
        assert fuzz(registry, seeds) == len(seeds)
    finally:
        registry.close()


def test_what_is_sent_elsewhere_is_seen() -> None:
    watch = ConnectionsWatch({"inner.example": "10.1.2.3", "public.example": "93.184.216.34"})
    with ScriptedServer(lambda _: Answer()) as server:
        port = int(server.address.rpartition(":")[2])
        watch.routes = {("93.184.216.34", 80): port}
        with watch.watching():
            with socket.create_connection(("public.example", 80)) as public:
                public.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert public.recv(8) == b"HTTP/1.1"
                assert public.getpeername() == ("93.184.216.34", 80)
            with socket.create_connection(("inner.example", 443)) as inner:
                assert inner.getpeername()[0] == "10.1.2.3"
                inner.sendall(b"hello")
                assert inner.recv(1) == b""
            with pytest.raises(socket.gaierror):
                socket.create_connection(("unknown.example", 80))
    watch.close()

    assert watch.sent == [("10.1.2.3", b"hello")]


def test_addresses_have_their_distances() -> None:
    addresses = ("0.0.0.0", "::ffff:127.0.0.1", "169.254.1.1", "fe80::1", "10.0.0.1", "1.1.1.1")
    assert [distance(address) for address in addresses] == [0, 0, 1, 1, 2, 3]

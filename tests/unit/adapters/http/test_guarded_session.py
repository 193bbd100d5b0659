"""A server does not lead into a network that is nearer to us than itself."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from img.adapters.http.guarded_session import (
    AddressNotAllowed,
    GuardedAdapter,
    GuardedSession,
    PeerGuard,
)
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


def _session(guard: PeerGuard, **environment: str) -> GuardedSession:
    session = GuardedSession(environment)
    session.mount("http://", GuardedAdapter(guard))
    return session


@contextmanager
def _named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Iterator[None]:
    """Let every name have ``addresses``, one after another, the last for ever."""
    left = list(addresses)
    real = socket.getaddrinfo

    def answer(_host: object, *args: object, **kwargs: object) -> object:
        address = left.pop(0) if len(left) > 1 else left[0]
        return real(address, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", answer)
        yield


class _Connected:
    """A socket, as far as a guard looks at one."""

    def __init__(self, address: str) -> None:
        self._address = address

    def getpeername(self) -> tuple[str, int]:
        return self._address, 443


def _connect(guard: PeerGuard, host: str, port: int, address: str) -> None:
    guard.check_peer(_Connected(address), host, port)  # type: ignore[arg-type]


def test_what_the_user_names_may_be_anywhere() -> None:
    with ScriptedServer(lambda _: Answer(body=b"here")) as server:
        url = f"http://{server.address}/"

        assert _session(PeerGuard.of_url(url)).get(url).content == b"here"


def test_a_name_that_has_an_address_of_this_machine_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedServer(lambda _: Answer()) as server:
        port = server.address.rpartition(":")[2]
        session = _session(PeerGuard.of_registry("registry.example.com"))

        with (
            _named(monkeypatch, "127.0.0.1"),
            pytest.raises(AddressNotAllowed, match=r"metadata.test \(127.0.0.1\), an address of"),
        ):
            session.get(f"http://metadata.test:{port}/")

        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "http://169.254.169.254/"],
)
def test_an_address_in_a_url_is_refused_without_a_connection(url: str) -> None:
    with pytest.raises(AddressNotAllowed):
        _session(PeerGuard.of_registry("registry.example.com")).get(url)


def test_through_a_proxy_addresses_in_urls_are_checked() -> None:
    with ScriptedServer(lambda _: Answer(body=b"proxied")) as proxy:
        guard = PeerGuard.of_registry("registry.example.com")
        session = _session(guard, HTTP_PROXY=proxy.address)

        assert session.get("http://cdn.example.com/").content == b"proxied"
        with pytest.raises(AddressNotAllowed):
            session.get("http://10.0.0.1/")
        assert len(proxy.requests) == 1


def test_a_redirect_is_a_hop_too() -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=307, headers={"Location": "http://169.254.169.254/latest"})

    with ScriptedServer(answer) as server:
        url = f"http://{server.address}/"

        with pytest.raises(AddressNotAllowed, match="a link-local address"):
            _session(PeerGuard.of_url(url)).get(url)


@pytest.mark.parametrize(
    ("origin", "target", "allowed"),
    [
        ("93.184.216.34", "93.184.216.35", True),
        ("93.184.216.34", "10.0.0.1", False),
        ("93.184.216.34", "127.0.0.1", False),
        ("93.184.216.34", "169.254.169.254", False),
        ("10.0.0.1", "192.168.0.1", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("10.0.0.1", "93.184.216.34", True),
        ("127.0.0.1", "::1", True),
        ("127.0.0.1", "10.0.0.1", True),
    ],
)
def test_the_address_of_the_first_host_counts(origin: str, target: str, allowed: bool) -> None:
    guard = PeerGuard.of_registry("registry.corp")
    _connect(guard, "registry.corp", 443, origin)

    if allowed:
        _connect(guard, "storage.corp", 443, target)
    else:
        with pytest.raises(AddressNotAllowed):
            _connect(guard, "storage.corp", 443, target)


def test_of_several_addresses_of_the_first_host_the_farthest_counts() -> None:
    guard = PeerGuard.of_registry("registry.corp")
    for address in ("10.0.0.1", "93.184.216.34", "10.0.0.1"):
        _connect(guard, "REGISTRY.corp", 443, address)

    with pytest.raises(AddressNotAllowed):
        _connect(guard, "registry.corp", 8443, "10.0.0.1")


@pytest.mark.parametrize(
    "location",
    ["http://[::1/x", "http://127.0.0.1:99999/x", "http://\xe9\xff/", "//[", "http://a b:c/"],
)
def test_a_redirect_to_no_url_is_an_error_of_requests(location: str) -> None:
    with ScriptedServer(lambda _: Answer(status=307, headers={"Location": location})) as server:
        url = f"http://{server.address}/"

        with pytest.raises((requests.RequestException, AddressNotAllowed)):
            _session(PeerGuard.of_url(url)).get(url)


def test_the_text_of_a_redirect_is_not_read_without_end() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/there":
            return Answer(body=b"there")
        # More is promised than a client that reads to the end would ever get.
        return Answer(
            status=302,
            headers={"Location": "/there", "Content-Length": str(10**12)},
            body=b"x" * (1 << 20),
        )

    with ScriptedServer(answer) as server:
        url = f"http://{server.address}/"

        assert _session(PeerGuard.of_url(url)).get(url, timeout=20).content == b"there"


def test_hosts_that_the_user_allows_may_be_anywhere() -> None:
    allowed = {"IMG_PRIVATE_HOSTS": "minio.corp, AUTH.corp,10.0.0.9"}
    for guard in (
        PeerGuard.of_registry("registry.example.com", allowed),
        PeerGuard.of_url("https://example.com/file", allowed),
    ):
        _connect(guard, "minio.corp", 443, "10.0.0.1")
        _connect(guard, "auth.corp", 443, "127.0.0.1")
        guard.check_url("http://10.0.0.9/x")
        with pytest.raises(AddressNotAllowed) as caught:
            _connect(guard, "other.corp", 443, "10.0.0.1")
        assert caught.value.hint == "if that is meant so: IMG_PRIVATE_HOSTS=other.corp"

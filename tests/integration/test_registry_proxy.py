"""Registries beyond a proxy, with names that only it knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.trust import Trust
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.certificates import Authority
from tests.support.servers.proxy_server import ProxyServer, SocksServer
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)
_HOST = "registry.invalid"  # no name server knows it (RFC 6761)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def _answer(request: Request) -> Answer:
    return Answer(body=b"layer") if request.path.startswith("/v2/") else Answer(status=404)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[ScriptedServer]:
    context = authority.issue("registry", f"DNS:{_HOST}").context()
    with ScriptedServer(_answer, context) as server:
        yield server


def _name(server: ScriptedServer) -> ImageReference:
    port = server.address.rpartition(":")[2]
    return ImageReference(domain=f"{_HOST}:{port}", path="team/app", tag="v1")


def _client(authority: Authority) -> OrasRegistry:
    return OrasRegistry(
        credentials=MemoryCredentials(),
        trust=Trust(ca_certificates=(authority.certificate,)),
        sleep=lambda _: None,
    )


def test_a_registry_is_reached_through_a_tunnel_that_sees_nothing(
    server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert _client(authority).open_blob(_name(server), _BLOB).read() == b"layer"
    assert set(proxy.lines) == {f"CONNECT {_name(server).domain}"}


def test_a_proxy_may_want_a_password_which_is_for_it_alone(
    server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer(login=("ada", "secret")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert _client(authority).open_blob(_name(server), _BLOB).read() == b"layer"
    assert not any("Proxy-Authorization" in request.headers for request in server.requests)
    assert not any("Authorization" in request.headers for request in server.requests)


def test_a_proxy_that_refuses_is_named_as_such(
    server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer(login=("ada", "secret")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("ada:secret@", ""))
        with pytest.raises(RegistryError, match="through the proxy"):
            _client(authority).open_blob(_name(server), _BLOB)


def test_an_insecure_registry_is_reached_by_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyServer() as proxy, ScriptedServer(_answer) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        name = _name(server)
        client = OrasRegistry(
            credentials=MemoryCredentials(), insecure=lambda _: True, sleep=lambda _: None
        )
        assert client.open_blob(name, _BLOB).read() == b"layer"
    assert f"GET http://{name.domain}/v2/team/app/blobs/{_BLOB.digest}" in proxy.lines


@pytest.mark.parametrize("login", [None, ("ada", "secret")])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_registry_is_reached_through_socks_which_looks_up_its_name(
    server: ScriptedServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    login: tuple[str, str] | None,
) -> None:
    with SocksServer(login) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("socks5", scheme))
        assert _client(authority).open_blob(_name(server), _BLOB).read() == b"layer"
    assert set(proxy.names) == {_HOST}


def test_plain_http_goes_through_socks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with SocksServer() as proxy, ScriptedServer(_answer) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = OrasRegistry(
            credentials=MemoryCredentials(), insecure=lambda _: True, sleep=lambda _: None
        )
        assert client.open_blob(_name(server), _BLOB).read() == b"layer"
    assert server.asked("GET", "/v2/team")  # its own paths: no proxy of http was asked


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        (SocksServer(status=2), "not allowed"),
        (SocksServer(status=5), "connection refused"),
        (SocksServer(status=99), "reply 99"),
        (SocksServer(login=("ada", "secret")), "wants a login"),
    ],
)
def test_a_socks_proxy_that_does_not_connect_us_is_named_with_the_reason(
    authority: Authority,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    proxy: SocksServer,
    reason: str,
) -> None:
    with proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("ada:secret@", ""))
        with pytest.raises(RegistryError, match=f"through the proxy: .*{reason}"):
            _client(authority).open_blob(_name(server), _BLOB)


def test_all_proxy_is_no_matter_as_for_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    with ScriptedServer(_answer) as server:
        name = ImageReference(domain=server.address, path="team/app", tag="v1")
        client = OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)
        assert client.open_blob(name, _BLOB).read() == b"layer"
    with pytest.raises(RegistryError, match=r"cannot be reached: .*name"):
        client.resolve(ImageReference.parse(f"{_HOST}/app"))


@pytest.mark.parametrize("exception", [_HOST, ".invalid", "*.invalid", f"{_HOST}:PORT", "*"])
def test_hosts_that_need_no_proxy_are_not_asked_of_it(
    server: ScriptedServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    exception: str,
) -> None:
    with ProxyServer() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        port = _name(server).domain.rpartition(":")[2]
        monkeypatch.setenv("NO_PROXY", exception.replace("PORT", port))
        with pytest.raises(RegistryError, match="cannot be reached"):
            _client(authority).open_blob(_name(server), _BLOB)
    assert proxy.lines == []


def test_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyServer() as proxy, ScriptedServer(_answer) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        name = ImageReference(domain=server.address, path="team/app", tag="v1")
        client = OrasRegistry(credentials=MemoryCredentials())
        assert client.open_blob(name, _BLOB).read() == b"layer"
    assert proxy.lines == []

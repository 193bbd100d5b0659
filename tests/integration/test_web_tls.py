"""Certificate authorities for downloads of files."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from img.adapters.web.requests import RequestsWebFetcher
from img.application.ports.web import WebError, WebRequest
from tests.support.servers.certificates import Authority
from tests.support.servers.scripted_server import Answer, ScriptedServer


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[ScriptedServer]:
    context = authority.issue("server", "IP:127.0.0.1").context()
    with ScriptedServer(lambda _: Answer(body=b"content"), context) as server:
        yield server


def _fetch(server: ScriptedServer) -> bytes:
    request = WebRequest(url=f"https://{server.address}/file")
    with RequestsWebFetcher().get(request, Event()) as answer:
        return b"".join(answer.content)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_of_the_environment_is_trusted_with_files_too(
    server: ScriptedServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.certificate))

    assert _fetch(server) == b"content"


def test_a_server_for_whom_nobody_vouches_is_refused(server: ScriptedServer) -> None:
    with pytest.raises(WebError, match="the server is not to be trusted"):
        _fetch(server)


def test_an_authority_that_is_not_there_is_named(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    with pytest.raises(WebError, match=r"certificates in /nowhere/ca.pem cannot be used"):
        _fetch(server)

"""Data for a registry is sent to no other host, with any redirect of the registry.

A registry that wants a password or a token leads to a stranger in every way that HTTP and the
distribution-spec have. The stranger answers all it is asked with challenges. It may be asked, and
gets nothing by which it could be the user anywhere.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.limits import Limits
from img.adapters.registry.mirrored import MirroredRegistry
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.trust import Trust
from img.application.ports.credential_store import Credentials
from img.domain.oci import media_types
from img.domain.reference import ImageReference
from img.domain.registries import Endpoint, RegistryRule, RegistryRules
from tests.security.connections_watch import ConnectionsWatch
from tests.security.test_remote_input import Client
from tests.support.servers.certificates import Authority
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_PASSWORD = "lovelace-the-password"
_IDENTITY = "identity-token-of-ada"
_TOKEN = "token-for-this-registry"
_ADA = Credentials(username="ada", password=_PASSWORD)
_BASIC = base64.b64encode(f"ada:{_PASSWORD}".encode()).decode()
_SECRETS = (_PASSWORD, _BASIC, _IDENTITY, _TOKEN)

Lead = Callable[[Request, str], Answer | None]


def _told(server: ScriptedServer) -> list[str]:
    """Return the requests that have a secret somewhere."""
    seen = [
        f"{request.method} {request.path} {dict(request.headers)} {request.body!r}"
        for request in server.requests
    ]
    return [text for text in seen if any(secret in text for secret in _SECRETS)]


def _stranger(request: Request) -> Answer:
    if request.path.startswith("/token"):
        return Answer(body=b'{"token":"from-a-stranger"}')
    host = request.headers["Host"]
    ways = f'Bearer realm="http://{host}/token",scope="registry:catalog:*", Basic realm="x"'
    return Answer(status=401, headers={"WWW-Authenticate": ways})


class Registry:
    """A registry that needs a login, unless it is open, and redirects to the stranger."""

    def __init__(self, style: str, lead: Lead, stranger: str) -> None:
        self._style = style
        self._lead = lead
        self._stranger = stranger

    def __call__(self, request: Request) -> Answer:
        host = request.headers["Host"]
        if request.path.startswith("/token"):
            return self._lead(request, self._stranger) or Answer(
                body=f'{{"token":"{_TOKEN}"}}'.encode()
            )
        if self._style == "open":
            return self._lead(request, self._stranger) or _usual(request)
        proof = f"Basic {_BASIC}" if self._style == "basic" else f"Bearer {_TOKEN}"
        if request.headers.get("Authorization") != proof:
            way = (
                'Basic realm="r"'
                if self._style == "basic"
                else f'Bearer realm="http://{host}/token"'
            )
            return Answer(status=401, headers={"WWW-Authenticate": way})
        return self._lead(request, self._stranger) or _usual(request)


def _usual(request: Request) -> Answer:
    if request.method == "POST":
        return Answer(status=202, headers={"Location": "/u"})
    if request.method in {"PUT", "DELETE"}:
        return Answer(status=201)
    return Answer(headers={"Content-Type": media_types.OCI_INDEX}, body=b'{"tags":[]}')


def _redirect(status: int, *methods: str) -> Lead:
    def lead(request: Request, stranger: str) -> Answer | None:
        if (methods and request.method not in methods) or request.path.startswith("/token"):
            return None
        return Answer(status=status, headers={"Location": f"http://{stranger}{request.path}"})

    return lead


def _redirected_token(request: Request, stranger: str) -> Answer | None:
    if not request.path.startswith("/token"):
        return None
    return Answer(status=307, headers={"Location": f"http://{stranger}/token"})


def _link(request: Request, stranger: str) -> Answer | None:
    if request.method != "GET":
        return None
    link = f'<http://{stranger}{request.path}>; rel="next"'
    return Answer(headers={"Link": link}, body=b'{"tags":["a"],"repositories":["a"]}')


def _upload_elsewhere(request: Request, stranger: str) -> Answer | None:
    if request.method != "POST":
        return None
    return Answer(status=202, headers={"Location": f"http://{stranger}/upload?x=y"})


_LEADS: dict[str, Lead] = {
    **{f"redirect {status}": _redirect(status) for status in (301, 302, 303, 307, 308)},
    **{f"redirect of {m}": _redirect(307, m) for m in ("HEAD", "POST", "PUT", "DELETE")},
    "redirect of the token server": _redirected_token,
    "link": _link,
    "place of an upload": _upload_elsewhere,
}


@pytest.fixture
def stranger() -> Iterator[ScriptedServer]:
    with ScriptedServer(_stranger) as server:
        yield server


@pytest.mark.parametrize(
    ("style", "name"), [("basic", "localhost"), ("token", "127.0.0.1"), ("open", "127.0.0.1")]
)
@pytest.mark.parametrize("lead", _LEADS.values(), ids=_LEADS.keys())
def test_a_host_to_which_a_registry_leads_hears_no_secret(
    lead: Lead, style: str, name: str, stranger: ScriptedServer
) -> None:
    place = stranger.address.replace("127.0.0.1", name)
    with ScriptedServer(Registry(style, lead, place)) as server:
        Client(server, _ADA).everything()
        assert _told(server) or style == "open"  # or nothing was tried

    assert _told(stranger) == []


def test_the_identity_token_is_not_redirected(stranger: ScriptedServer) -> None:
    registry = Registry("token", _redirected_token, stranger.address)
    with ScriptedServer(registry) as server:
        Client(server, Credentials(identity_token=_IDENTITY)).everything()
        assert _told(server)

    assert _told(stranger) == []


def test_a_realm_that_the_registry_names_gets_the_password_and_what_it_leads_to_does_not(
    stranger: ScriptedServer,
) -> None:
    def realm(request: Request) -> Answer:
        return Answer(status=307, headers={"Location": f"http://{stranger.address}/token"})

    with ScriptedServer(realm) as tokens:
        way = f'Bearer realm="http://{tokens.address}/token"'
        challenge = Answer(status=401, headers={"WWW-Authenticate": way})
        with ScriptedServer(lambda _: challenge) as server:
            Client(server, _ADA).everything()
        assert _told(tokens)

    assert _told(stranger) == []


@pytest.mark.parametrize("style", ["basic", "token"])
def test_a_mirror_hears_no_secret_of_home_and_home_none_of_a_mirror(
    style: str, stranger: ScriptedServer
) -> None:
    with ScriptedServer(Registry(style, lambda *_: None, "")) as server:
        store = MemoryCredentials({server.address: _ADA})
        mirrors = (Endpoint(location=stranger.address), Endpoint(location=f"{stranger.address}/x"))
        rules = RegistryRules(rules=(RegistryRule(prefix=server.address, mirrors=mirrors),))
        client = Client(server, _ADA)
        client.registry = MirroredRegistry(  # type: ignore[assignment]  # as far as a Client asks
            OrasRegistry(credentials=store, sleep=lambda _: None), lambda: rules
        )
        client.everything()
        assert _told(server)
        assert not [r for r in server.requests if "from-a-stranger" in str(r.headers)]

    assert stranger.requests
    assert _told(stranger) == []


@pytest.mark.parametrize("way", ["Location", "Link", "realm"])
@pytest.mark.parametrize(
    "url", ["http://registry.test", "http://registry.test:443", "//other.test"]
)
def test_a_registry_on_https_leads_to_no_secret_in_the_clear(
    url: str, way: str, tmp_path: Path, stranger: ScriptedServer
) -> None:
    def answer(request: Request) -> Answer:
        if way == "realm":
            return Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{url}/token"'})
        if request.headers.get("Authorization") != f"Basic {_BASIC}":
            return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        if request.method == "GET" and "again" not in request.path:
            return Answer(headers={"Link": f'<{url}/again>; rel="next"'}, body=b'{"tags":[]}')
        return Answer(status=202, headers={"Location": f"{url}/upload"})

    authority = Authority(tmp_path)
    context = authority.issue("registry", "DNS:registry.test").context()
    watch = ConnectionsWatch({"registry.test": "93.184.216.34", "other.test": "93.184.216.35"})
    with ScriptedServer(answer, context) as server:
        watch.routes = {
            ("93.184.216.34", 443): _port(server),
            ("93.184.216.34", 80): _port(stranger),
            ("93.184.216.35", 80): _port(stranger),
        }
        client = Client(server)
        client.name = ImageReference(domain="registry.test", path="team/app", tag="v1")
        access = Access(
            credentials=MemoryCredentials({"registry.test": _ADA}),
            trust=Trust(ca_certificates=(authority.certificate,)),
            sleep=lambda _: None,
            limits=Limits(connect_s=1.0, read_s=1.0),
        )
        client.registry = OrasRegistry(
            credentials=access.credentials,
            trust=access.trust,
            sleep=access.sleep,
            limits=access.limits,
        )
        client.contents = OrasRegistryContents(access)
        with watch.watching():
            client.everything()
        assert _told(server) or way == "realm"
    watch.close()

    assert stranger.requests == []
    assert [data for _, data in watch.sent if b"HTTP/1.1" in data] == []


def _port(server: ScriptedServer) -> int:
    return int(server.address.rpartition(":")[2])

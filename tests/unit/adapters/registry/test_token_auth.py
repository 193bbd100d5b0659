"""Bearer tokens, as registries hand them out (distribution auth/token.md, auth/oauth.md)."""

import base64
import io
import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError, Unauthorized
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)
_ADA = Credentials(username="ada", password="lovelace")
_ADA_BASIC = "Basic " + base64.b64encode(b"ada:lovelace").decode()


class TokenRegistry:
    """Asks for a token with each request; tokens are counted, and only the last one is good."""

    def __init__(self, *, expires_in: int | None = None, realm: str = "", error: str = "") -> None:
        self.tokens = 0
        self.forms: list[dict[str, list[str]]] = []
        self.refuse_tokens = False
        self.refuse_method = ""
        self._expires_in = expires_in
        self._realm = realm
        self._error = error
        self.seen_by_token_server: list[str | None] = []

    def __call__(self, request: Request) -> Answer:
        url = urlsplit(request.path)
        if url.path == "/token":
            return self._token(request, parse_qs(url.query or request.body.decode()))
        if url.path == "/v2/" and "Authorization" not in request.headers:
            return self._challenge(request)
        if request.headers.get("Authorization") != f"Bearer t{self.tokens}" or self._error:
            return self._challenge(request)
        if request.method == "POST":
            return Answer(status=202, headers={"Location": "/u"})
        return Answer(status=201 if request.method == "PUT" else 200, body=b"layer")

    def _challenge(self, request: Request) -> Answer:
        realm = self._realm or f"http://{request.headers['Host']}/token"
        error = f',error="{self._error}"' if self._error else ""
        bearer = f'Bearer realm="{realm}",service="the registry"{error}'
        return Answer(status=401, headers={"WWW-Authenticate": bearer})

    def _token(self, request: Request, form: dict[str, list[str]]) -> Answer:
        if request.method == self.refuse_method:
            return Answer(status=405)
        self.forms.append(form)
        self.seen_by_token_server.append(request.headers.get("Authorization"))
        if self.refuse_tokens:
            return Answer(status=401)
        self.tokens += 1
        document: dict[str, object] = {"access_token": f"t{self.tokens}"}
        if self._expires_in is not None:
            document["expires_in"] = self._expires_in
        return Answer(body=json.dumps(document).encode())


def _client(credentials: Credentials | None, server: ScriptedServer) -> OrasRegistry:
    known = {server.address: credentials} if credentials else {}
    return OrasRegistry(credentials=MemoryCredentials(known), sleep=lambda _: None)


def _name(server: ScriptedServer) -> ImageReference:
    return ImageReference(domain=server.address, path="team/app", tag="v1")


def _pull(credentials: Credentials | None, registry: Callable[[Request], Answer]) -> bytes:
    with ScriptedServer(registry) as server:
        return _client(credentials, server).open_blob(_name(server), _BLOB).read()


def test_nobody_gets_a_token_too() -> None:
    registry = TokenRegistry()

    assert _pull(None, registry) == b"layer"

    assert registry.seen_by_token_server == [None]
    assert registry.forms[0]["service"] == ["the registry"]
    assert registry.forms[0]["scope"] == ["repository:team/app:pull"]


def test_a_name_and_password_buy_a_token() -> None:
    registry = TokenRegistry()

    assert _pull(_ADA, registry) == b"layer"

    assert registry.seen_by_token_server == [_ADA_BASIC]


def test_an_identity_token_is_posted_as_a_refresh_token() -> None:
    registry = TokenRegistry()

    assert _pull(Credentials(identity_token="long-lived"), registry) == b"layer"

    assert registry.forms[0]["grant_type"] == ["refresh_token"]
    assert registry.forms[0]["refresh_token"] == ["long-lived"]
    assert registry.seen_by_token_server == [None]


@pytest.mark.parametrize(
    ("refused", "credentials"), [("GET", _ADA), ("POST", Credentials(identity_token="x"))]
)
def test_a_token_server_that_knows_one_way_only_is_asked_that_way(
    refused: str, credentials: Credentials
) -> None:
    registry = TokenRegistry()
    registry.refuse_method = refused

    assert _pull(credentials, registry) == b"layer"


def test_a_registry_token_is_sent_as_it_is() -> None:
    registry = TokenRegistry()
    registry.tokens = 7

    assert _pull(Credentials(registry_token="t7"), registry) == b"layer"

    assert registry.forms == []


def test_one_token_serves_many_requests() -> None:
    registry = TokenRegistry()
    with ScriptedServer(registry) as server:
        client = _client(None, server)
        for _ in range(3):
            client.open_blob(_name(server), _BLOB).read()

    assert registry.tokens == 1


def test_a_token_that_ran_out_is_replaced_before_anything_is_sent() -> None:
    registry = TokenRegistry(expires_in=-1)
    with ScriptedServer(registry) as server:
        client = _client(None, server)
        client.push_blob(_name(server), _BLOB, io.BytesIO(b"layer"))

        assert len(server.asked("PUT", "/u")) == 1


def test_a_token_that_is_refused_early_is_replaced() -> None:
    registry = TokenRegistry()
    with ScriptedServer(registry) as server:
        client = _client(None, server)
        client.open_blob(_name(server), _BLOB).read()
        registry.tokens += 1  # no client is informed

        assert client.open_blob(_name(server), _BLOB).read() == b"layer"


def test_pushing_asks_for_more_than_pulling() -> None:
    registry = TokenRegistry()
    with ScriptedServer(registry) as server:
        _client(_ADA, server).push_blob(_name(server), _BLOB, io.BytesIO(b"layer"))

    assert registry.forms[0]["scope"] == ["repository:team/app:pull,push"]


def test_a_wrong_password_is_told_as_such() -> None:
    registry = TokenRegistry()
    registry.refuse_tokens = True

    with pytest.raises(Unauthorized, match="refuses the credentials of ada") as refused:
        _pull(_ADA, registry)

    assert refused.value.hint is not None
    assert "lovelace" not in str(refused.value)


def test_a_scope_that_is_not_granted_is_told_in_the_registrys_words() -> None:
    registry = TokenRegistry(error="insufficient_scope")

    with pytest.raises(Unauthorized, match="insufficient_scope: authorization failed"):
        _pull(_ADA, registry)

    assert registry.tokens == 1


@pytest.mark.parametrize(
    "realm", ["http://169.254.169.254/token", "https://[fe80::1]/token", "ftp://example.com/"]
)
def test_a_password_does_not_go_to_a_strange_place(realm: str) -> None:
    with pytest.raises(RegistryError, match="sends us to"):
        _pull(_ADA, TokenRegistry(realm=realm))


def test_a_login_is_tried_with_the_credentials_given() -> None:
    registry = TokenRegistry()
    with ScriptedServer(registry) as server:
        _client(None, server).check_login(server.address, _ADA)

    assert registry.seen_by_token_server == [_ADA_BASIC]


def test_a_401_without_a_challenge_is_final() -> None:
    with ScriptedServer(lambda _: Answer(status=401)) as server:
        with pytest.raises(Unauthorized, match="401"):
            _client(_ADA, server).open_blob(_name(server), _BLOB)

        assert len(server.asked("GET", "/v2/team")) == 1


def test_basic_is_chosen_where_it_is_one_of_several() -> None:
    def answer(request: Request) -> Answer:
        if request.headers.get("Authorization") == _ADA_BASIC:
            return Answer(body=b"layer")
        return Answer(status=401, headers={"WWW-Authenticate": 'Negotiate, Basic realm="r"'})

    assert _pull(_ADA, answer) == b"layer"


_BASIC = 'Basic realm="r"'


class TwoWays:
    """Offers Basic and Bearer in one order or the other, and takes one of them."""

    def __init__(self, *, basic_first: bool, takes: str, headers: int = 1) -> None:
        self._basic_first = basic_first
        self._takes = takes
        self._headers = headers
        self.tokens = 0

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/token"):
            self.tokens += 1
            if self._takes == "no token":
                return Answer(status=401)
            return Answer(body=b'{"token":"t"}')
        if request.path == "/v2/":
            return Answer()
        if request.headers.get("Authorization") == self._taken():
            return Answer(body=b"layer")
        bearer = f'Bearer realm="http://{request.headers["Host"]}/token"'
        ways = [_BASIC, bearer] if self._basic_first else [bearer, _BASIC]
        return Answer(status=401, headers={"WWW-Authenticate": ", ".join(ways)})

    def _taken(self) -> str:
        return "Bearer t" if self._takes == "bearer" else _ADA_BASIC


@pytest.mark.parametrize("basic_first", [True, False])
@pytest.mark.parametrize("takes", ["basic", "bearer", "no token"])
def test_of_two_ways_the_one_that_works_is_found(takes: str, basic_first: bool) -> None:
    registry = TwoWays(basic_first=basic_first, takes=takes)

    with ScriptedServer(registry) as server:
        client = _client(_ADA, server)
        assert client.open_blob(_name(server), _BLOB).read() == b"layer"
        before = len(server.requests)
        assert client.open_blob(_name(server), _BLOB).read() == b"layer"

        assert len(server.requests) == before + 1  # it is remembered


def test_nobody_takes_the_token_where_a_password_is_offered_first() -> None:
    assert _pull(None, TwoWays(basic_first=True, takes="bearer")) == b"layer"


@pytest.mark.parametrize("basic_first", [True, False])
def test_where_no_way_works_that_is_the_end(basic_first: bool) -> None:
    registry = TwoWays(basic_first=basic_first, takes="nothing")
    registry._taken = lambda: "?"  # type: ignore[method-assign]

    with ScriptedServer(registry) as server:
        with pytest.raises(Unauthorized, match="401"):
            _client(_ADA, server).open_blob(_name(server), _BLOB)
        assert len(server.requests) < 15

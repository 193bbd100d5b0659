"""Authentication at a registry, in the interface of oras."""

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import requests
from oras.auth.token import TokenAuth

from img.adapters.registry.addresses import checked, is_same_host
from img.adapters.registry.challenges import Challenge, parse_challenges
from img.adapters.registry.failures import (
    authenticate_headers,
    limited_body,
    login_hint,
    refusal,
)
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError, Unauthorized
from img.domain.decimal_text import parse_count
from img.domain.errors import RemoteError
from img.domain.json_text import InvalidJson, parse_json

_DEFAULT_LIFE_S = 60  # distribution-spec auth/token, "expires_in"
_CLIENT_ID = "img"
# RFC 6750 allows fewer characters; a token must not end the header, nor contain invalid characters.
_TOKEN = re.compile(r"[!-~]{1,65536}")


class Refused(Exception):  # control flow of this package, no error for users
    """There is no further answer to this 401 or 403, which is final."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class NoAuth(TokenAuth):  # type: ignore[misc]  # oras has no types
    """Answers no challenge: for hosts that are not the registry."""

    def renew_if_stale(self) -> None:
        """Do nothing; as ScopedAuth."""

    def get_auth_header(self) -> dict[str, str]:
        return {}  # older versions of oras would send "Bearer None"

    def authenticate_request(
        self,
        original: requests.Response,
        headers: dict[str, str],
        refresh: bool = False,
    ) -> tuple[dict[str, str], bool]:
        raise Refused(original)


class ScopedAuth(TokenAuth):  # type: ignore[misc]  # oras has no types
    """Answers the challenges of one registry for one scope, and caches the result.

    oras sends ``get_auth_header()`` with each request while ``token`` is not None, and calls
    ``authenticate_request`` at a 401 or 403. Threads may share it.
    """

    def __init__(
        self, *, host: str, scheme: str, scope: str, credentials: Callable[[], Credentials | None]
    ) -> None:
        super().__init__()
        self.token: str | None = None  # the whole value of the Authorization header
        self._host = host
        self._scheme = scheme
        self._scope = scope
        self._credentials = credentials
        self._challenge: Challenge | None = None
        self._expires = float("inf")  # by the monotonic clock
        self._lock = threading.Lock()

    def get_auth_header(self) -> dict[str, str]:
        token = self.token
        return {"Authorization": token} if token else {}

    def renew_if_stale(self) -> None:
        """Replace an expired token, with which the registry would refuse a whole upload."""
        with self._lock:
            if self._challenge is not None and time.monotonic() > self._expires:
                self.token = self._bearer(self._challenge)

    def authenticate_request(
        self,
        original: requests.Response,
        headers: dict[str, str],
        refresh: bool = False,
    ) -> tuple[dict[str, str], bool]:
        if original.status_code != 401:
            raise Refused(original)
        if not is_same_host(original.url, self._host, self._scheme):
            # the challenge of a redirect's target, which gets no credentials
            raise Refused(original)
        used = original.request.headers.get("Authorization", "")
        with self._lock:
            # otherwise another thread has logged in already
            if self.token is None or self.token == used:
                challenges = parse_challenges(authenticate_headers(original))
                if refresh:
                    # The new answer to this challenge was refused: try another scheme, if any.
                    scheme = used.partition(" ")[0].lower()
                    challenges = [each for each in challenges if each.scheme != scheme]
                token = self._answer(challenges, used)
                if token is None:
                    raise Refused(original)
                self.token = token
        limited_body(original)
        return {**headers, **self.get_auth_header()}, True

    def _answer(self, challenges: list[Challenge], used: str) -> str | None:
        """Return the first possible answer other than ``used``; None if there is none.

        Raises the first failure if all fail.
        """
        failure: Exception | None = None
        for challenge in challenges:
            try:
                answer = self._answer_to(challenge)
            except (RemoteError, requests.RequestException) as error:
                failure = failure or error
                continue
            if answer not in (None, used):
                return answer
        if failure is not None:
            raise failure
        return None

    def _answer_to(self, challenge: Challenge) -> str | None:
        if challenge.scheme == "bearer" and "realm" in challenge.parameters:
            return self._bearer(challenge)
        return _basic(self._credentials()) if challenge.scheme == "basic" else None

    def _bearer(self, challenge: Challenge) -> str:
        credentials = self._credentials()
        if credentials is not None and credentials.registry_token:
            return f"Bearer {credentials.registry_token}"
        realm = checked(challenge.parameters["realm"], host=self._host, scheme=self._scheme)
        form = {
            "service": challenge.parameters.get("service", ""),
            "scope": _scopes(self._scope, challenge.parameters.get("scope", "")),
        }
        response = self._ask(realm, form, credentials)
        if response.status_code in {401, 403}:
            raise self._unknown_user(response, credentials)
        if response.status_code != 200:
            raise refusal(response, f"token from {realm}", self._host)
        self._challenge = challenge
        return self._token_in(response, realm)

    def _ask(
        self, realm: str, form: Mapping[str, Sequence[str]], credentials: Credentials | None
    ) -> requests.Response:
        """Request a token by GET, or by POST with an identity token, or else by the other one."""
        posted = _grant(credentials)
        by_post: dict[str, object] = {
            "method": "POST",
            # One field, separated by spaces (distribution auth/oauth.md).
            "data": {
                **form,
                "scope": " ".join(form["scope"]),
                "client_id": _CLIENT_ID,
                **posted,
            },
            "allow_redirects": False,  # the secret is in the body
        }
        by_get: dict[str, object] = {"method": "GET", "params": {**form, "client_id": _CLIENT_ID}}
        ways = [by_get, by_post] if posted else [by_get]
        if credentials is not None and credentials.identity_token:
            ways.reverse()
        basic = _basic(credentials)
        for way in ways:
            is_basic = basic is not None and way is by_get
            response = self.session.request(
                **way,
                url=realm,
                headers={"Authorization": basic} if is_basic else {},
                stream=True,
            )
            if response.status_code not in {404, 405}:
                break
        return response  # type: ignore[no-any-return]  # the session of an untyped class

    def _token_in(self, response: requests.Response, realm: str) -> str:
        try:
            document = parse_json(limited_body(response))
        except InvalidJson:
            document = None
        fields = document if isinstance(document, dict) else {}
        token = fields.get("token") or fields.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise RegistryError(f"{realm} answers without a token")
        self._expires = time.monotonic() + _lifetime_s(fields.get("expires_in"))
        return f"Bearer {token}"

    def _unknown_user(
        self, response: requests.Response, credentials: Credentials | None
    ) -> RegistryError:
        if credentials is None:
            return refusal(response, f"registry {self._host}", self._host)
        limited_body(response)
        user = f" of {credentials.username}" if credentials.username else ""
        return Unauthorized(
            f"registry {self._host} refuses the credentials{user}", hint=login_hint(self._host)
        )


def _lifetime_s(expires_in: object) -> float:
    """Return the lifetime of a token; some servers send the number as text."""
    if isinstance(expires_in, str):
        expires_in = parse_count(expires_in)
    if not isinstance(expires_in, int | float) or isinstance(expires_in, bool):
        return _DEFAULT_LIFE_S
    return float(expires_in) or _DEFAULT_LIFE_S


def _scopes(ours: str, asked_for: str) -> list[str]:
    """Return the scopes to request: our own, and others that the registry asks for.

    Our own first: Docker Hub grants the first scope of a repository.
    """
    scopes = ours.split()
    for scope in asked_for.split():
        resource, _, actions = scope.rpartition(":")
        known = [s.rpartition(":")[2].split(",") for s in scopes if s.startswith(f"{resource}:")]
        if not any(set(actions.split(",")) <= set(those) for those in known):
            scopes.append(scope)
    return scopes


def _basic(credentials: Credentials | None) -> str | None:
    if credentials is None:
        return None
    if credentials.registry_token:
        return f"Bearer {credentials.registry_token}"
    secret = credentials.password or credentials.identity_token
    pair = f"{credentials.username}:{secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _grant(credentials: Credentials | None) -> dict[str, str]:
    """Return the OAuth2 fields for the credentials (distribution auth/oauth.md)."""
    if credentials is None:
        return {}
    if credentials.identity_token:
        return {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}
    return {
        "grant_type": "password",
        "username": credentials.username,
        "password": credentials.password,
    }

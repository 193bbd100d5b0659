"""A connection to one registry: scheme, credentials, retries."""

import ssl
import threading
from collections.abc import Callable
from typing import TypeVar

import requests
from urllib3.exceptions import HTTPError

from img.adapters.http.guarded_session import AddressNotAllowed
from img.adapters.registry.addresses import is_loopback, is_same_host
from img.adapters.registry.failures import PASSING, refusal, unreachable
from img.adapters.registry.limits import Limits
from img.adapters.registry.oras_client import Client, do_request
from img.adapters.registry.rate_limit import RateLimit
from img.adapters.registry.request import Request
from img.adapters.registry.retry_policy import RetryPolicy
from img.adapters.registry.session import RegistrySession
from img.adapters.registry.token_auth import NoAuth, Refused, ScopedAuth
from img.adapters.registry.trust import Trust
from img.application.log import logger
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError

_T = TypeVar("_T")

log = logger("registry")

_MOST_LOGINS = 3  # for an expired token, a new token, and a password
_LOOPBACK_PROBE_S = 1.0
_PROBE_S = 3.0


class Connection:
    """All communication with one registry host; threads may share it.

    Bodies of responses are unread (``stream=True``); the caller reads or closes them.
    """

    def __init__(
        self,
        host: str,
        *,
        credentials: Callable[[str], Credentials | None],
        insecure: bool,
        trust: Trust,
        sleep: Callable[[float], None],
        limits: Limits,
    ) -> None:
        self.host = host
        self.limits = limits
        self._credentials = credentials
        self._insecure = insecure
        self._sleep = sleep
        self._session = RegistrySession(
            host,
            lambda known: trust.context(host, known=known, verified=not insecure),
            limits=limits,
        )
        self._clients: dict[str, Client] = {}
        self._found_scheme = ""
        self._lock = threading.Lock()

    @property
    def scheme(self) -> str:
        """Return https, or http if that is allowed and found; ask until it is known."""
        with self._lock:
            if not self._found_scheme:
                self._found_scheme = self._find_scheme()
            return self._found_scheme or ("http" if is_loopback(self.host) else "https")

    def send(self, request: Request) -> requests.Response:
        """Return the response; the caller handles statuses that a retry would not change.

        Raises RegistryError.
        """
        return self.retry(lambda: self.send_once(request))

    def document(self, request: Request, limit: int) -> tuple[requests.Response, bytes]:
        """Return the response and, if its status is 200, its body. Raises RegistryError."""

        def read() -> tuple[requests.Response, bytes]:
            response = self.send_once(request)
            return response, self._body(response, limit) if response.status_code == 200 else b""

        return self.retry(read)

    def retry(self, attempt: Callable[[], _T]) -> _T:
        """Return the result of ``attempt``, which is repeated after temporary failures."""
        retries = self.retry_policy()
        while True:
            try:
                return attempt()
            except RegistryError as error:
                retries.wait_or_raise(error)

    def retry_policy(self, size: int = 0) -> RetryPolicy:
        """Return the retry policy for several requests; ``size`` is the size of a blob."""
        return RetryPolicy(self._sleep, self.limits.copies * size)

    def send_once(self, request: Request) -> requests.Response:
        """Return the response to one try. Raises RegistryError, ``retryable`` if temporary."""
        url, scheme = request.target, self.scheme
        if url.startswith("/"):
            url = f"{scheme}://{self.host}{url}"
        is_ours = is_same_host(url, self.host, scheme)
        client = self._client(scheme, request.scope if is_ours else None)
        try:
            client.auth.renew_if_stale()
            response = _answered(client, url, request)
        except Refused as refused:
            response = refused.response
        except AddressNotAllowed as error:
            raise RegistryError(f"registry {self.host} {error.message}", hint=error.hint) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise unreachable(error, self.host) from error
        if limit := RateLimit.of(response.headers):
            log.debug("rate limit", host=self.host, limit=str(limit), remaining=limit.remaining)
        if response.status_code in PASSING:
            raise refusal(response, request.what, self.host)
        return response

    def _body(self, response: requests.Response, limit: int) -> bytes:
        try:
            body: bytes = response.raw.read(limit + 1, decode_content=True)
        except (HTTPError, OSError) as error:
            raise unreachable(error, self.host) from error
        finally:
            response.close()
        if len(body) > limit:
            raise RegistryError(f"registry {self.host} sent a document of more than {limit} bytes")
        return body

    def refusal(self, response: requests.Response, request: Request) -> RegistryError:
        """Return the error for an unexpected response to ``request``."""
        return refusal(response, request.what, self.host)

    def _client(self, scheme: str, scope: str | None) -> Client:
        """Return oras' client for one scope, None for other hosts; they share the session."""
        key = f"{scheme} elsewhere" if scope is None else f"{scheme} {scope}"
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._new_client(scheme, scope)
            return client

    def _new_client(self, scheme: str, scope: str | None) -> Client:
        client = Client(hostname=self.host, insecure=scheme == "http")
        client.session = self._session
        client.auth = (
            NoAuth()
            if scope is None
            else ScopedAuth(
                host=self.host,
                scheme=scheme,
                scope=scope,
                credentials=lambda: self._credentials(_repository_of(scope)),
            )
        )
        client.auth.session = self._session
        return client

    def _find_scheme(self) -> str:
        """Return the scheme of the registry, "" if its responses do not tell."""
        if not self._insecure and not is_loopback(self.host):
            return "https"
        timeout = _LOOPBACK_PROBE_S if is_loopback(self.host) else _PROBE_S
        first, other = ("http", "https") if is_loopback(self.host) else ("https", "http")
        match self._answers(first, timeout):
            case True:
                return first
            case False:
                # A 400 may come from an http server, too.
                is_plain = first == "http" and self._answers(other, timeout) is False
                return first if is_plain else other
        return {True: other, False: first, None: ""}[self._answers(other, timeout)]

    def _answers(self, scheme: str, timeout: float) -> bool | None:
        """Tell whether the host uses ``scheme``; None if it does not answer or breaks off.

        https servers answer http with 400, or redirect to https; other responses, and other
        redirects, such as to a login page, come from http servers.
        """
        try:
            response = self._session.request(
                "GET",
                f"{scheme}://{self.host}/v2/",
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, ssl.SSLError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return True  # true, although the next request fails and reports it
            return False if "WRONG_VERSION_NUMBER" in str(error) else None
        response.close()
        if scheme == "https":
            return True
        return response.status_code != 400 and not response.headers.get(
            "Location", ""
        ).lower().startswith("https:")


def _answered(client: Client, url: str, request: Request) -> requests.Response:
    """Return the response, after a login if required. Raises Refused."""
    for left in reversed(range(_MOST_LOGINS)):
        response = do_request(
            client,
            url,
            request.method,
            data=request.data,
            headers=dict(request.headers),
            stream=True,
        )
        if response.status_code != 401 or not left:
            break
        # oras logs in once; a registry may refuse that, and offer another scheme.
        client.auth.authenticate_request(response, {}, refresh=True)
    return response  # type: ignore[no-any-return]  # oras has no types


def _repository_of(scope: str) -> str:
    """Return the first repository in ``repository:NAME:ACTIONS …``, "" for other scopes."""
    kind, _, rest = scope.partition(" ")[0].partition(":")
    return rest.rpartition(":")[0] if kind == "repository" else ""

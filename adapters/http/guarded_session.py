"""HTTP sessions that refuse to be redirected into private networks."""

import os
import threading
from collections.abc import Mapping
from socket import socket
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL

from img.adapters.http.bounded_response import BoundedResponse
from img.adapters.http.interruptible import interruptible
from img.domain.address_class import AddressClass
from img.domain.errors import RemoteError
from img.domain.proxies import ProxyRules

ALLOWED = "IMG_PRIVATE_HOSTS"  # an environment variable: names or addresses, separated by commas
_BODY_LIMIT = 64 * 1024  # bytes of a redirect's body, which is not used
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SEND_S = 60.0  # for one block of a body (http.client, "blocksize")
_CLASSES = {
    AddressClass.PRIVATE: "a private address",
    AddressClass.LINK_LOCAL: "a link-local address",
    AddressClass.LOOPBACK: "an address of this machine",
}


class AddressNotAllowed(RemoteError):
    """A server redirects to an address in a more private network than its own."""

    def __init__(self, host: str, address: str, kind: AddressClass) -> None:
        shown = host if host == address else f"{host} ({address})"
        super().__init__(
            f"sends us to {shown}, {_CLASSES[kind]}",
            hint=f"if that is meant so: {ALLOWED}={host}",
        )


class PeerGuard:
    """A check of the addresses that connections for one host, named by the user, may lead to.

    That host may be anywhere, and so may hosts in ``IMG_PRIVATE_HOSTS``; its redirects, token
    servers and upload locations only where ``AddressClass.may_lead_to`` allows. The check uses the
    address that the socket is connected to, because each lookup of a name may return another one.
    Nothing is sent before. Addresses in a URL are checked without a connection; through a proxy
    only those can be checked. Threads may share a guard.
    """

    def __init__(
        self, host: str, ports: frozenset[int], allowed: frozenset[str] = frozenset()
    ) -> None:
        self._host = host.lower()
        self._allowed = allowed
        self._ports = ports
        self._lock = threading.Lock()
        self._found: AddressClass | None = None  # of the origin

    @classmethod
    def of_registry(cls, host: str, environment: Mapping[str, str] = os.environ) -> "PeerGuard":
        """Return the guard of a registry; without a port both default ports belong to it."""
        name, port = _place(f"//{host}/")
        ports = frozenset(_DEFAULT_PORTS.values() if port is None else {port})
        return cls(name, ports, _allowed_in(environment))

    @classmethod
    def of_url(cls, url: str, environment: Mapping[str, str] = os.environ) -> "PeerGuard":
        """Return the guard of one download."""
        name, port = _place(url)
        ports = frozenset() if port is None else frozenset({port})
        return cls(name, ports, _allowed_in(environment))

    def check_peer(self, connected: socket, host: str, port: int | None) -> None:
        """Raise AddressNotAllowed if the connection to ``host`` leads to a forbidden address."""
        address = str(connected.getpeername()[0])
        kind = AddressClass.of_address(address) or AddressClass.PUBLIC
        if self._is_origin(host, port):
            with self._lock:
                # The most public address counts: the same name may stand for several addresses.
                self._found = kind if self._found is None else min(kind, self._found)
        elif not self._may_lead_to(host, kind):
            raise AddressNotAllowed(host, address, kind)

    def check_url(self, url: str) -> None:
        """Raise AddressNotAllowed if ``url`` contains a forbidden address."""
        host, port = _place(url)
        kind = AddressClass.of_name(host)
        if not self._is_origin(host, port) and not self._may_lead_to(host, kind):
            raise AddressNotAllowed(host, host, kind)

    def _may_lead_to(self, host: str, kind: AddressClass) -> bool:
        return _plain_name(host) in self._allowed or self._class().may_lead_to(kind)

    def _class(self) -> AddressClass:
        with self._lock:
            return AddressClass.of_name(self._host) if self._found is None else self._found

    def _is_origin(self, host: str, port: int | None) -> bool:
        return _plain_name(host) == self._host and port in self._ports


class GuardedSession(requests.Session):
    """A session with limited and validated redirects, which get no credentials of other hosts.

    Proxies follow ``ProxyRules``; no other setting of the environment is used.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self.trust_env = False
        self._proxy_rules = ProxyRules.of(environment)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # Redirects are sent by this method too, each with its own host.
        proxy = self._proxy_rules.proxy_for(request.url or "")
        kwargs["proxies"] = {"all": proxy} if proxy else {}
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # requests would raise ValueError for an invalid URL, and read a body without limit.
        try:
            target = super().get_redirect_target(resp)
            if target is not None:
                _ = urlsplit(urljoin(resp.url, target)).port
        except ValueError:
            raise InvalidURL(f"a redirect to {resp.headers['Location'][:200]!r}") from None
        if target is not None:
            _drop_body(resp)
        return target

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # As the original, but without reading ~/.netrc for the new host.
        before, after = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


class GuardedAdapter(HTTPAdapter):
    """An adapter with connections that a PeerGuard checks before anything is sent.

    ``send`` raises StepCanceled once the cancellation of the thread is set. ``pools`` are
    classes by scheme that replace urllib3's own.
    """

    pools: Mapping[str, Any] = {}

    def __init__(self, guard: PeerGuard, **kwargs: Any) -> None:
        self._guard = guard
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = {**self.poolmanager.pool_classes_by_scheme, **self.pools}
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _guarded_pool(pool, self._guard) for scheme, pool in pools.items()
        }

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy not in self.proxy_manager:
            is_socks = proxy.lower().startswith("socks5")
            new = self._socks_manager if is_socks else super().proxy_manager_for
            manager = new(proxy, **kwargs)
            manager.pool_classes_by_scheme = {
                scheme: _bounded_pool(pool)
                for scheme, pool in manager.pool_classes_by_scheme.items()
            }
            self.proxy_manager[proxy] = manager
        return self.proxy_manager[proxy]

    def _socks_manager(self, proxy: str, **kwargs: Any) -> Any:
        from img.adapters.http.socks_proxy import pools_through

        return pools_through(proxy, **kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        self._guard.check_url(request.url or "")
        return interruptible(
            lambda: super(GuardedAdapter, self).send(request, *args, **kwargs),
            requests.Response.close,
        )


def _guarded_pool(pool: Any, guard: PeerGuard) -> Any:
    """Return a class of urllib3's pool with connections that ``guard`` checks."""
    bounded = _bounded_pool(pool)
    unguarded: Any = bounded.ConnectionCls

    class Connection(unguarded):  # type: ignore[misc]  # a class of the caller's
        def _new_conn(self) -> socket:
            connected: socket = super()._new_conn()
            try:
                guard.check_peer(connected, self.host, self.port)
            except BaseException:
                connected.close()
                raise
            return connected

    return type(pool.__name__, (bounded,), {"ConnectionCls": Connection})


def _bounded_pool(pool: Any) -> Any:
    """Return a class of urllib3's pool with ``BoundedResponse``."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # a class of the caller's
        response_class = BoundedResponse

        def connect(self) -> None:
            super().connect()
            if self.sock is not None:
                # urllib3 would give each block of a body only the time for a connection.
                self.sock.settimeout(_SEND_S)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _allowed_in(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the hosts that the user has allowed for all registries and downloads."""
    names = environment.get(ALLOWED, "").split(",")
    return frozenset(_plain_name(name.strip()) for name in names if name.strip())


def _plain_name(host: str) -> str:
    return host.lower().strip("[]")


def _place(url: str) -> tuple[str, int | None]:
    """Return host and port of a URL; the port is None if it is invalid."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def _drop_body(response: requests.Response) -> None:
    """Read the short body of a redirect, so that the connection can be used again."""
    if getattr(response, "_content_consumed", False):
        return
    try:
        if len(response.raw.read(_BODY_LIMIT + 1, decode_content=False)) > _BODY_LIMIT:
            response.close()
    except Exception:  # a broken body of a redirect is no error: it is not used
        response.close()
    # requests has no other way to mark a body as consumed.
    vars(response).update(_content=b"", _content_consumed=True)

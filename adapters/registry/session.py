"""The HTTP session of oras' client."""

import threading
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from ssl import CERT_NONE, SSLContext
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from img import __version__
from img.adapters.http.guarded_session import GuardedAdapter, GuardedSession, PeerGuard
from img.adapters.registry.file_slice import FileSlice
from img.adapters.registry.limits import Limits

_CONNECTIONS = 16  # to one host at a time
_BLOCK = 256 * 1024  # bytes of an upload per write to the socket; http.client's own is 16 KiB

# A user who allowed an insecure registry has been warned once, which is enough.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


class RegistrySession(GuardedSession):
    """A session that always has a timeout, no cookies, and no credentials but explicit ones.

    ``context`` returns the TLS context, for ``host`` if its argument is true, otherwise for
    redirects; it is called on first use of TLS, because it is slow. Threads may share a session.
    """

    def __init__(
        self,
        host: str,
        context: Callable[[bool], SSLContext],
        *,
        limits: Limits,
    ) -> None:
        super().__init__()
        self._limits = limits
        self._place = f"https://{host}/".lower()
        self._context = context
        self._guard = PeerGuard.of_registry(host)
        self._ready: set[bool] = set()  # arguments for which the context exists
        self._lock = threading.Lock()
        self.max_redirects = 10
        self.headers["User-Agent"] = f"img/{__version__}"
        # Harbor takes a client with cookies for a browser and requires CSRF tokens from it.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Any auth object keeps ~/.netrc from replacing our Authorization header.
        self.auth = _unchanged
        self.mount("http://", _Adapter(self._guard))

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        # A redirect answers a HEAD request: the storage behind it often allows GET only.
        kwargs.setdefault("allow_redirects", method != "HEAD")
        return super().request(method, url, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            is_put = request.method == "PUT"
            answer_s = self._limits.commit_s if is_put else self._limits.read_s
            kwargs["timeout"] = (self._limits.connect_s, answer_s)
        return super().send(request, **kwargs)

    def get_adapter(self, url: str) -> BaseAdapter:
        address = url.lower()
        known = address.startswith(self._place)
        with self._lock:  # the list of adapters must not change during a lookup
            if address.startswith("https:") and known not in self._ready:
                adapter = _Adapter(self._guard, self._context(known))
                self.mount(self._place if known else "https://", adapter)
                self._ready.add(known)
            return super().get_adapter(url)


class _PlainConnection(HTTPConnection):
    """Plain http with sendfile(2) for file slices; half the cost of an upload."""

    def send(self, data: Any) -> None:
        if isinstance(data, FileSlice) and self.sock is not None:
            data.send_to(self.sock)
        else:
            super().send(data)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _Adapter(GuardedAdapter):
    """Uses a TLS context, in all versions of requests with their different certificate settings."""

    pools: Mapping[str, Any] = {"http": _PlainPool}

    def __init__(self, guard: PeerGuard, context: SSLContext | None = None) -> None:
        self._context = context
        is_lax = context is not None and context.verify_mode == CERT_NONE
        self._cert_reqs = "CERT_NONE" if is_lax else "CERT_REQUIRED"
        super().__init__(guard, pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=_BLOCK, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(
            proxy, blocksize=_BLOCK, ssl_context=self._context, **kwargs
        )

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, True)
        return host, {"cert_reqs": self._cert_reqs}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = self._cert_reqs


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request

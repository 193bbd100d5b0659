"""HTTP sessions with web servers that a user named."""

import os
import ssl
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3.util import Retry

from img import __version__
from img.adapters.http.ca_certificates import (
    load_certificates,
    named_certificates,
    system_certificates,
)
from img.adapters.http.guarded_session import GuardedAdapter, GuardedSession, PeerGuard

_CONNECT_S = 10.0
_READ_S = 60.0
_PASSING = (429, 502, 503, 504)
_TRIES = 2  # after the first


class WebSession(GuardedSession):
    """A session for one URL with timeouts, and so many ``tries`` after the first.

    Of the environment only proxies and CA certificates are used.
    """

    def __init__(self, url: str, tries: int = _TRIES) -> None:
        super().__init__()
        self.max_redirects = 10  # as Go's client
        self.headers["User-Agent"] = f"img/{__version__}"
        retry = Retry(
            total=tries,
            status_forcelist=_PASSING,
            allowed_methods=["GET"],
            backoff_factor=0.5,
            raise_on_status=False,
            respect_retry_after_header=False,  # the server may ask for hours
        )
        self._retry = retry
        self._speaks_tls = False
        self._guard = PeerGuard.of_url(url)
        self.mount("http://", GuardedAdapter(self._guard, max_retries=retry))

    def get_adapter(self, url: str) -> BaseAdapter:
        if not self._speaks_tls and url.lower().startswith("https:"):
            # Not before: reading all CA certificates is slow.
            self.mount("https://", _VerifyingAdapter(self._guard, max_retries=self._retry))
            self._speaks_tls = True
        return super().get_adapter(url)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (_CONNECT_S, _READ_S)
        return super().send(request, **kwargs)


class _VerifyingAdapter(GuardedAdapter):
    """Trusts the CA certificates of the environment or the system; requests has its own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = _context()
        self._is_ours = context is not None
        super().init_poolmanager(*args, ssl_context=context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_context(), **kwargs)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"cert_reqs": "CERT_REQUIRED"} if self._is_ours else pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if self._is_ours:
            conn.cert_reqs = "CERT_REQUIRED"
        else:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


def _context() -> ssl.SSLContext | None:
    """Return a context with those certificates, None if there are none."""
    places = named_certificates(os.environ) or system_certificates()
    if not places:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load_certificates(context, places)
    return context

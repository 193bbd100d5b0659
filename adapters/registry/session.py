"""The HTTP session under oras."""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from img import __version__

_CONNECT_S = 5.0
_READ_S = 60.0
_COMMIT_S = 300.0  # a registry may check and copy a whole blob before it answers a PUT
_CONNECTIONS = 16  # to one host at a time
_BLOCK = 256 * 1024  # bytes an upload hands to the socket at once; http.client's own is 16 KiB


class RegistrySession(requests.Session):
    """A session that always has a timeout, no cookies, and no credentials but those it is given.

    Shared by threads: nothing of it changes after its birth.
    """

    def __init__(self, *, trust_env: bool = True) -> None:
        super().__init__()
        self.trust_env = trust_env  # proxies and CA bundles
        self.max_redirects = 10
        self.headers["User-Agent"] = f"img/{__version__}"
        # Harbor takes a client with cookies for a browser and wants CSRF tokens from it.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Any auth at all keeps ~/.netrc from replacing our Authorization header.
        self.auth = _as_it_is
        self.mount("https://", _BlockAdapter(pool_maxsize=_CONNECTIONS))
        self.mount("http://", _BlockAdapter(pool_maxsize=_CONNECTIONS))

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        # A redirect is an answer to HEAD: behind it is storage that often allows GET alone.
        kwargs.setdefault("allow_redirects", method != "HEAD")
        return super().request(method, url, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (_CONNECT_S, _COMMIT_S if request.method == "PUT" else _READ_S)
        return super().send(request, **kwargs)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # As the original, without its look into ~/.netrc for the new host.
        before, after = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


class _BlockAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=_BLOCK, **kwargs)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request

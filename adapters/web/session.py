"""The HTTP session of a download."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from img import __version__

_CONNECT_S = 10.0
_READ_S = 60.0
_PASSING = (429, 502, 503, 504)
_TRIES = 2  # after the first


class WebSession(requests.Session):
    """A session with timeouts and further tries; of the environment only proxies and CAs count."""

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 10  # as Go's client
        self.headers["User-Agent"] = f"img/{__version__}"
        retry = Retry(
            total=_TRIES,
            status_forcelist=_PASSING,
            allowed_methods=["GET"],
            backoff_factor=0.5,
            raise_on_status=False,
            respect_retry_after_header=False,  # it may ask for hours
        )
        self.mount("https://", HTTPAdapter(max_retries=retry))
        self.mount("http://", HTTPAdapter(max_retries=retry))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (_CONNECT_S, _READ_S)
        return super().send(request, **kwargs)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # As the original, without its look into ~/.netrc for the new host.
        before, after = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)

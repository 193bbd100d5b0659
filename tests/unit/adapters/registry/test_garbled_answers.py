"""A registry that answers in something else than HTTP."""

from http.client import BadStatusLine

import requests
from urllib3.exceptions import ProtocolError

from img.adapters.registry.failures import unreachable


def test_its_bytes_are_not_shown() -> None:
    cause = BadStatusLine("\x03\x07\u00c9z" * 500)
    error = requests.ConnectionError(ProtocolError("Connection aborted.", cause))

    found = unreachable(error, "example.com")

    assert found.message == "registry example.com answers in no HTTP"
    assert found.retryable

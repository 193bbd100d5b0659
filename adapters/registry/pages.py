"""Answers in pages: each says where the next one is (RFC 8288, "Link")."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from img.adapters.registry.addresses import is_same_host
from img.adapters.registry.manifests import LIMIT
from img.application.ports.registry import RegistryError

if TYPE_CHECKING:
    from img.adapters.registry.ask import Ask
    from img.adapters.registry.connection import Connection

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b')


def pages(connection: "Connection", ask: "Ask") -> Iterator[bytes | None]:
    """Yield page for page; None alone where the registry has no such thing (404).

    Raises RegistryError.
    """
    seen = {ask.target}
    while True:
        response, content = connection.document(ask, LIMIT)
        if response.status_code == 404 and len(seen) == 1:
            response.close()
            yield None
            return
        if response.status_code != 200:
            raise connection.refusal(response, ask)
        yield content
        link = _NEXT.search(response.headers.get("Link", ""))
        if link is None:
            return
        target = urljoin(response.url, link[1])
        if target in seen or not is_same_host(target, connection.host):
            raise RegistryError(f"registry {connection.host} says the next page is {link[1]}")
        seen.add(target)
        ask = replace(ask, target=target)

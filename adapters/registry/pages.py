"""Paginated responses: each has a link to the next page (RFC 8288, "Link")."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from img.adapters.registry.addresses import followed, is_same_host
from img.adapters.registry.manifests import LIMIT
from img.application.ports.registry import RegistryError

if TYPE_CHECKING:
    from img.adapters.registry.connection import Connection
    from img.adapters.registry.request import Request

_MOST = 2000  # pages; with 50 names each, the smallest ones, they have 100,000
_MOST_BYTES = 256 << 20  # of all pages together
_LINK = re.compile(r"<([^<>]*)>([^<]*)")  # a target, and its parameters
_NEXT = re.compile(r';\s*rel\s*=\s*"?next\b')


def pages(
    connection: "Connection", request: "Request", most: int = _MOST
) -> Iterator[bytes | None]:
    """Yield the pages; a single None if the registry does not have the list (404).

    Raises RegistryError, also after ``most`` pages.
    """
    seen = {request.target}
    left = _MOST_BYTES
    while True:
        response, content = connection.document(request, min(LIMIT, left))
        left -= len(content)
        if response.status_code == 404 and len(seen) == 1:
            response.close()
            yield None
            return
        if response.status_code != 200:
            raise connection.refusal(response, request)
        yield content
        link = _next_in(response.headers.get("Link", ""))
        if link is None:
            return
        place = {"host": connection.host, "scheme": connection.scheme}
        target = followed(link, response.url, **place)
        if len(seen) >= most:
            raise RegistryError(f"registry {connection.host} sends more than {most} pages")
        if target in seen or not is_same_host(target, **place):
            raise RegistryError(f"registry {connection.host} says the next page is {link}")
        seen.add(target)
        request = replace(request, target=target)


def _next_in(header: str) -> str | None:
    """Return the target of the link to the next page, None if there is none."""
    links = (link.groups() for link in _LINK.finditer(header))
    return next((target for target, parameters in links if _NEXT.search(parameters)), None)

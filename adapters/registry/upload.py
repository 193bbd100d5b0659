"""Sending a blob: POST for a place, then PUT it there, a large one in parts (distribution-spec,
"Pushing Blobs"). What the registry has of it already is not sent again.
"""

import contextlib
import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from img.adapters.registry.addresses import followed
from img.adapters.registry.ask import Ask, blob_path, reading, writing
from img.adapters.registry.failures import limited_body
from img.adapters.registry.piece import PieceBody
from img.application.ports.registry import RegistryError, Unauthorized
from img.domain.decimal_text import parse_count
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection

_STORED = frozenset({200, 201, 202, 204})


class _Lost(RegistryError):
    """The registry knows nothing of the upload any more, or nothing right."""


class Upload:
    """One blob on its way to one repository, from the start of ``content``."""

    def __init__(
        self,
        connection: "Connection",
        reference: ImageReference,
        blob: Descriptor,
        content: BinaryIO,
    ) -> None:
        self._connection = connection
        self._reference = reference
        self._blob = blob
        self._content = content
        self._part = connection.limits.part
        self._place = ""  # URL, "" while there is none
        self._sent = 0  # bytes that the registry has
        self._refused_at = -1  # where a part was that did not follow on what it has
        self._done = False

    def run(self) -> None:
        """Send it all. Raises RegistryError, and lets the registry forget what it got then."""
        patience = self._connection.patience()
        try:
            while not self._done:
                before = self._sent
                try:
                    self._go_on()
                except RegistryError as error:
                    patience.bear(error)
                    self._look_where_we_are(isinstance(error, _Lost))
                if self._sent > before:
                    patience.renew()
        except BaseException:
            self._give_up()
            raise

    def _go_on(self) -> None:
        if not self._place:
            self._begin()
        elif self._is_last:
            self._send_last()
        else:
            self._send_part()

    @property
    def _is_last(self) -> bool:
        return self._blob.size - self._sent <= self._part

    def _begin(self) -> None:
        ask = writing("POST", self._reference, f"/v2/{self._reference.path}/blobs/uploads/", {})
        response = self._connection.send_once(ask)
        if response.status_code == 201:
            limited_body(response)
            self._done = True
            return
        if response.status_code != 202:
            raise self._connection.refusal(response, ask)
        limited_body(response)
        self._sent = 0
        self._place = self._location(response)
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._part = max(self._part, parse_count(least) or 0)

    def _send_part(self) -> None:
        end = self._sent + self._part
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{self._sent}-{end - 1}",
        }
        ask = self._writing("PATCH", self._place, headers, end)
        response = self._connection.send_once(ask)
        if response.status_code not in _STORED:
            raise self._refusal(response, ask)
        limited_body(response)
        self._place = self._location(response)
        self._sent = min(_received(response, end), end)

    def _send_last(self) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        if self._sent:
            headers["Content-Range"] = f"{self._sent}-{self._blob.size - 1}"
        separator = "&" if urlsplit(self._place).query else "?"
        target = f"{self._place}{separator}digest={self._blob.digest}"
        ask = self._writing("PUT", target, headers, self._blob.size)
        response = self._connection.send_once(ask)
        if response.status_code not in _STORED:
            raise self._refusal(response, ask)
        limited_body(response)
        self._sent = self._blob.size
        self._done = True

    def _look_where_we_are(self, is_lost: bool) -> None:
        """Ask the registry how much it has; begin anew where it does not say so."""
        if not self._place:
            return
        if is_lost:
            self._place, self._sent = "", 0
        elif self._is_last and self._is_stored():  # the answer to the last part was lost
            self._done = True
        else:
            response = self._connection.send(self._writing("GET", self._place, {}))
            limited_body(response)
            self._sent = _received(response, 0) if response.status_code == 204 else -1
            if self._sent == self._refused_at == 0:
                self._sent = 1
            is_known = 0 <= self._sent <= self._blob.size
            self._place = self._location(response) if is_known else ""

    def _is_stored(self) -> bool:
        target = blob_path(self._reference, self._blob.digest)
        response = self._connection.send(reading("HEAD", self._reference, target, {}))
        response.close()
        return response.status_code == 200

    def _refusal(self, response: "requests.Response", ask: Ask) -> RegistryError:
        """Return the error for a refused part; what helps is to look again, or to begin anew."""
        status = response.status_code
        if status == 416 and self._refused_at != self._sent:
            self._refused_at = self._sent
            return self._again(response, ask, RegistryError, "wants another part of the blob")
        if status in {404, 416}:
            return self._again(response, ask, _Lost, "lost the upload")
        if status == 400 and self._sent:
            self._part = max(self._part, self._blob.size)  # in one go then, whatever is the matter
            return self._again(response, ask, _Lost, "refuses the parts of the blob")
        return self._connection.refusal(response, ask)

    def _again(
        self, response: "requests.Response", ask: Ask, kind: type[RegistryError], what: str
    ) -> RegistryError:
        limited_body(response)
        return kind(f"{ask.what}: the registry {what}", retryable=True)

    def _give_up(self) -> None:
        """Tell the registry, which need not answer (distribution-spec, "Cancel a blob upload")."""
        if not self._place:
            return
        with contextlib.suppress(RegistryError):
            limited_body(self._connection.send_once(self._writing("DELETE", self._place, {})))

    def _writing(
        self, method: str, target: str, headers: dict[str, str], end: int | None = None
    ) -> Ask:
        data: PieceBody | bytes | None = None
        if end is not None:
            # requests sends an empty stream in chunks, which not every registry takes.
            size = end - self._sent
            data = PieceBody(self._content, self._sent, size) if size > 0 else b""
        return writing(method, self._reference, target, headers, data)

    def _location(self, response: "requests.Response") -> str:
        """Return the URL to upload to: Location may be relative, and have a query to keep."""
        return _followed(self._connection, response) or self._place or _nowhere(self._connection)


def mount(
    connection: "Connection", reference: ImageReference, blob: Descriptor, source: ImageReference
) -> bool:
    """Let the repository have a blob of ``source``'s; False where the registry will not.

    Docker Hub answers some of these with errors that mean nothing but that (go-containerregistry,
    #1404). Raises RegistryError.
    """
    query = f"mount={blob.digest}&from={quote(source.path, safe='')}"
    scope = f"repository:{reference.path}:pull,push repository:{source.path}:pull"
    ask = Ask(
        method="POST",
        target=f"/v2/{reference.path}/blobs/uploads/?{query}",
        what=f"push of {reference.familiar}",
        scope=scope,
    )
    try:
        response = connection.send(ask)
    except Unauthorized:
        return False
    limited_body(response)
    if response.status_code == 202 and (place := _followed(connection, response)):
        # An upload was begun instead, which nobody wants.
        limited_body(
            connection.send(Ask(method="DELETE", target=place, what=ask.what, scope=scope))
        )
    return response.status_code == 201


def _followed(connection: "Connection", response: "requests.Response") -> str:
    location = response.headers.get("Location", "")
    if not location:
        return ""
    return followed(location, response.url, host=connection.host, scheme=connection.scheme)


def _nowhere(connection: "Connection") -> str:
    raise RegistryError(f"registry {connection.host} gives no place to upload to")


def _received(response: "requests.Response", otherwise: int) -> int:
    """Return how many bytes the registry says it has: "0-9" are ten, "0-0" none, or one.

    There is no word for none; distribution says "0-0" of it.
    """
    found = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
    last = parse_count(found[1]) if found else None
    if last is None:
        return otherwise
    return last + 1 if last else 0

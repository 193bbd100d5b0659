"""Sending a blob: POST for a place, then PUT it there, a large one in parts (distribution-spec,
"Pushing Blobs"). What the registry has of it already is not sent again.
"""

import contextlib
import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from img.adapters.registry.addresses import followed
from img.adapters.registry.failures import PassingFailure, limited_body
from img.adapters.registry.file_slice import PieceBody
from img.adapters.registry.request import Ask, blob_path, writing
from img.adapters.registry.retry_policy import PROGRESS
from img.application.ports.registry import RegistryError, RegistryUnreachable
from img.domain.decimal_text import parse_count
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection

_STORED = frozenset({200, 201, 202, 204})
_GONE, _MISPLACED = 404, 416
_REFUSED_TO_US = frozenset({401, 403})
_MOST_FIRST_PARTS = 2


class _Lost(RegistryError):
    """The registry has nothing of the upload any more that is of use."""


class _Misplaced(RegistryError):
    """The registry wants another part of the blob."""


class Upload:
    """One blob on its way to one repository, from the start of ``content``.

    Only what the registry confirms to have, and never had before, counts as progress: a registry
    that fails, forgets, or says that it has less and less is tried a few times, and its bytes are
    sent a few times, whatever it answers.
    """

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
        self._what = f"push of {reference.familiar}"
        self._patience = connection.patience(blob.size)
        self._part = connection.limits.part
        self._in_parts = True  # until the registry refuses one
        self._place = ""  # URL, "" while there is none
        self._confirmed = 0  # bytes that the registry has of this upload
        self._best = 0  # of all uploads of this blob
        self._first_parts_refused = 0
        self._done = False

    def run(self) -> None:
        """Send it all. Raises RegistryError, and lets the registry forget what it got then."""
        try:
            while not self._done:
                is_begun, is_last = self._place != "", self._is_last
                try:
                    self._go_on()
                except RegistryError as error:
                    self._fail(
                        error, is_last=is_begun and is_last, is_part=is_begun and not is_last
                    )
                if self._confirmed >= self._best + PROGRESS:
                    self._best = self._confirmed
                    self._patience.renew()
        except RegistryUnreachable:
            raise  # nor would it hear that it may forget the upload
        except BaseException:
            self._cancel()
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
        return not self._in_parts or self._blob.size - self._confirmed <= self._part

    def _begin(self) -> None:
        ask = writing("POST", self._reference, f"/v2/{self._reference.path}/blobs/uploads/", {})
        response = self._connection.send_once(ask)
        if response.status_code not in _STORED:
            raise self._connection.refusal(response, ask)
        limited_body(response)
        if response.status_code == 201 and self._is_stored():
            self._done = True
            return
        self._confirmed = 0
        self._place = self._location(response)
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._part = max(self._part, parse_count(least) or 0)

    def _send_part(self) -> None:
        start, end = self._confirmed, self._confirmed + self._part
        response = self._send("PATCH", self._place, end)
        self._place = self._location(response)
        has = _received(response)
        # Amazon's registry repeats what it had after the first part. What it lacks in truth, the
        # digest of the whole will tell.
        self._confirmed = has if has is not None and start < has < end else end

    def _send_last(self) -> None:
        separator = "&" if urlsplit(self._place).query else "?"
        target = f"{self._place}{separator}digest={self._blob.digest}"
        self._send("PUT", target, self._blob.size)
        self._done = True

    def _send(self, method: str, target: str, end: int) -> "requests.Response":
        """Send the bytes up to ``end``. Raises RegistryError, _Lost, _Misplaced."""
        start, size = self._confirmed, end - self._confirmed
        headers = {"Content-Type": "application/octet-stream"}
        if self._in_parts and (start or method == "PATCH"):
            headers["Content-Range"] = f"{start}-{end - 1}"
        # requests sends an empty stream in chunks, which not every registry takes.
        body = PieceBody(self._content, start, size) if size > 0 else b""
        self._patience.spend(size, self._what)
        ask = writing(method, self._reference, target, headers, body)
        response = self._connection.send_once(ask)
        if response.status_code not in _STORED:
            raise self._refusal(response, ask)
        limited_body(response)
        return response

    def _refusal(self, response: "requests.Response", ask: Ask) -> RegistryError:
        """Return the error for a part that was refused, or for the whole blob."""
        status = response.status_code
        if status == _GONE:
            return _failed(response, _Lost, f"{ask.what}: the registry lost the upload")
        if status == _MISPLACED:
            text = f"{ask.what}: the registry wants another part of the blob"
            return _failed(response, _Misplaced, text)
        is_part = self._in_parts and (ask.method == "PATCH" or self._confirmed > 0)
        if is_part and status not in _REFUSED_TO_US:
            self._in_parts = False
            return _failed(response, _Lost, f"{ask.what}: the registry takes no parts of blobs")
        return self._connection.refusal(response, ask)

    def _fail(self, error: RegistryError, *, is_last: bool, is_part: bool) -> None:
        """Find out what can be sent next. Raises ``error`` if it was tried often enough."""
        if is_last and error.retryable and self._is_stored():
            self._done = True  # only the answer was lost
            return
        self._patience.bear(error)
        if is_part:
            self._count_first_part(error)
        if not self._place:
            return
        if isinstance(error, _Lost) or not self._in_parts:
            self._restart()
            return
        refused_at = self._confirmed if isinstance(error, _Misplaced) else -1
        self._look()
        if self._place and self._confirmed == refused_at:
            self._in_parts = False  # it is no matter of the place: of the length, at ghcr.io
            self._restart()

    def _count_first_part(self, error: RegistryError) -> None:
        """Give up parts where not even a first one is taken, whatever the reason that is said.

        Where there is no way to send parts, servers and proxies answer 404 and 500 as well.
        """
        if self._best or self._confirmed or isinstance(error, RegistryUnreachable):
            return
        self._first_parts_refused += 1
        if self._first_parts_refused >= _MOST_FIRST_PARTS:
            self._in_parts = False

    def _look(self) -> None:
        """Ask the registry how much it has; forget the upload if it does not say so."""
        try:
            ask = writing("GET", self._reference, self._place, {})
            response = self._connection.send_once(ask)
        except RegistryError:
            self._forget()
            return
        limited_body(response)
        has = _received(response) if response.status_code in _STORED else None
        if has is None or has > self._blob.size:
            self._forget()
            return
        self._confirmed = has
        self._place = self._location(response)

    def _is_stored(self) -> bool:
        path = blob_path(self._reference, self._blob.digest)
        try:
            response = self._connection.send_once(writing("HEAD", self._reference, path, {}))
        except RegistryError:
            return False
        response.close()
        return response.status_code == 200

    def _restart(self) -> None:
        self._cancel()
        self._forget()

    def _forget(self) -> None:
        self._place, self._confirmed = "", 0

    def _cancel(self) -> None:
        """Tell the registry, which need not answer (distribution-spec, "Cancel a blob upload")."""
        if self._place:
            with contextlib.suppress(RegistryError):
                ask = writing("DELETE", self._reference, self._place, {})
                limited_body(self._connection.send_once(ask))

    def _location(self, response: "requests.Response") -> str:
        """Return the URL to upload to: Location may be relative, and have a query to keep."""
        return _followed(self._connection, response) or self._place or _nowhere(self._connection)


def mount(
    connection: "Connection", reference: ImageReference, blob: Descriptor, source: ImageReference
) -> bool:
    """Let the repository have a blob of ``source``'s; False where the registry will not.

    A refusal of any kind means no more than that: Docker Hub answers some of these with errors
    (go-containerregistry, #1404), other registries with 5xx. Raises RegistryUnreachable.
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
        response = connection.persist(lambda: _once(connection, ask))
    except RegistryUnreachable:
        raise
    except RegistryError:
        return False
    if response is None:
        return False
    limited_body(response)
    if response.status_code == 201:
        return True
    if response.status_code in _STORED:  # an upload was begun, which nobody needs
        with contextlib.suppress(RegistryError):
            if place := _followed(connection, response):
                cancel = Ask(method="DELETE", target=place, what=ask.what, scope=scope)
                limited_body(connection.send_once(cancel))
    return False


def _once(connection: "Connection", ask: Ask) -> "requests.Response | None":
    """Return the answer, None for one that may pass: to upload is quicker than to wait for it."""
    try:
        return connection.send_once(ask)
    except PassingFailure:
        return None


def _failed(
    response: "requests.Response", kind: type[RegistryError], message: str
) -> RegistryError:
    limited_body(response)
    return kind(message, retryable=True)


def _followed(connection: "Connection", response: "requests.Response") -> str:
    location = response.headers.get("Location", "")
    if not location:
        return ""
    return followed(location, response.url, host=connection.host, scheme=connection.scheme)


def _nowhere(connection: "Connection") -> str:
    raise RegistryError(f"registry {connection.host} gives no place to upload to")


def _received(response: "requests.Response") -> int | None:
    """Return how many bytes the registry says it has: "0-9" are ten; None if it does not say.

    There is no word for none; distribution says "0-0" of it.
    """
    found = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
    last = parse_count(found[1]) if found else None
    if last is None:
        return None
    return last + 1 if last else 0

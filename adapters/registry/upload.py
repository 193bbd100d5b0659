"""Uploads of blobs: POST for a location, then PUT, large blobs in parts.

Bytes that the registry has already are not sent again (distribution-spec, "Pushing Blobs").
"""

import contextlib
import re
import time
from threading import Event
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from img.adapters.registry.addresses import followed
from img.adapters.registry.failures import PassingFailure, limited_body
from img.adapters.registry.file_slice import FileSliceBody
from img.adapters.registry.request import Request, blob_path, writing
from img.adapters.registry.retry_policy import PROGRESS
from img.application.cancellation import Deadline, StepCanceled, cancelled_by
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
_CANCEL_S = 2.0  # for the cancellation of an upload


class _UploadLost(RegistryError):
    """The registry has lost the upload."""


class _WrongOffset(RegistryError):
    """The registry expects another part of the blob."""


class Upload:
    """One upload of a blob to one repository, from the start of ``content``.

    Only bytes that the registry confirms for the first time count as progress. So the number of
    tries, and of bytes sent, is limited for a registry that fails, loses data, or confirms less and
    less.
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
        self._retries = connection.retry_policy(blob.size)
        self._part = connection.limits.part
        self._in_parts = True  # until the registry refuses one
        self._place = ""  # URL, "" while there is none
        self._confirmed = 0  # bytes that the registry has of this upload
        self._best = 0  # of all uploads of this blob
        self._first_parts_refused = 0
        self._done = False

    def run(self) -> None:
        """Send the whole blob. Raises RegistryError, after cancelling the upload."""
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
                    self._retries.renew()
        except RegistryUnreachable:
            raise  # a cancellation would not reach the registry either
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
        request = writing("POST", self._reference, f"/v2/{self._reference.path}/blobs/uploads/", {})
        response = self._connection.send_once(request)
        if response.status_code not in _STORED:
            raise self._connection.refusal(response, request)
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
        # Amazon's registry repeats its state after the first part. Missing bytes are detected by
        # the digest of the whole.
        self._confirmed = has if has is not None and start < has < end else end

    def _send_last(self) -> None:
        separator = "&" if urlsplit(self._place).query else "?"
        target = f"{self._place}{separator}digest={self._blob.digest}"
        self._send("PUT", target, self._blob.size)
        self._done = True

    def _send(self, method: str, target: str, end: int) -> "requests.Response":
        """Send the bytes up to ``end``. Raises RegistryError, _UploadLost, _WrongOffset."""
        start, size = self._confirmed, end - self._confirmed
        headers = {"Content-Type": "application/octet-stream"}
        if self._in_parts and (start or method == "PATCH"):
            headers["Content-Range"] = f"{start}-{end - 1}"
        # requests sends an empty stream in chunks, which some registries refuse.
        body = FileSliceBody(self._content, start, size) if size > 0 else b""
        self._retries.spend(size, self._what)
        request = writing(method, self._reference, target, headers, body)
        response = self._connection.send_once(request)
        if response.status_code not in _STORED:
            raise self._refusal(response, request)
        limited_body(response)
        return response

    def _refusal(self, response: "requests.Response", request: Request) -> RegistryError:
        """Return the error for a part that was refused, or for the whole blob."""
        status = response.status_code
        if status == _GONE:
            return _failed(response, _UploadLost, f"{request.what}: the registry lost the upload")
        if status == _MISPLACED:
            text = f"{request.what}: the registry wants another part of the blob"
            return _failed(response, _WrongOffset, text)
        is_part = self._in_parts and (request.method == "PATCH" or self._confirmed > 0)
        if is_part and status not in _REFUSED_TO_US:
            self._in_parts = False
            return _failed(
                response, _UploadLost, f"{request.what}: the registry takes no parts of blobs"
            )
        return self._connection.refusal(response, request)

    def _fail(self, error: RegistryError, *, is_last: bool, is_part: bool) -> None:
        """Find out what can be sent next. Raises ``error`` after too many tries."""
        if is_last and error.retryable and self._is_stored():
            self._done = True  # only the response was lost
            return
        self._retries.wait_or_raise(error)
        if is_part:
            self._count_first_part(error)
        if not self._place:
            return
        if isinstance(error, _UploadLost) or not self._in_parts:
            self._restart()
            return
        refused_at = self._confirmed if isinstance(error, _WrongOffset) else -1
        self._look()
        if self._place and self._confirmed == refused_at:
            self._in_parts = False  # not because of the location, but of the length, at ghcr.io
            self._restart()

    def _count_first_part(self, error: RegistryError) -> None:
        """Send no more parts if the first one is refused, for any reason.

        Servers and proxies without support for parts answer 404 and 500 as well.
        """
        if self._best or self._confirmed or isinstance(error, RegistryUnreachable):
            return
        self._first_parts_refused += 1
        if self._first_parts_refused >= _MOST_FIRST_PARTS:
            self._in_parts = False

    def _look(self) -> None:
        """Ask the registry for its confirmed offset; start again if it does not answer."""
        try:
            request = writing("GET", self._reference, self._place, {})
            response = self._connection.send_once(request)
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
        """Cancel the upload (distribution-spec, "Cancel a blob upload"). No response is needed."""
        if self._place:
            # The cancellation of the thread may be the reason.
            soon = Deadline(Event(), time.monotonic() + _CANCEL_S)
            with contextlib.suppress(RegistryError, StepCanceled), cancelled_by(soon):
                request = writing("DELETE", self._reference, self._place, {})
                limited_body(self._connection.send_once(request))

    def _location(self, response: "requests.Response") -> str:
        """Return the URL of the upload: Location may be relative, and its query must be kept."""
        return (
            _followed(self._connection, response) or self._place or _no_location(self._connection)
        )


def mount(
    connection: "Connection", reference: ImageReference, blob: Descriptor, source: ImageReference
) -> bool:
    """Mount a blob of the repository ``source``; return False if the registry refuses.

    All refusals are equal: Docker Hub answers some requests with errors (go-containerregistry,
    #1404), other registries with 5xx. Raises RegistryUnreachable.
    """
    query = f"mount={blob.digest}&from={quote(source.path, safe='')}"
    scope = f"repository:{reference.path}:pull,push repository:{source.path}:pull"
    request = Request(
        method="POST",
        target=f"/v2/{reference.path}/blobs/uploads/?{query}",
        what=f"push of {reference.familiar}",
        scope=scope,
    )
    try:
        response = connection.retry(lambda: _once(connection, request))
    except RegistryUnreachable:
        raise
    except RegistryError:
        return False
    if response is None:
        return False
    limited_body(response)
    if response.status_code == 201:
        return True
    if response.status_code in _STORED:  # an upload was started, which is not needed
        with contextlib.suppress(RegistryError):
            if place := _followed(connection, response):
                cancel = Request(method="DELETE", target=place, what=request.what, scope=scope)
                limited_body(connection.send_once(cancel))
    return False


def _once(connection: "Connection", request: Request) -> "requests.Response | None":
    """Return the response, None after a temporary failure: an upload is faster than waiting."""
    try:
        return connection.send_once(request)
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


def _no_location(connection: "Connection") -> str:
    raise RegistryError(f"registry {connection.host} gives no place to upload to")


def _received(response: "requests.Response") -> int | None:
    """Return the number of bytes that the registry has: "0-9" are ten; None if unknown.

    There is no notation for none; distribution sends "0-0".
    """
    found = re.fullmatch(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
    last = parse_count(found[1]) if found else None
    if last is None:
        return None
    return last + 1 if last else 0

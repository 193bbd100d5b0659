"""Wiring of kaniko's command line: contexts that are fetched, and files of results."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from img.adapters.build_context.archive_part import copy_directory
from img.adapters.storage.own_files import make_directories
from img.domain.errors import ContextError
from img.domain.kaniko.context import (
    ArchivePlace,
    Context,
    DirectoryPlace,
    ObjectPlace,
    RemotePlace,
)
from img.domain.url import redact_credentials

if TYPE_CHECKING:
    from img.application.ports.web import WebFetcher

_STDIN = "-"


def location_of(context: Context, web: WebFetcher) -> str:
    """Return the context as a location of ``img build``; an archive becomes standard input.

    Raises ContextError, WebError, RemoteCacheError.
    """
    match context.place:
        case DirectoryPlace(path=path):
            return os.path.join(path, context.sub_path) if context.sub_path else path
        case RemotePlace(location=location, is_git=True):
            return location
        case ArchivePlace(path="") if not context.sub_path:
            return _STDIN
        case _:
            with _archive(context, web) as content:
                os.dup2(content.fileno(), 0)
            return _STDIN


@contextmanager
def _archive(context: Context, web: WebFetcher) -> Iterator[BinaryIO]:
    """Enter with the archive of ``context``, at its start."""
    with tempfile.TemporaryFile(prefix="img-context-") as whole:
        content = _content(context, web, whole)
        if not context.sub_path:
            yield content
            return
        with tempfile.TemporaryFile(prefix="img-context-") as part:
            copy_directory(content, context.sub_path, part)
            part.seek(0)
            yield part


def _content(context: Context, web: WebFetcher, into: BinaryIO) -> BinaryIO:
    match context.place:
        case ArchivePlace(path=""):
            return os.fdopen(os.dup(0), "rb")
        case ArchivePlace(path=path):
            return open_file(path)
        case RemotePlace(location=url):
            for chunk in _download(url, web):
                into.write(chunk)
        case ObjectPlace(kind=kind, bucket=bucket, key=key, access=access):
            from img.adapters.remote_cache.object_store import read_object

            for chunk in read_object(kind, bucket, key, access, os.environ):
                into.write(chunk)
    into.seek(0)
    return into


def _download(url: str, web: WebFetcher) -> Iterator[bytes]:
    from threading import Event

    from img.application.ports.web import WebRequest

    with web.get(WebRequest(url=url), Event()) as answer:
        yield from answer.content


def open_file(path: str) -> BinaryIO:
    """Return the file ``path``. Raises ContextError."""
    try:
        return open(path, "rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"cannot read {path}: {reason}") from None


def empty_layout(path: str) -> None:
    """Remove the names of images from the OCI layout at ``path``, if there is one.

    Raises ContextError.
    """
    if not os.path.isfile(os.path.join(path, "oci-layout")):
        return
    index = os.path.join(path, "index.json")
    try:
        os.unlink(index)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"cannot write {index}: {reason}") from None


def write_result(place: str, text: str) -> None:
    """Write ``text`` to a file and make its directories with mode 0700, or PUT it to a URL.

    Raises ContextError.
    """
    try:
        if place.startswith("https://"):
            _put(place, text)
            return
        make_directories(os.path.dirname(os.path.abspath(place)))
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        # Errors of requests are OSErrors; their texts have the whole URL with its signature.
        reason = (error.strerror or "no file").lower() if error.errno else "the request failed"
        shown = redact_credentials(place.partition("?")[0])
        raise ContextError(f"cannot write {shown}: {reason}") from None


def _put(url: str, text: str) -> None:
    from img.adapters.http.web_session import WebSession

    with WebSession(url) as session:
        answer = session.put(
            url, data=text.encode(), headers={"Content-Type": "text/plain"}, timeout=60
        )
    if answer.status_code >= 400:
        shown = redact_credentials(url.partition("?")[0])
        raise ContextError(f"cannot write {shown}: the server answered {answer.status_code}")

"""Wiring of kaniko's command line: contexts that are fetched, and files of results."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from img.adapters.build_context.archive_part import copy_directory
from img.domain.errors import ContextError
from img.domain.kaniko.context import (
    ArchivePlace,
    Context,
    DirectoryPlace,
    ObjectPlace,
    RemotePlace,
)

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


@contextmanager
def image_archive(path: str) -> Iterator[BinaryIO]:
    """Enter with the archive at ``path``; an OCI layout directory is packed.

    Raises ContextError.
    """
    if not os.path.isdir(path):
        with open_file(path) as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="img-layout-") as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in ("oci-layout", "index.json", "blobs"):
                try:
                    archive.add(os.path.join(path, name), arcname=name)
                except FileNotFoundError:
                    raise ContextError(f"{path} is no OCI layout: it has no {name}") from None
        packed.seek(0)
        yield packed


def write_result(place: str, text: str) -> None:
    """Write ``text`` to a file and make its directories with mode 0700, or PUT it to a URL.

    Raises ContextError.
    """
    try:
        if place.startswith("https://"):
            _put(place, text)
            return
        os.makedirs(os.path.dirname(place) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:  # the errors of requests are such
        reason = error.strerror or str(error)
        raise ContextError(f"cannot write {place.partition('?')[0]}: {reason.lower()}") from None


def _put(url: str, text: str) -> None:
    import requests

    from img.adapters.http.web_session import WebSession

    with WebSession(url) as session:
        answer = session.put(
            url, data=text.encode(), headers={"Content-Type": "text/plain"}, timeout=60
        )
    if answer.status_code >= 400:
        raise requests.HTTPError(f"request failed: {answer.status_code} {answer.reason}")

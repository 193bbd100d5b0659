"""Answers about the files of one open image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, assert_never

from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import DefaultPlatform, Platform
from img.entrypoints.cli.session import Caller, Session
from img.entrypoints.engine.protocol import (
    Answer,
    Chunk,
    End,
    FileRecord,
    Find,
    Found,
    Glob,
    OpenImage,
    Read,
)
from img.entrypoints.engine.protocol import Opened as OpenedRecord
from img.entrypoints.engine.results import record_of
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.application.usecases.read_image import OpenedImage, ReadImage
    from img.domain.filesystem.entry import Entry


class Reader:
    """A reader of the image that was opened last; its container is opened with the first image."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._open = ExitStack()
        self._read: ReadImage | None = None
        self._image: OpenedImage | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def answers(self, request: OpenImage | Find | Glob | Read) -> Iterator[Answer]:
        """Yield the answers. Raises UsageError before an image is open, and as ReadImage does."""
        if isinstance(request, OpenImage):
            yield self._opened(request)
            return
        if self._read is None or self._image is None:
            raise UsageError("no image is open")
        match request:
            case Find():
                entry = self._read.entry(self._image, request.path, follow=request.follow)
                yield Found((_record(entry),))
            case Glob():
                found = self._read.glob(self._image, request.pattern)
                yield Found(tuple(map(_record, found)))
            case Read():
                for chunk in self._read.content(self._image, request.path):
                    yield Chunk(chunk)
                yield End()
            case _:
                assert_never(request)

    def _opened(self, request: OpenImage) -> Answer:
        session = Session(state=request.state or None, caller=self._caller)
        if self._read is None:
            container = self._open.enter_context(session.open(quiet=True))
            self._read = container.images.read_image()
        host = host_platform()
        text = request.platform
        platform = Platform.parse(text, host) if text else DefaultPlatform(host)
        if request.image is None:
            opened = self._read.named(ImageName.parse(request.name), platform)
        else:
            target = Descriptor(
                media_type=request.image.media_type,
                digest=Digest.parse(request.image.digest),
                size=request.image.document_size,
            )
            opened = self._read.at(target, platform)
        self._image = opened
        return OpenedRecord(
            image=record_of(
                opened.target,
                names=tuple(str(name) for name in opened.references),
                size=opened.image.size,
                id_=str(opened.id),
                created=opened.image.config.created,
            ),
            manifest=opened.manifest,
            config=opened.config,
            state=str(session.state_path()),
        )


def _record(entry: Entry) -> FileRecord:
    return FileRecord(
        path=entry.path,
        kind=entry.kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        mtime=entry.mtime,
        link=entry.link,
        device=entry.device,
        xattrs=entry.xattrs,
        digest=entry.digest,
    )

"""Images as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from img.domain.errors import NotFoundError
from img.entrypoints.api.files import ImageFiles
from img.entrypoints.api.reader import ImageReader
from img.entrypoints.engine.protocol import ImageRecord, Opened, OpenImage

if TYPE_CHECKING:
    from img.domain.oci.chain import Layer
    from img.domain.oci.config import ImageConfig
    from img.domain.oci.manifest import Manifest


class Image:
    """An image, known by its digest: it stays the same when its names move.

    ``config``, ``layers`` and ``files`` are read from the store when they are first used. The
    process that reads ``files`` ends with ``close``, at the end of a ``with`` block, or with the
    object. After the image was removed, everything that was not read before raises NotFoundError.
    """

    def __init__(
        self,
        record: ImageRecord | None,
        *,
        state: str,
        platform: str = "",
        reader: ImageReader | None = None,
    ) -> None:
        """Make the object for a record of the engine; programs get images from functions."""
        self._known = record
        self._state = state
        self._platform = platform
        self._reader = reader or ImageReader(
            OpenImage(image=record, platform=platform, state=state)
        )

    @classmethod
    def named(cls, name: str, *, state: str, platform: str) -> Image:
        """Return the image of the store with a name. Raises ImageNotFound, NoPlatformMatch …"""
        reader = ImageReader(OpenImage(name=name, platform=platform, state=state))
        opened = reader.opened
        return cls(opened.image, state=opened.state, platform=platform, reader=reader)

    @property
    def digest(self) -> str:
        """The digest of the manifest, or of the index of an image for several platforms."""
        return self._record.digest

    @property
    def id(self) -> str:
        """The ID: the digest of the config, or of the index of several platforms."""
        return self._record.id or self._opened.image.id

    @property
    def media_type(self) -> str:
        """The media type of the manifest or index."""
        return self._record.media_type

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the image had when this object was made."""
        return self._record.names

    @property
    def name(self) -> str:
        """The first of the names, "" for none."""
        return self.names[0] if self.names else ""

    @property
    def size(self) -> int:
        """The bytes of manifest, config and layers as stored, so most layers compressed."""
        return self._opened.image.size

    @property
    def created(self) -> datetime | None:
        """The time of creation that the config says, None if it says none."""
        from img.domain.oci.config import moment_of

        return moment_of(self.config.created)

    @cached_property
    def config(self) -> ImageConfig:
        """The configuration of the image: ``config.run`` has user, environment, command, labels."""
        from img.domain.oci.codec import decode_config

        return decode_config(self._opened.config)

    @cached_property
    def config_json(self) -> Mapping[str, Any]:
        """The configuration as it is stored (image-spec config.md)."""
        from img.domain.json_text import parse_json

        return cast("dict[str, Any]", parse_json(self._opened.config))

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the image for the platform."""
        from img.domain.oci.codec import decode_manifest

        return decode_manifest(self._opened.manifest)

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, lowest first: the digest of the tar, and the descriptor of the blob."""
        from img.domain.oci.chain import Layer

        return tuple(
            Layer(diff_id, descriptor)
            for diff_id, descriptor in zip(self.config.diff_ids, self.manifest.layers, strict=True)
        )

    @property
    def files(self) -> ImageFiles:
        """The files of the image."""
        assert self._record
        return ImageFiles(self._reader)

    def for_platform(self, platform: str) -> Image:
        """Return the image of another platform, such as ``linux/arm64``.

        Its properties raise NoPlatformMatch if the image has no such platform.
        """
        return Image(self._record, state=self._state, platform=platform)

    def close(self) -> None:
        """End the process that reads files; the next read starts another. Idempotent."""
        self._reader.close()

    @property
    def _opened(self) -> Opened:
        assert self._record
        return self._reader.opened

    @property
    def _record(self) -> ImageRecord:
        if self._known is None:
            raise NotFoundError(
                "the build made no image: its outputs are files",
                hint='add the output "type=image"',
            )
        return self._known

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        """Return whether there is an image: a build that only writes files makes none."""
        return self._known is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return (self._digest, self._platform) == (other._digest, other._platform)

    def __hash__(self) -> int:
        return hash((self._digest, self._platform))

    def __repr__(self) -> str:
        return f"<Image {' '.join((self._digest or 'none', *(self.names if self else ())))}>"

    @property
    def _digest(self) -> str:
        return self._known.digest if self._known is not None else ""

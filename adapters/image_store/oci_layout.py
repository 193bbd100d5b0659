"""Names in the ``index.json`` of an OCI image layout."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from img.adapters.linux.files import Lock
from img.adapters.linux.layout_folder import NURSERY, create_layout
from img.adapters.linux.new_file import raise_state_error, write_file
from img.adapters.linux.regular_files import read_regular
from img.adapters.linux.reserve import Reserve
from img.application.ports.image_store import ImageNotFound, ImageStore, StoredImage
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT_FILE,
    REF_NAME,
    check_layout,
    names_in,
    with_name,
    without_name,
)
from img.domain.reference import ImageReference, InvalidReference

_CREATED = "img.name.created"
_UPDATED = "img.name.updated"
_OURS = {REF_NAME, CONTAINERD_NAME, _CREATED, _UPDATED}


class OciLayoutImageStore(ImageStore):
    """Names as ``org.opencontainers.image.ref.name`` (image-spec annotations.md), in full.

    So ``skopeo copy oci:ROOT:docker.io/library/app:latest`` finds them. Entries that others wrote
    stay, and are listed when they have a name that names an image. A descriptor's own annotation
    of a name is not part of what is stored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reserve = Reserve(str(root / NURSERY))

    def get(self, reference: ImageReference) -> StoredImage:
        for image in self.list():
            if image.reference == reference:
                return image
        raise ImageNotFound(reference)

    def put(self, reference: ImageReference, target: Descriptor, now: datetime) -> StoredImage:
        create_layout(self._root, in_state=True)
        target = _bare(target)
        with self._locked():
            known = self._images().get(reference)
            if known and known.target == target:
                return known
            time = now.astimezone(UTC)
            created = known.created if known else time
            stored = StoredImage(reference=reference, target=target, created=created, updated=time)
            self._write(with_name(self._without(reference), str(reference), _entry(stored)))
            self._reserve.fill()
        return stored

    def remove(self, reference: ImageReference) -> None:
        self.get(reference)  # so that a name that is not there creates no layout
        with self._locked():
            if reference not in self._images():
                raise ImageNotFound(reference)
            self._reserve.spend()
            self._write(self._without(reference))

    def list(self) -> Sequence[StoredImage]:
        return sorted(self._images().values(), key=lambda image: str(image.reference))

    def targets(self) -> Sequence[Descriptor]:
        return self._index().manifests

    def _images(self) -> dict[ImageReference, StoredImage]:
        written = self._written()
        images = {}
        for name, entry in names_in(self._index()).items():
            if reference := _reference(name):
                images[reference] = StoredImage(
                    reference=reference,
                    target=_bare(entry),
                    created=_time(entry, _CREATED, written),
                    updated=_time(entry, _UPDATED, written),
                )
        return images

    def _without(self, reference: ImageReference) -> Index:
        index = self._index()
        for name in names_in(index):
            if _reference(name) == reference:  # others may have written it in short
                index = without_name(index, name)
        return index

    def _index(self) -> Index:
        try:
            check_layout(read_regular(str(self._root / LAYOUT_FILE), MOST_BYTES))
            return decode_index(read_regular(str(self._root / INDEX_FILE), MOST_BYTES))
        except FileNotFoundError:
            return Index()
        except OSError as error:
            raise_state_error(error, str(self._root))

    def _written(self) -> datetime:
        try:
            return datetime.fromtimestamp(os.stat(self._root / INDEX_FILE).st_mtime, UTC)
        except OSError:
            return datetime.fromtimestamp(0, UTC)

    def _write(self, index: Index) -> None:
        write_file(str(self._root), INDEX_FILE, encode_index(index), str(self._root / NURSERY))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only img that changes the index: other programs do not ask."""
        try:
            with Lock(str(self._root / LAYOUT_FILE), any_owner=True):
                yield
        except OSError as error:
            raise_state_error(error, str(self._root))


def _reference(name: str) -> ImageReference | None:
    try:
        return ImageReference.parse(name)
    except InvalidReference:
        return None


def _bare(entry: Descriptor) -> Descriptor:
    kept = {key: value for key, value in entry.annotations.items() if key not in _OURS}
    return replace(entry, annotations=kept)


def _entry(image: StoredImage) -> Descriptor:
    times = {_CREATED: image.created.isoformat(), _UPDATED: image.updated.isoformat()}
    return replace(image.target, annotations={**image.target.annotations, **times})


def _time(entry: Descriptor, key: str, default: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(entry.annotations.get(key, ""))
    except ValueError:
        return default
    return time if time.tzinfo else default

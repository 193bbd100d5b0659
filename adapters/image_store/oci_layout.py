"""Names in the ``index.json`` of an OCI image layout."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from img.adapters.linux.regular_files import read_regular
from img.adapters.storage.atomic_file import raise_state_error, write_file
from img.adapters.storage.disk_reserve import Reserve
from img.adapters.storage.oci_layout import TEMP_DIR, create_layout
from img.adapters.storage.own_files import Lock
from img.application.ports.image_store import (
    ImageNotFound,
    ImageStore,
    StoredImage,
    in_order,
    stored_already,
)
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT_FILE,
    REF_NAME,
    best_of,
    check_layout,
    name_of,
)
from img.domain.platform import Platform
from img.domain.reference import ImageReference, InvalidReference, StoredName, may_name

_CREATED = "img.name.created"
_UPDATED = "img.name.updated"
_OURS = {REF_NAME, CONTAINERD_NAME, _CREATED, _UPDATED}


class OciLayoutImageStore(ImageStore):
    """Names as ``org.opencontainers.image.ref.name`` (image-spec annotations.md), in full.

    So ``skopeo copy oci:ROOT:docker.io/library/app:latest`` finds them. Entries of other programs
    stay, and are listed if their name is an image name. The annotation of the name is not part of
    the stored descriptor. An entry with img's times and without a name is an image without a name.
    Of several entries with one name, which are platforms of an image, the one for ``host``, this
    machine, is used.
    """

    def __init__(self, root: Path, host: Platform | None = None) -> None:
        self._root = root
        self._host = host or Platform.of_machine(os.uname().machine)
        self._reserve = Reserve(str(root / TEMP_DIR))

    def get(self, name: StoredName) -> StoredImage:
        try:
            return self._images()[name]
        except KeyError:
            raise ImageNotFound(name) from None

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        create_layout(self._root, in_state=True)
        target = _bare(target)
        with self._locked():
            images = self._images()
            if image := stored_already(images.values(), name, target):
                return image
            known, time = images.get(name), now.astimezone(UTC)
            created = known.created if known else time
            image = StoredImage(name=name, target=target, created=created, updated=time)
            index = self._without(name, target.digest)
            self._write(replace(index, manifests=(*index.manifests, _entry(image))))
            self._reserve.fill()
        return image

    def remove(self, name: StoredName) -> None:
        self.get(name)  # so that an unknown name creates no layout
        with self._locked():
            if name not in self._images():
                raise ImageNotFound(name)
            self._reserve.spend()
            self._write(self._without(name))

    def list(self) -> Sequence[StoredImage]:
        return in_order(self._images().values())

    def targets(self) -> Sequence[Descriptor]:
        return self._index().manifests

    def _images(self) -> dict[StoredName, StoredImage]:
        written = self._written()
        entries = self._entries()
        named = {entry.digest for name, entry in entries.items() if name != entry.digest}
        return {
            name: StoredImage(
                name=name,
                target=_bare(entry),
                created=_time(entry, _CREATED, written),
                updated=_time(entry, _UPDATED, written),
            )
            for name, entry in entries.items()
            if name not in named
        }

    def _entries(self) -> dict[StoredName, Descriptor]:
        found: dict[StoredName, list[Descriptor]] = {}
        for entry in self._index().manifests:
            name = _stored_name(entry)
            if name and may_name(name, entry.digest):
                found.setdefault(name, []).append(entry)
        return {name: best_of(entries, self._host) for name, entries in found.items()}

    def _without(self, *names: StoredName) -> Index:
        """Return the index without the images of these names."""
        index = self._index()
        left = tuple(entry for entry in index.manifests if _stored_name(entry) not in names)
        return replace(index, manifests=left)

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
        write_file(str(self._root), INDEX_FILE, (encode_index(index),), str(self._root / TEMP_DIR))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the index against other img processes; other programs do not check the lock."""
        try:
            with Lock(str(self._root / LAYOUT_FILE), any_owner=True):
                yield
        except OSError as error:
            raise_state_error(error, str(self._root))


def _stored_name(entry: Descriptor) -> StoredName | None:
    """Return the stored name of an entry; None if its name is no image name."""
    name = name_of(entry)
    if not name:
        return entry.digest if _CREATED in entry.annotations else None
    try:
        return ImageReference.parse(name)  # other programs may have written a short name
    except InvalidReference:
        return None


def _bare(entry: Descriptor) -> Descriptor:
    kept = {key: value for key, value in entry.annotations.items() if key not in _OURS}
    return replace(entry, annotations=kept)


def _entry(image: StoredImage) -> Descriptor:
    times = {_CREATED: image.created.isoformat(), _UPDATED: image.updated.isoformat()}
    name = {REF_NAME: str(image.reference)} if image.reference else {}
    return replace(image.target, annotations={**image.target.annotations, **times, **name})


def _time(entry: Descriptor, key: str, default: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(entry.annotations.get(key, ""))
    except ValueError:
        return default
    return time if time.tzinfo else default

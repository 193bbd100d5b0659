"""A reader of the images that img wrote, with the standard library alone."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hard link",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
}
_XATTR = "SCHILY.xattr."

Json = Any  # a document of another program


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """One member of a layer, without its times."""

    path: str
    kind: str
    mode: str  # octal
    uid: int
    gid: int
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...]
    content: str  # digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """An image: its documents and its layers, from the lowest."""

    digest: str
    manifest: Json
    config: Json
    layers: tuple[Mapping[str, LayerEntry], ...]


def differences(
    ours: Mapping[str, LayerEntry], theirs: Mapping[str, LayerEntry]
) -> dict[str, tuple[LayerEntry | None, LayerEntry | None]]:
    """Return the differences between two layers, by path."""
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    }


def read_archive(archive: bytes) -> SavedImage:
    """Return the only image of an OCI archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name.removeprefix("./"): member for member in tar}

        def read(name: str) -> bytes:
            file = tar.extractfile(members[name])
            assert file is not None
            return file.read()

        return _read_image(read)


def read_layout(layout: Path) -> SavedImage:
    """Return the only image of an OCI layout."""
    return _read_image(lambda name: (layout / name).read_bytes())


def _read_image(read: Callable[[str], bytes]) -> SavedImage:
    def blob(digest: str) -> bytes:
        content = read(f"blobs/{digest.replace(':', '/')}")
        assert hashlib.sha256(content).hexdigest() == digest.removeprefix("sha256:")
        return content

    (target,) = json.loads(read("index.json"))["manifests"]
    manifest = json.loads(blob(target["digest"]))
    config = json.loads(blob(manifest["config"]["digest"]))
    layers = [_read_layer(layer["digest"], blob(layer["digest"])) for layer in manifest["layers"]]
    assert [layer.diff_id for layer in layers] == config["rootfs"]["diff_ids"]
    return SavedImage(
        digest=target["digest"],
        manifest=manifest,
        config=config,
        layers=tuple(layer.entries for layer in layers),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    diff_id: str
    entries: Mapping[str, LayerEntry]


_known: dict[str, _Layer] = {}  # by digest: the base's layer is in most images of a test


def _read_layer(digest: str, blob: bytes) -> _Layer:
    if digest not in _known:
        content = _unzipped(blob)
        diff_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        _known[digest] = _Layer(diff_id=diff_id, entries=entries_of(content))
    return _known[digest]


def _unzipped(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def entries_of(layer: bytes) -> Mapping[str, LayerEntry]:
    """Return the members of an uncompressed layer by path, in their order."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        entries = [_entry(tar, member) for member in tar]
    return {entry.path: entry for entry in entries}


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> LayerEntry:
    content = b""
    if member.isreg():
        file = tar.extractfile(member)
        assert file is not None
        content = file.read()
    return LayerEntry(
        path=os.path.normpath(f"/{member.name}"),
        kind=_KINDS[member.type],
        mode=f"{member.mode & 0o7777:04o}",
        uid=member.uid,
        gid=member.gid,
        link=member.linkname,
        device=(member.devmajor, member.devminor),
        xattrs=tuple(
            sorted(
                (name.removeprefix(_XATTR), value)
                for name, value in member.pax_headers.items()
                if name.startswith(_XATTR)
            )
        ),
        content=hashlib.sha256(content).hexdigest() if member.isreg() else "",
    )

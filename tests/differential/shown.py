"""The contents of an image: the files of its merged layers, its config and history."""

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.images.written_images import LayerEntry, entries_of

Json = Any
_HARD_LINK, _DIRECTORY = "hard link", "directory"
_OPAQUE, _WHITEOUT = ".wh..wh..opq", ".wh."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One image."""

    files: Mapping[str, LayerEntry]
    names: frozenset[frozenset[str]]  # of each file with several
    config: Json
    history: list[tuple[str, bool]]  # created_by, and whether it made no layer


def of_oci_archive(archive: Path) -> Shown:
    """Return the contents of the only image of an OCI archive."""
    with tarfile.open(archive) as tar:
        read = _reader(tar)

        def blob(descriptor: Json) -> bytes:
            return read(f"blobs/{descriptor['digest'].replace(':', '/')}")

        manifest = json.loads(read("index.json"))
        while "manifests" in manifest:  # BuildKit's has an index for the provenance
            manifest = json.loads(blob(manifest["manifests"][0]))
        layers = (_unzipped(blob(layer)) for layer in manifest.get("layers") or ())
        return _shown(json.loads(blob(manifest["config"])), layers)


def of_docker_archive(archive: Path) -> dict[str, Shown]:
    """Return the contents of the images of an archive of ``docker save``, by their names."""
    with tarfile.open(archive) as tar:
        read = _reader(tar)
        return {
            image["RepoTags"][0]: _shown(
                json.loads(read(image["Config"])), map(read, image["Layers"] or ())
            )
            for image in json.loads(read("manifest.json"))
        }


def _reader(tar: tarfile.TarFile) -> Callable[[str], bytes]:
    members = {member.name.removeprefix("./"): member for member in tar}

    def read(name: str) -> bytes:
        while members[name].issym():
            name = os.path.normpath(os.path.join(os.path.dirname(name), members[name].linkname))
        file = tar.extractfile(members[name])
        assert file is not None
        return file.read()

    return read


def _unzipped(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def _shown(config: Json, layers: Iterable[bytes]) -> Shown:
    files, names = _merged(layers)
    return Shown(
        files=files,
        names=names,
        config=config.get("config") or {},
        history=[
            (step.get("created_by", ""), step.get("empty_layer", False))
            for step in config.get("history") or ()
        ],
    )


def _merged(
    layers: Iterable[bytes],
) -> tuple[Mapping[str, LayerEntry], frozenset[frozenset[str]]]:
    """Lay the layers over one another (image-spec layer.md)."""
    files: dict[str, tuple[LayerEntry, int]] = {}  # with a number for each file
    numbers = count()
    for layer in layers:
        entries = _entries(layer)
        for path in entries:
            directory, name = os.path.split(path)
            if name == _OPAQUE:
                _remove(files, directory, itself=False)
            elif name.startswith(_WHITEOUT):
                _remove(files, os.path.join(directory, name.removeprefix(_WHITEOUT)))
        for path, entry in entries.items():
            if os.path.basename(path).startswith(_WHITEOUT):
                continue
            old = files.get(path)
            if old and not old[0].kind == entry.kind == _DIRECTORY:
                _remove(files, path)
            if entry.kind == _HARD_LINK:
                files[path] = files[os.path.normpath(f"/{entry.link}")]
            else:
                files[path] = entry, next(numbers)
    names: dict[int, set[str]] = {}
    for path, (_, number) in files.items():
        names.setdefault(number, set()).add(path)
    several = frozenset(frozenset(paths) for paths in names.values() if len(paths) > 1)
    return {path: replace(entry, path="") for path, (entry, _) in files.items()}, several


@lru_cache(maxsize=32)
def _entries(layer: bytes) -> Mapping[str, LayerEntry]:
    return entries_of(layer)


def _remove(files: dict[str, tuple[LayerEntry, int]], path: str, itself: bool = True) -> None:
    if itself:
        files.pop(path, None)
    for below in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
        del files[below]

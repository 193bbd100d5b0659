"""Changes the image of an OCI layout."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Json = Any


def set_labels(layout: Path, labels: Mapping[str, str]) -> None:
    """Give the image other labels."""

    def edit(manifest: Json, config: Json) -> None:
        config["config"]["Labels"] = dict(labels)

    _edit(layout, edit)


def leave_out(layout: Path, prefixes: tuple[str, ...]) -> None:
    """Leave the paths that begin so out of the only layer; it is packed fast, not small."""

    def edit(manifest: Json, config: Json) -> None:
        (layer,) = manifest["layers"]
        file = _blob(layout, layer["digest"])
        content = _without(gzip.decompress(file.read_bytes()), prefixes)
        file.unlink()
        config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(content).hexdigest()}"]
        _replace(layout, layer, gzip.compress(content, 1, mtime=0))

    _edit(layout, edit)


def _edit(layout: Path, edit: Callable[[Json, Json], None]) -> None:
    index = json.loads((layout / "index.json").read_text())
    (target,) = index["manifests"]
    manifest = json.loads(_blob(layout, target["digest"]).read_text())
    config = json.loads(_blob(layout, manifest["config"]["digest"]).read_text())
    edit(manifest, config)
    _replace(layout, manifest["config"], json.dumps(config).encode())
    _replace(layout, target, json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps(index))


def _without(content: bytes, prefixes: tuple[str, ...]) -> bytes:
    smaller = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as whole,
        tarfile.open(fileobj=smaller, mode="w", format=tarfile.PAX_FORMAT) as kept,
    ):
        for member in whole:
            if not member.name.removeprefix("./").startswith(prefixes):
                kept.addfile(member, whole.extractfile(member) if member.isreg() else None)
    return smaller.getvalue()


def _replace(layout: Path, descriptor: dict[str, object], content: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _blob(layout, digest).write_bytes(content)
    descriptor.update(digest=digest, size=len(content))


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")

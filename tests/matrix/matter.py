"""Makes what the matrix builds: the context, and base images that unpack fast."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

from tests.matrix.context import write_context

# Of Debian nothing that no step of the Dockerfiles looks at: it is unpacked some fifty times.
_UNUSED = (
    *("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/zoneinfo/"),
    *("usr/share/perl", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/aarch64-linux-gnu/gconv/"),
    *("usr/share/info/", "usr/share/common-licenses/", "var/cache/apt/archives/"),
    *("var/lib/apt/lists/", "usr/bin/perl5", "usr/lib/locale/", "usr/share/i18n/"),
)


def make_matter(place: Path, busybox: Path, debian: Path) -> None:
    """Fill ``place`` from two OCI layouts."""
    (place / "context").mkdir(mode=0o755)
    write_context(place / "context")
    shutil.copytree(busybox, place / "busybox")
    shutil.copytree(debian, place / "debian")
    _make_smaller(place / "debian")


def _make_smaller(layout: Path) -> None:
    """Rewrite the image of a layout, which has one layer, without what is unused."""
    index = json.loads((layout / "index.json").read_text())
    (target,) = index["manifests"]
    manifest = json.loads(_blob(layout, target["digest"]).read_text())
    config = json.loads(_blob(layout, manifest["config"]["digest"]).read_text())
    (layer,) = manifest["layers"]
    content = _without_unused(gzip.decompress(_blob(layout, layer["digest"]).read_bytes()))
    _blob(layout, layer["digest"]).unlink()
    config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    _replace(layout, layer, gzip.compress(content, 1, mtime=0))
    _replace(layout, manifest["config"], json.dumps(config).encode())
    _replace(layout, target, json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps(index))


def _without_unused(content: bytes) -> bytes:
    smaller = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as whole,
        tarfile.open(fileobj=smaller, mode="w", format=tarfile.PAX_FORMAT) as kept,
    ):
        for member in whole:
            if not member.name.removeprefix("./").startswith(_UNUSED):
                kept.addfile(member, whole.extractfile(member) if member.isreg() else None)
    return smaller.getvalue()


def _replace(layout: Path, descriptor: dict[str, object], content: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _blob(layout, digest).write_bytes(content)
    descriptor.update(digest=digest, size=len(content))


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")

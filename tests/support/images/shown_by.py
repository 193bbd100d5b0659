"""The files of an image in another engine, as an archive for the runner of the conformance cases.

shown_by.py docker SOCKET|podman STORE ARCHIVE OUT

Loads the docker archive ARCHIVE into the engine, and writes to OUT an OCI archive with the image's
config and one layer: all that the engine's unpacked file system holds.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def main(engine: str, place: str, archive: Path, out: Path) -> None:
    """Show ``archive`` to the engine, and write what it shows."""
    config = _config_of(archive)
    if not json.loads(config)["rootfs"]["diff_ids"]:  # podman mounts no image without layers
        _write(out, config, bytes(1024))
        return
    shows = {"docker": _shown_by_docker, "podman": _shown_by_podman}[engine]
    with shows(place, archive) as layer:
        _write(out, config, layer)


def _config_of(archive: Path) -> bytes:
    with tarfile.open(archive) as tar:
        return _member(tar, json.loads(_member(tar, "manifest.json"))[0]["Config"])


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


@contextmanager
def _shown_by_docker(socket: str, archive: Path) -> Iterator[bytes]:
    docker = _command("docker", "-H", f"unix://{socket}")
    image = _loaded(docker("load", "-q", "-i", archive))
    container = docker("create", "--network=none", image, "/nothing").decode().strip()
    try:
        yield _without_made_etc(docker("export", container), archive)
    finally:
        docker("rm", "-f", container)
        docker("rmi", "-f", image)


@contextmanager
def _shown_by_podman(store: str, archive: Path) -> Iterator[bytes]:
    places = ("--root", f"{store}/s", "--runroot", f"{store}/r", "--tmpdir", f"{store}/t")
    podman = _command("podman", *places, "--storage-driver=overlay", "--events-backend=none")
    image = _loaded(podman("load", "-q", "-i", archive))
    try:
        mounted = podman("image", "mount", image).decode().strip()
        yield _command("tar")(
            "-C", mounted, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-c", "."
        )
        podman("image", "umount", image)
    finally:
        podman("rmi", "-f", image)


def _command(*first: str) -> Callable[..., bytes]:
    def run(*words: str | Path) -> bytes:
        done = subprocess.run([*first, *words], check=False, capture_output=True)
        if done.returncode:
            sys.exit(f"{first[0]} {words}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    return run


def _loaded(said: bytes) -> str:
    line = said.decode().strip().splitlines()[-1]
    return line.partition(": ")[2].removeprefix("ID: ")


def _without_made_etc(exported: bytes, archive: Path) -> bytes:
    """Return the tree without what docker makes for /etc/hosts, if the image has no /etc."""
    kept = io.BytesIO()
    has_etc = any(name.startswith("etc/") or name == "etc" for name in _names_in(archive))
    with (
        tarfile.open(fileobj=io.BytesIO(exported)) as tar,
        tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT) as layer,
    ):
        for member in tar:
            if has_etc or member.name.strip("/") != "etc":
                layer.addfile(member, tar.extractfile(member) if member.isreg() else None)
    return kept.getvalue()


def _names_in(archive: Path) -> Iterator[str]:
    with tarfile.open(archive) as tar:
        for layer in json.loads(_member(tar, "manifest.json"))[0]["Layers"] or []:
            with tarfile.open(fileobj=io.BytesIO(_member(tar, layer))) as members:
                yield from (name.removeprefix("./").strip("/") for name in members.getnames())


def _write(out: Path, config: bytes, layer: bytes) -> None:
    with tarfile.open(out, "w") as tar:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

        def blob(content: bytes, media_type: str) -> dict[str, Any]:
            digest = hashlib.sha256(content).hexdigest()
            add(f"blobs/sha256/{digest}", content)
            return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "config": blob(config, f"{kind}.config.v1+json"),
            "layers": [blob(gzip.compress(layer, 1), f"{kind}.layer.v1.tar+gzip")],
        }
        entry = blob(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))

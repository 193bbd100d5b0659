"""Runs ``img build`` for many Dockerfiles, and tells what came out.

It runs in the environment and as the user of a cell: ``python -m tests.matrix.driver ORDER``. Each
build is the whole command line in a process of its own, forked when all is imported: that saves
half of the time.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from img.entrypoints.cli.app import main as command_line
from tests.support.host.warmth import warm_up

Json = Any  # what goes to the driver and comes from it

_ERROR = "Error: "


def main(order: Json) -> Json:
    """Return the outcome of each Dockerfile of ``order``: a digest, or an error's text."""
    if len(order["cases"]) > 1:
        warm_up()
    os.makedirs(order["state"], exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=order["state"]))  # which goes with the state
    return {case: _build(order, case, place) for case in order["cases"]}


def _build(order: Json, case: str, place: Path) -> Json:
    file, _, target = case.partition(":")
    digests, errors = place / "metadata.json", place / "errors"
    name = f"matrix/{case.replace(':', '/')}"
    options = {
        "--state": order["state"],
        "--backend": order["snapshotter"],
        "--executor": order["executor"],
        "--secret": f"id=one,src={order['context']}/secret",
        "--file": f"{order['dockerfiles']}/{file}.Dockerfile",
        "--progress": "plain",
        "--metadata-file": str(digests),
        "--tag": name,
        **({"--target": target} if target else {}),
    }
    words = [word for option in options.items() for word in option]
    for base, layout in order["bases"].items():
        words += ["--build-context", f"{base}=oci-layout://{layout}"]
    code = _run(["build", *words, order["context"]], errors)
    shown = errors.read_text()
    sys.stderr.write(shown)
    if code:
        *_, last = shown.splitlines()
        return {"error": last.removeprefix(_ERROR) if last.startswith(_ERROR) else shown}
    outcome: Json = {"digest": json.loads(digests.read_text())["containerimage.digest"]}
    if outcome["digest"] != order["expected"].get(case):
        archive = place / "archive.tar"
        saving = ["save", "--state", order["state"], "--format", "oci", "-o", str(archive), name]
        assert _run(saving, errors) == 0, errors.read_text()
        outcome |= _contents(archive)
    return outcome


def _run(words: list[str], errors: Path) -> int:
    """Run the command line in a process of its own and return its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            stream = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(stream, 1)
            os.dup2(stream, 2)
            command_line(words)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _contents(archive: Path) -> Json:
    """Return the entries and the digests of the layers, the manifest and the config of an image."""
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> bytes:
            file = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert file is not None
            return file.read()

        index = tar.extractfile("index.json")
        assert index is not None
        (target,) = json.load(index)["manifests"]
        manifest = json.loads(blob(target["digest"]))
        digests = [layer["digest"] for layer in manifest["layers"]]
        return {
            "layers": [_entries(digest, blob(digest)) for digest in digests],
            "digests": digests,
            "manifest": manifest | {"digest": target["digest"]},
            "config": json.loads(blob(manifest["config"]["digest"])),
        }


_known: dict[str, Mapping[str, str]] = {}


def _entries(digest: str, content: bytes) -> Mapping[str, str]:
    """Return all there is to know of each entry of a layer, by path."""
    if digest not in _known:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as tar:
            _known[digest] = {member.name: _described(tar, member) for member in tar}
    return _known[digest]


def _described(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member) if member.isreg() else None
    digest = hashlib.sha256(file.read()).hexdigest()[:16] if file else ""
    extended = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY")}
    device = f" {member.devmajor}:{member.devminor}" if member.isdev() else ""
    return (
        f"{member.type.decode()} {member.mode:04o} {member.uid}:{member.gid}"
        f" {member.size} {member.mtime}{device} {member.linkname} {digest} {extended or ''}"
    )


if __name__ == "__main__":
    answer = main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write(json.dumps(answer))

"""Inputs: generated contexts, and base images in a registry."""

import gzip
import hashlib
import http.client
import io
import json
import os
import random
import re
import subprocess
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of the inputs."""

    steps: int = 30  # of the build that has nothing to do
    runs: int = 20
    files: int = 75_000  # of the tree
    tree_bytes: int = 434_000_000
    base_files: int = 82_000
    base_bytes: int = 410_000_000  # about 216 MB when compressed
    targets: int = 12
    work: int = 500_000  # rounds of a loop in the shell: half a second


SMALL = Sizes(
    steps=6,
    runs=2,
    files=300,
    tree_bytes=1_000_000,
    base_files=200,
    base_bytes=1_000_000,
    targets=2,
    work=10,
)


def write_steps(context: Path, base: str, steps: int) -> None:
    """Write a Dockerfile of ``steps`` instructions of all kinds after FROM."""
    context.mkdir(parents=True)
    lines = [f"FROM {base}"]
    for number in range(steps):
        match number % 6:
            case 0:
                lines.append(f"RUN echo {number} > /made{number}")
            case 1 | 2:
                (context / f"file{number}").write_text(f"file {number}\n")
                lines.append(f"COPY file{number} /copied/")
            case 3:
                lines.append(f"ENV NAME{number}=value")
            case 4:
                lines.append(f"WORKDIR /work{number}")
            case 5:
                lines.append(f"RUN test -e /made{number - 5}")
    _write_dockerfile(context, lines)


def write_runs(context: Path, base: str, count: int) -> None:
    """Write a Dockerfile of ``count`` RUNs that do nothing."""
    context.mkdir(parents=True)
    # The shell knows `true` itself; the comments make the steps differ.
    _write_dockerfile(context, [f"FROM {base}", *(f"RUN true # {n}" for n in range(count))])


def write_targets(context: Path, base: str, targets: Sequence[str], rounds: int) -> None:
    """Write a Dockerfile and a bake file with ``targets``, which share a stage that takes time."""
    context.mkdir(parents=True)
    work = f"i=0; while [ $i -lt {rounds} ]; do i=$((i+1)); done; echo $i > /shared"
    lines = [f"FROM {base} AS shared", f"RUN {work}"]
    for target in targets:
        lines += [f"FROM shared AS {target}", f"RUN read i < /shared; echo $i > /{target}"]
    _write_dockerfile(context, lines)
    described = {name: {"target": name, "tags": [f"benchmark{name}"]} for name in targets}
    (context / "docker-bake.json").write_text(json.dumps({"target": described}))


def write_tree_copy(context: Path, sizes: Sizes) -> None:
    """Write a context of many small files, and a Dockerfile that copies them all."""
    context.mkdir(parents=True)
    write_tree(context / "tree", sizes.files, sizes.tree_bytes // sizes.files)
    _write_dockerfile(context, ["FROM scratch", "COPY tree /app/"])


def change_one_file(context: Path) -> None:
    """Change the first file of the tree to what it never was before."""
    (context / "tree/package000/module00/file0.js").write_text(f"{time.time_ns()}\n")


def write_first_run(context: Path, base: str) -> None:
    """Write a Dockerfile with one RUN on ``base``."""
    context.mkdir(parents=True)
    _write_dockerfile(context, [f"FROM {base}", "RUN true"])


def write_tree(root: Path, files: int, size: int) -> None:
    """Fill ``root`` with ``files`` files of ``size`` bytes on average, as compressible as code."""
    for path, content in _generated(files, size):
        file = root / path
        if not file.parent.is_dir():
            file.parent.mkdir(parents=True)
        file.write_bytes(content)


def push_small_base(registry: str, *more: str) -> str:
    """Push an image with a shell and perhaps ``more`` programs of this machine; return its name."""
    return _push(registry, "small", [_layer(_programs("/bin/sh", *more))])


def push_big_base(registry: str, sizes: Sizes) -> str:
    """Push an image with a shell and many files, in two layers; return its name."""
    half, size = sizes.base_files // 2, sizes.base_bytes // sizes.base_files
    layers = [
        _layer(
            [*_programs("/bin/sh"), *_as_members("usr/share/one", _generated(half, size, seed=1))]
        ),
        _layer(_as_members("usr/share/two", _generated(half, size, seed=2))),
    ]
    return _push(registry, "big", layers)


def _write_dockerfile(context: Path, lines: Iterable[str]) -> None:
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")


def _generated(files: int, size: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randint(2, 9)).hex().encode() for _ in range(4000)]
    text = b" ".join(chance.choices(words, k=400_000))
    for number in range(files):
        directory = f"package{number // 1000:03}/module{number // 25 % 40:02}"
        start, length = chance.randrange(len(text) // 2), chance.randrange(2 * size)
        yield f"{directory}/file{number}.js", text[start : start + length]


Member = tuple[tarfile.TarInfo, bytes]


def _programs(*names: str) -> list[Member]:
    """Return programs of this machine with all that they are linked to."""
    needed = dict.fromkeys(names)
    for name in names:
        linked = subprocess.run(["ldd", name], capture_output=True, text=True, check=True).stdout
        needed.update(dict.fromkeys(re.findall(r"(/\S+) \(0x", linked)))
    members = [_file(name.lstrip("/"), Path(name).read_bytes(), 0o755) for name in needed]
    directories = ("tmp", "etc", "proc", "sys", "dev", "root")
    return [*(_directory(name) for name in directories), *members]


def _as_members(top: str, files: Iterable[tuple[str, bytes]]) -> Iterator[Member]:
    made: set[str] = set()
    for path, content in files:
        for parent in [*Path(top, path).parents][-2::-1]:
            if str(parent) not in made:
                made.add(str(parent))
                yield _directory(str(parent))
        yield _file(f"{top}/{path}", content)


def _directory(name: str) -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member, b""


def _file(name: str, content: bytes, mode: int = 0o644) -> Member:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    return member, content


def _layer(members: Iterable[Member]) -> bytes:
    """Return the members as an uncompressed archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _push(registry: str, name: str, layers: list[bytes]) -> str:
    config = {
        "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        "history": [{"created_by": "generated"} for _ in layers],  # buildah counts them
    }
    connection = http.client.HTTPConnection(registry, timeout=60)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _push_blob(connection, name, _CONFIG, json.dumps(config).encode()),
        "layers": [
            _push_blob(connection, name, _LAYER, gzip.compress(layer, 6, mtime=0))
            for layer in layers
        ],
    }
    headers = {"Content-Type": _MANIFEST}
    _ask(connection, "PUT", f"/v2/{name}/manifests/latest", json.dumps(manifest).encode(), headers)
    connection.close()
    return f"{registry}/{name}:latest"


def _push_blob(
    connection: http.client.HTTPConnection, name: str, media_type: str, content: bytes
) -> dict[str, object]:
    digest = _digest(content)
    upload = urlsplit(_ask(connection, "POST", f"/v2/{name}/blobs/uploads/"))
    query = f"{upload.query}&" if upload.query else ""
    headers = {"Content-Type": "application/octet-stream"}
    _ask(connection, "PUT", f"{upload.path}?{query}digest={digest}", content, headers)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> str:
    """Make a request that must succeed, and return where the answer points to."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in (201, 202):
        raise RuntimeError(f"{method} {path}: {answer.status} {said[:200]!r}")
    return answer.headers["Location"] or ""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

"""Archives that try to get out, through every door by which archives come in."""

import gzip
import hashlib
import json
import re
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from tests.support.host.img_command import ImgFor
from tests.support.host.machine import program
from tests.support.host.many_runs import Run, run_all
from tests.support.images.evil_archives import EVIL, Member, Outside, a_tar, info
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = pytest.mark.userns

# What the step reads is what the archive shows it: never what is outside.
_TRY_ALL = (
    "busybox cat /ev/secret /h /f /s /s/secret /d/secret /c/secret >/read; busybox rm -rf /s/*"
)
_RUN = f'RUN ["busybox", "sh", "-c", "{_TRY_ALL}; true"]\n'
_PLATFORM = {"architecture": "amd64", "os": "linux"}


# What no layer may hold, and what no other archive may, and so is refused. Of other archives
# ".." leads to the top.
_LINKS = {name for name in EVIL if name.startswith("hard link ")} - {
    "hard link to a symlink, then a write"
}
_CLIMBING = {name for name in EVIL if name.startswith("dot dot")}
_WHITEOUTS = {name for name in EVIL if "whiteout" in name}
IN_LAYERS = _LINKS | _CLIMBING | {"whiteout of the parent", "whiteout of the directory"}
ELSEWHERE = _LINKS | _WHITEOUTS
# And what ADD does not unpack: what is behind links to nothing.
ADDED = ELSEWHERE | {
    "absolute symlink as parent",
    "relative symlink as parent",
    "symlink through /proc",
    "chain of symlinks",
}


class Image:
    """Documents and blobs of an image: busybox, and on it an evil layer."""

    def __init__(self, layers: list[bytes]) -> None:
        self.layers = layers
        diff_ids = [digest_of(layer) for layer in layers]
        config = {**_PLATFORM, "config": {"Env": ["PATH=/"]}}
        self.config = json.dumps(
            {**config, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        ).encode()
        kind = "application/vnd.oci.image."
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{kind}manifest.v1+json",
                "config": descriptor(self.config, f"{kind}config.v1+json"),
                "layers": [descriptor(layer, f"{kind}layer.v1.tar") for layer in layers],
            }
        ).encode()
        self.blobs = {digest_of(blob): blob for blob in (*layers, self.config, self.manifest)}

    def write_layout(self, place: Path) -> None:
        (place / "blobs/sha256").mkdir(parents=True)
        for digest, blob in self.blobs.items():
            (place / "blobs" / digest.replace(":", "/")).write_bytes(blob)
        (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        target = descriptor(self.manifest, "application/vnd.oci.image.manifest.v1+json")
        (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [target]}))

    def docker_archive(self, name: str) -> bytes:
        names = [f"{number}.tar" for number, _ in enumerate(self.layers)]
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": names}]
        members = {"config.json": self.config, "manifest.json": json.dumps(manifest).encode()}
        members |= dict(zip(names, self.layers, strict=True))
        return a_tar(*((info(name), content) for name, content in members.items()))


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def busybox() -> Member:
    member = info("busybox")
    member.mode = 0o755
    return member, Path(program("busybox")).read_bytes()


class Doors:
    """For each door, the runs that bring all the archives in.

    Those that a door can only refuse come alone; the others as stages of one build.
    """

    def __init__(self, workplace: Path, outside: str) -> None:
        self.place = workplace
        self.archives = [make(outside) for make in EVIL.values()]
        self.address = ""
        base = a_tar(busybox())
        self.images = [Image([base, archive]) for archive in self.archives]

    def pulled(self) -> Iterator[Run]:
        for numbers in grouped(IN_LAYERS):
            stages = [f"FROM {self.address}/evil:{number}" for number in numbers]
            yield self._build(stages)

    def layout(self) -> Iterator[Run]:
        for numbers in grouped(IN_LAYERS):
            options = []
            for number in numbers:
                place = self.place / f"layout-{number}"
                self.images[number].write_layout(place)
                options += ["--build-context", f"evil{number}=oci-layout://{place}"]
            yield self._build([f"FROM evil{number}" for number in numbers], *options)

    def loaded(self) -> Iterator[Run]:
        for numbers in grouped(IN_LAYERS):
            for number in numbers:
                archive = self.place / f"loaded-{number}.tar"
                archive.write_bytes(self.images[number].docker_archive(f"evil:{number}"))
                yield Run(arguments=("load", "-i", archive))
            yield self._build([f"FROM evil:{number}" for number in numbers])

    def loaded_itself_evil(self) -> Iterator[Run]:
        for number, archive in enumerate(self.archives):
            path = self.place / f"itself-{number}.tar"
            path.write_bytes(archive)
            yield Run(arguments=("load", "-i", path))

    def added(self) -> Iterator[Run]:
        start = "FROM scratch\nCOPY busybox /\nENV PATH=/\n"
        for numbers in grouped(ADDED):
            stages = [f"{start}ADD {number}.tar /\nADD x /f" for number in numbers]
            context = self._context(stages)
            for number in numbers:
                (context / f"{number}.tar").write_bytes(self.archives[number])
            (context / "x").write_bytes(b"pwned")
            yield Run(arguments=("build", "-t", "x", context))

    def added_from_the_web(self) -> Iterator[Run]:
        start = "FROM scratch\nCOPY busybox /\nENV PATH=/\n"
        for numbers in grouped(ADDED):
            add = f"ADD --unpack=true http://{self.address}"
            yield self._build([f"{start}{add}/{number}.tar /" for number in numbers])

    def context(self) -> Iterator[Run]:
        text = f"FROM scratch\nENV PATH=/\nCOPY . /\n{_RUN}COPY *v h* f* [cd] /found/\n"
        before = a_tar((info("Dockerfile"), text.encode()), busybox(), ends=False)
        for number, archive in enumerate(self.archives):
            path = self.place / f"context-{number}.tar"
            path.write_bytes(before + archive)
            yield Run(arguments=("build", "-t", "x", "-"), stdin=path)

    def _build(self, stages: list[str], *options: str) -> Run:
        return Run(arguments=("build", "-t", "x", *options, self._context(stages)))

    def _context(self, stages: list[str]) -> Path:
        context = self.place / f"context-of-{len(list(self.place.glob('context-of-*')))}"
        context.mkdir()
        (context / "busybox").write_bytes(Path(program("busybox")).read_bytes())
        (context / "busybox").chmod(0o755)
        copies = [f"COPY --from={number} / /{number}/" for number, _ in enumerate(stages)]
        lines = [*(f"{stage}\n{_RUN}" for stage in stages), "FROM scratch", *copies]
        (context / "Dockerfile").write_text("\n".join(lines))
        return context

    def answer(self, request: Request) -> Answer:
        """Be a registry, and a web server."""
        path = request.path
        if path == "/v2/":
            return Answer(body=b"{}")
        if found := re.fullmatch(r"/v2/evil/manifests/(\d+)", path):
            return manifest(self.images[int(found[1])].manifest)
        if found := re.fullmatch(r"/v2/evil/(?:manifests|blobs)/(sha256:\w+)", path):
            for image in self.images:
                if blob := image.blobs.get(found[1]):
                    return manifest(blob) if "manifests" in path else Answer(body=blob)
        if found := re.fullmatch(r"/(\d+)\.tar", path):
            return Answer(body=self.archives[int(found[1])])
        return Answer(status=404)


def manifest(content: bytes) -> Answer:
    headers = {
        "Content-Type": "application/vnd.oci.image.manifest.v1+json",
        "Docker-Content-Digest": digest_of(content),
    }
    return Answer(headers=headers, body=content)


def grouped(refused: Collection[str]) -> list[list[int]]:
    """Return the numbers of the archives, those that are not refused together."""
    numbers = {name: number for number, name in enumerate(EVIL)}
    together = [number for name, number in numbers.items() if name not in refused]
    return [together, *([numbers[name]] for name in numbers if name in refused)]


_DOORS: dict[str, tuple[Callable[[Doors], Iterator[Run]], int]] = {
    # and how many of the archives are refused there
    "pulled": (Doors.pulled, len(IN_LAYERS)),
    "layout": (Doors.layout, len(IN_LAYERS)),
    "loaded": (Doors.loaded, len(IN_LAYERS)),
    "loaded, itself evil": (Doors.loaded_itself_evil, len(EVIL)),
    "added": (Doors.added, len(ADDED)),
    "added from the web": (Doors.added_from_the_web, len(ADDED)),
    "context": (Doors.context, len(ELSEWHERE)),
}


@pytest.mark.parametrize(
    ("door", "backend"), [*((door, "overlay") for door in _DOORS), ("pulled", "naive")]
)
def test_nothing_outside_is_touched_or_read(
    door: str, backend: str, img_for: ImgFor, workplace: Path
) -> None:
    outside = Outside(workplace)
    place = workplace / "in"
    place.mkdir()
    doors = Doors(place, str(outside.path))
    enter, refused = _DOORS[door]
    img = img_for("root")
    with ScriptedServer(doors.answer) as server:
        doors.address = server.address
        runs = [
            Run(arguments=("--backend", backend, *run.arguments), stdin=run.stdin)
            for run in enter(doors)
        ]
        errors = [one.error for one in run_all(img, runs)]

    outside.assert_untouched(errors)
    assert_only_in_roots(img.state, "pwn")
    assert_nowhere(outside.text, img.state)
    assert len([error for error in errors if error]) == refused, errors


def assert_only_in_roots(state: Path, name: str) -> None:
    """Fail if a file ``name`` is in the state but not in a root file system."""
    for path in state.rglob(name):
        within = path.relative_to(state).parts
        assert within[0] == "snapshots", path
        assert {"layers", "roots", "work"} & set(within), path


def assert_nowhere(text: str, state: Path) -> None:
    """Fail if any file of the state, or of a layer, holds ``text``."""
    for path in state.rglob("*"):
        seen = path.lstat()
        if stat.S_ISREG(seen.st_mode) and seen.st_size < 1 << 19:
            content = path.read_bytes()
            if content[:2] == b"\x1f\x8b":
                content = gzip.decompress(content)
            assert text.encode() not in content, path

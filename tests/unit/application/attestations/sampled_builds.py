"""Builds of the Dockerfiles that BuildKit's attestations were sampled from."""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.adapters.working_copy.memory import MemoryWorkingCopies
from img.application.outputs.solved import BuiltImage
from img.domain.attestations.options import parse_attestations
from img.domain.attestations.wanted import AttestationsWanted
from img.domain.build import BuildRequest
from img.domain.digest import Digest
from img.domain.oci.config import RunConfig
from img.domain.outputs import ImageForm, ImageOutput
from img.domain.platform import Platform
from img.domain.process import DEFAULT_PATH
from img.domain.reference import ImageReference
from tests.support.in_memory_app import InMemoryApp, MemoryContexts, a_request

SAMPLES = Path(__file__).parent / "samples"
BUSYBOX = "127.0.0.1:5000/busybox"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ARM = Platform("linux", "arm", "v7")
THEIR_BASE = "c645da34928601273b3974494f6af4b2f601a66be2633c0ffba6c0dadded9a36"
THEIR_FILE = "59b72ad9505b28026845ea9d9201976e96d1d234b7e46538c7b9a5c2708d5a88"
OUR_FILE = Digest.of(b"file\n").encoded
MAIN, V1 = "f3e43e20589671aba9eb839d3a0d5016629becc1", "90fa2574e66a619e8c9249952df72abfd1b7c4c4"
NETWORKLESS = "ce1bf14fa9af772ffb54631a6e4f6c85fbc570cf"
DEMO = "git://127.0.0.1:9418/demo.git"
FILES = {"hello.txt": b"hello\n", "a.txt": b"a", "ctx.txt": b"c", "c.txt": b"c", "d.txt": b"d"}

Json = dict[str, Any]


class Places(MemoryContexts):
    """One directory, for all places that are not URLs."""

    def is_directory(self, location: str) -> bool:
        return "://" not in location


class App(InMemoryApp):
    """An app with the places that the samples' Dockerfiles name."""

    def __init__(self) -> None:
        super().__init__(contexts=Places(), secrets={"opt": b"s"})
        self.base = self.publish(
            BUSYBOX,
            {"bin/busybox": b"box", "bin/sh": b"sh"},
            run=RunConfig(env=(("PATH", DEFAULT_PATH),)),
        )
        for number, path in enumerate(("out.txt", "other", "a", "v", "x", "y", "1", "f2")):
            self.commands[_COMMANDS[number]] = _making(path)
        building = self.container.building
        files = {
            (MAIN, ""): {"f": b"1", "Dockerfile": _GIT_DOCKERFILE},
            (V1, ""): {"f": b"1", "Dockerfile": _GIT_DOCKERFILE},
            (NETWORKLESS, ""): {"Dockerfile.n": _GIT_NETWORKLESS},
        }
        repository = MemoryRepository(
            refs={"refs/heads/main": MAIN, "refs/tags/v1": V1},
            files={place: MemoryContext(each) for place, each in files.items()},
        )
        self.git = MemoryGit({DEMO: repository})
        building.git.override(self.git)
        page = MemoryPage(content=b"file\n")
        building.web.override(MemoryWeb({"http://127.0.0.1:8123/file.txt": page}))
        self.copies = MemoryWorkingCopies()
        building.working_copies.override(self.copies)


_COMMANDS = (
    "tr a-z A-Z < hello.txt > out.txt",
    "echo other > /other",
    "echo a > /a",
    "echo $VERSION > /v",
    "echo x > /x",
    "cat /b > /y",
    "echo 1 > /1",
    "cat /f",
)
_GIT_DOCKERFILE = f"FROM {BUSYBOX}:latest\nCOPY f /f\nRUN cat /f\n".encode()
_GIT_NETWORKLESS = f"FROM {BUSYBOX}:latest\nRUN --network=none echo 1 > /1\n".encode()


def _making(path: str) -> Any:
    def act(root: MemoryWorkspace) -> None:
        root.write(f"src/{path}" if path == "out.txt" else path, path.encode())

    return act


def build(
    app: App,
    number: str,
    options: str,
    *,
    tags: Sequence[str] = (),
    request: BuildRequest | None = None,
    platforms: Sequence[Platform] = (),
    form: ImageForm | None = None,
    location: str = ".",
    file: str | None = None,
    place: str = "",
) -> BuiltImage:
    path = SAMPLES / f"Dockerfile.{number}"
    app.contexts.text = path.read_text().replace(THEIR_FILE, OUR_FILE) if path.exists() else ""
    app.contexts.context = MemoryContext(FILES)
    wanted: AttestationsWanted = parse_attestations([], options, place=place)
    names = tuple(map(ImageReference.parse, tags))
    built = app.container.building.build_image()(
        replace(request or a_request(), platform=AMD64, build_platform=AMD64),
        location=location,
        file=file,
        outputs=[ImageOutput(names=names, form=form or ImageForm())],
        platforms=platforms,
        attestations=wanted,
    )
    assert built is not None
    return built


def document(app: App, digest: object) -> Json:
    with app.blobs.open(Digest.parse(str(digest))) as blob:
        loaded: Json = json.loads(blob.read())
    return loaded


def sample(name: str) -> Json:
    loaded: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return loaded


def statements(app: App, built: BuiltImage) -> list[Json]:
    index = document(app, built.target.digest)
    manifests = [
        document(app, each["digest"])
        for each in index["manifests"]
        if each["platform"]["os"] == "unknown"
    ]
    return [document(app, layer["digest"]) for each in manifests for layer in each["layers"]]


def without_ids(value: Any, app: App) -> Any:
    """Return ``value`` without what no two builders have in common."""
    text = json.dumps(value)
    base = app.registry.resolve(app.base).digest.encoded
    text = text.replace(base, THEIR_BASE).replace(OUR_FILE, THEIR_FILE)
    return _without_ids(json.loads(text))


_TIMES = re.compile(r"invocationId|.*(?:startedOn|finishedOn|InvocationID|StartedOn|FinishedOn)")


def _without_ids(value: Any) -> Any:
    match value:
        case {"mediaType": kind, "digest": _, "size": _}:
            return kind
        case dict():
            return {
                key: _known(key, each)
                for key, each in value.items()
                if not _TIMES.fullmatch(key) and key not in ("sysUsage", "oci.session")
            }
        case list():
            return [_without_ids(each) for each in value]
        case _:
            return value


def _known(key: str, value: Any) -> Any:
    match key:
        case "digestMapping":
            return sorted(value.values())
        case "data":
            return b64decode(value).decode().replace(OUR_FILE, THEIR_FILE)
        case "dockerfileVersion":
            return "…"
        case "locations" if isinstance(value, list):
            return sorted(map(_without_ids, value), key=str)
        case "layers" if isinstance(value, dict):
            # BuildKit leaves out some chains that are equal to others.
            return {}
        case _:
            return _without_ids(value)

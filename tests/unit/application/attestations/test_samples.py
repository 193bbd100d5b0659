"""Attestations compared with those that BuildKit wrote for the same Dockerfiles.

The samples were written by buildkitd of 2026-08 (frontend 1.26.0-dev). IDs, times, digests of steps
and versions differ, and so do the base image and the layers. BuildKit's faults are in ``.
"""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.adapters.working_copy.memory import MemoryWorkingCopies
from img.application.outputs.solved import BuiltImage
from img.application.ports.working_copy import WorkingCopy
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
from tests.support.statements import check_statement

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


@pytest.fixture
def app() -> App:
    return App()


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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1-max", "mode=max"),
        ("1-min", "mode=min"),
        ("1-max02", "mode=max,version=v0.2"),
        ("1-min02", "mode=min,version=v0.2"),
        ("2-max", "true"),
        ("3-max", "true"),
        ("5-max", "true"),
    ],
)
def test_predicates_are_those_of_buildkit(app: App, name: str, options: str) -> None:
    built = build(app, name[0], options)

    ours, theirs = statements(app, built)[0], sample(name)["statements"][0]
    check_statement(ours)
    assert ours["predicateType"] == theirs["predicateType"]
    assert ours["_type"] == theirs["_type"]
    theirs = _mended(name, without_ids(theirs["predicate"], app))
    ours = without_ids(ours["predicate"], app)
    assert ours == theirs


def _mended(name: str, predicate: Json) -> Json:
    """Return BuildKit's predicate without its faults and without what img cannot know."""
    if name == "3-max":
        # img cleans the paths of directories.
        text = json.dumps(predicate).replace("refs/tags/v1:.", "refs/tags/v1")
        return json.loads(text)  # type: ignore[no-any-return]
    return predicate


def test_git_contexts_are_materials(app: App) -> None:
    ours = statements(app, build(app, "", "true", location=f"{DEMO}#main"))[0]

    theirs = sample("3-gitctx")["statements"][0]
    assert without_ids(ours["predicate"], app) == without_ids(theirs["predicate"], app)


def test_a_tag_is_the_commit_it_points_to(app: App) -> None:
    ours = statements(app, build(app, "", "mode=min", location=f"{DEMO}#v1"))[0]

    theirs = sample("3-gitctxmin")["statements"][0]
    assert without_ids(ours["predicate"], app) == without_ids(theirs["predicate"], app)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("7-n", "mode=min,reproducible=true"),
        ("7-nmax", "mode=max,version=v0.2,reproducible=true"),
    ],
)
def test_hermetic_builds_and_claims_are_marked(app: App, name: str, options: str) -> None:
    app.git.repositories[DEMO].refs["refs/heads/main"] = NETWORKLESS  # type: ignore[index]

    built = build(app, "", options, location=f"{DEMO}#main", file="Dockerfile.n")

    theirs = sample(name)["statements"][0]
    ours = statements(app, built)[0]
    check_statement(ours)
    assert without_ids(ours["predicate"], app) == without_ids(theirs["predicate"], app)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_arguments_secrets_and_mounts_are_those_of_buildkit(app: App, mode: str) -> None:
    request = a_request(
        build_args={"VERSION": "2", "NOTDEF": "1"}, labels={"l1": "v1"} if mode == "max" else {}
    )
    app.copies.copies = {
        ".": WorkingCopy(
            revision="abc", is_changed=True, remote="https://user:pw@github.com/a/b.git"
        )
    }

    ours = without_ids(
        statements(app, build(app, "4", f"mode={mode}", request=request))[0]["predicate"], app
    )

    theirs = without_ids(sample(f"4-{mode}")["statements"][0]["predicate"], app)
    sent = theirs["buildDefinition"]["externalParameters"]["request"]
    # BuildKit's password in the clear; buildctl was not given the directory each time.
    hidden = "https://xxxxx:xxxxx@github.com/a/b.git"
    sent["root"]["request"]["args"] |= {"vcs:source": hidden, "vcs:localdir:context": "."}
    theirs["runDetails"]["metadata"]["buildkit_metadata"]["vcs"]["localdir:context"] = "."
    if mode == "max":  # img does not keep an empty target
        sent["args"].pop("target")
        sent["root"]["request"]["args"].pop("target")
    assert ours == theirs


def test_named_contexts_are_those_of_buildkit(app: App) -> None:
    request = a_request(contexts={"base": f"docker-image://{BUSYBOX}:latest", "data": "data"})
    app.contexts.text = ""

    ours = without_ids(_of_six(app, request), app)
    theirs = without_ids(sample("6-max")["statements"][0]["predicate"], app)

    for each in ("buildDefinition", "runDetails"):
        assert set(ours[each]) == set(theirs[each])
    ours_request, theirs_request = (
        each["buildDefinition"]["externalParameters"]["request"] for each in (ours, theirs)
    )
    for each in (theirs_request["args"], theirs_request["root"]["request"]["args"]):
        each.pop("context:lay")
    assert ours_request == theirs_request
    steps, their_steps = (
        {
            json.dumps(step["op"], sort_keys=True)
            for step in each["buildDefinition"]["internalParameters"]["buildConfig"][
                "llbDefinition"
            ]
        }
        for each in (ours, theirs)
    )
    pinned = json.dumps(f"docker-image://{BUSYBOX}:latest@sha256:{THEIR_BASE}")
    as_pinned = {
        step.replace(json.dumps(f"docker-image://{BUSYBOX}:latest"), pinned) for step in their_steps
    }
    assert steps == {step for step in as_pinned if "oci-layout" not in step and "/bb" not in step}


def _of_six(app: App, request: BuildRequest) -> Json:
    text = (SAMPLES / "Dockerfile.6").read_text()
    lines = [line for line in text.splitlines() if "lay" not in line]
    app.contexts.text = "\n".join(lines)
    app.contexts.context = MemoryContext(FILES)
    built = app.container.building.build_image()(
        replace(request, platform=AMD64, build_platform=AMD64),
        location=".",
        outputs=[ImageOutput()],
        attestations=parse_attestations([], "true"),
    )
    assert built is not None
    predicate: Json = statements(app, built)[0]["predicate"]
    return predicate


@pytest.mark.parametrize("name", ["1-max", "1-nm2", "1-noart", "5-nm", "5-max"])
def test_indexes_and_manifests_are_those_of_buildkit(app: App, name: str) -> None:
    theirs = sample(name)
    tags = {
        "1-nm2": ["reg.example.com/team/app:1.2", "reg.example.com/x/y"],
        "1-noart": ["reg.example.com/team/app:1.2"],
        "5-nm": ["reg.example.com/team/app:1"],
    }.get(name, [])
    platforms = {"5-nm": [AMD64, ARM64, ARM], "5-max": [AMD64, ARM64]}.get(name, [])
    form = ImageForm(oci_artifact=name != "1-noart")

    built = build(
        app,
        name[0],
        f"mode={'max' if 'max' in name else 'min'}",
        tags=tags,
        platforms=platforms,
        form=form,
    )

    index = document(app, built.target.digest)
    assert shape(index) == shape(theirs["index"])
    entries = [each for each in index["manifests"] if each["platform"]["os"] == "unknown"]
    manifests = [document(app, each["digest"]) for each in entries]
    assert [shape(each) for each in manifests] == [shape(each) for each in theirs["manifests"]]
    images = [each for each in index["manifests"] if each not in entries]
    assert [each["annotations"]["vnd.docker.reference.digest"] for each in entries] == [
        each["digest"] for each in images
    ]
    for manifest, config, image in zip(manifests, theirs["configs"], images, strict=True):
        if name == "1-noart":
            assert shape(document(app, manifest["config"]["digest"])) == shape(config)
        else:
            assert manifest["subject"]["digest"] == image["digest"]
            assert document(app, manifest["config"]["digest"]) == config == {}


def shape(value: Any) -> Any:
    """Return ``value`` without digests and sizes, except those of the empty config."""
    empty = Digest.of(b"{}").encoded
    text = re.sub(rf"sha256:(?!{empty})[0-9a-f]{{64}}", "sha256:…", json.dumps(value))
    return json.loads(re.sub(r'"size": (?!2\b)\d+', '"size": 0', text))


def test_subjects_are_those_of_buildkit_for_each_name_and_platform(app: App) -> None:
    built = build(
        app, "5", "mode=min", tags=["reg.example.com/team/app:1"], platforms=[AMD64, ARM64, ARM]
    )

    ours = [each["subject"] for each in statements(app, built)]
    theirs = [each["subject"] for each in sample("5-nm")["statements"]]
    assert [[one["name"] for one in each] for each in ours] == [
        [one["name"] for one in each] for each in theirs
    ]
    digests = [each.target.digest.encoded for each in built.images]
    assert [each[0]["digest"]["sha256"] for each in ours] == digests


def test_a_statement_without_a_name_still_has_a_subject(app: App) -> None:
    built = build(app, "1", "true")

    (subject,) = statements(app, built)[0]["subject"]
    assert subject == {"name": "_", "digest": {"sha256": built.images[0].target.digest.encoded}}

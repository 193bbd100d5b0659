"""Steps of provenance for Dockerfiles that no sample has."""

import json
from typing import Any

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.domain.attestations.options import parse_attestations
from img.domain.digest import Digest
from img.domain.outputs import ImageOutput
from tests.support.in_memory_app import InMemoryApp, a_request

DOCKERFILES = {
    "several": "FROM base\nCOPY a b d/ /x/\nCOPY --chown=7:app --chmod=640 a /y\n",
    "link": "FROM base\nCOPY --link a /x\nCOPY --link --from=other / /y\nFROM scratch AS z\n",
    "user": "FROM base\nUSER 7:8\nWORKDIR /w\nADD a /x\nCOPY --chmod=u=rwX,go= b /y\n",
    "script": "FROM base\nRUN <<E\n#!/bin/sh\necho\nE\nRUN <<E\necho\nE\n",
    "mounts": (
        "FROM base AS one\nRUN one\nFROM base\n"
        "RUN --mount=from=one,target=/m --mount=type=cache,target=/c,sharing=locked,from=one "
        "--mount=type=bind,target=/ctx --mount=type=tmpfs,target=/t,size=10m two\n"
    ),
    "scratch": "FROM scratch\nWORKDIR /w\nRUN one\nCOPY . /\n",
    "nothing": "FROM scratch\n",
    "heredocs": "FROM scratch\nCOPY <<A <<B /x/\na\nA\nb\nB\n",
}
FILES = {"a": b"1", "b": b"2", "d/c": b"3"}


def steps(name: str, version: str) -> list[Any]:
    app = InMemoryApp()
    app.publish("base", {"bin/sh": b"sh"})
    app.contexts.text = DOCKERFILES[name].replace("--from=other", "--from=base")
    app.contexts.context = MemoryContext(FILES)
    built = app.container.building.build_image()(
        a_request(target="" if name != "link" else "0"),
        location=".",
        outputs=[ImageOutput()],
        attestations=parse_attestations([], f"mode=max,version={version}"),
    )
    assert built is not None

    def read(digest: str) -> Any:
        with app.blobs.open(Digest.parse(digest)) as blob:
            return json.loads(blob.read())

    manifest = read(read(str(built.target.digest))["manifests"][-1]["digest"])
    predicate = read(manifest["layers"][0]["digest"])["predicate"]
    if version == "v1":
        predicate = predicate["buildDefinition"]["internalParameters"]
    found: list[Any] = predicate["buildConfig"]["llbDefinition"]
    return found


@pytest.mark.parametrize("name", list(DOCKERFILES))
def test_each_input_is_a_step_before(name: str) -> None:
    found = steps(name, "v1")

    assert [each["id"] for each in found] == [f"step{number}" for number in range(len(found))]
    for number, step in enumerate(found):
        inputs = [
            int(each.removeprefix("step").removesuffix(":0")) for each in step.get("inputs", [])
        ]
        assert all(each < number for each in inputs)
        op = step["op"]["Op"]
        for place, action in enumerate(op.get("file", {}).get("actions", [])):
            assert -1 <= action["input"] < len(inputs) + place
            assert -1 <= action["secondaryInput"] < len(inputs)
        for mount in op.get("exec", {}).get("mounts", []):
            assert -1 <= mount.get("input", 0) < max(len(inputs), 1)


@pytest.mark.parametrize("name", list(DOCKERFILES))
def test_both_versions_have_the_same_steps(name: str) -> None:
    assert steps(name, "v1") == steps(name, "v0.2")


def test_owners_modes_and_links_are_stated() -> None:
    _, _, several, owned, _ = steps("several", "v1")
    copies = [each["Action"]["copy"] for each in several["op"]["Op"]["file"]["actions"]]
    assert [each["src"] for each in copies] == ["/a", "/b", "/d"]
    assert [each["output"] for each in several["op"]["Op"]["file"]["actions"]] == [-1, -1, 0]
    copy = owned["op"]["Op"]["file"]["actions"][0]["Action"]["copy"]
    assert copy["mode"] == 0o640
    assert copy["owner"]["user"] == {"User": {"byID": 7}}
    assert copy["owner"]["group"] == {"User": {"byName": {"name": "app", "input": 0}}}

    merged = [each for each in steps("link", "v1") if "merge" in each["op"]["Op"]]
    assert [len(each["inputs"]) for each in merged] == [2, 2]

"""Attestations compared with those that BuildKit wrote for the same Dockerfiles.

The samples were written by buildkitd of 2026-08 (frontend 1.26.0-dev). IDs, times, digests of steps
and versions differ, and so do the base image and the layers. BuildKit's faults are in ``_mended``.
"""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.application.ports.working_copy import WorkingCopy
from img.domain.attestations.options import parse_attestations
from img.domain.build import BuildRequest
from img.domain.digest import Digest
from img.domain.outputs import ImageForm, ImageOutput
from tests.support.in_memory_app import a_request
from tests.support.statements import check_statement
from tests.unit.application.attestations.sampled_builds import (
    AMD64,
    ARM,
    ARM64,
    BUSYBOX,
    DEMO,
    FILES,
    NETWORKLESS,
    SAMPLES,
    THEIR_BASE,
    App,
    Json,
    build,
    document,
    sample,
    statements,
    without_ids,
)


@pytest.fixture
def app() -> App:
    return App()


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

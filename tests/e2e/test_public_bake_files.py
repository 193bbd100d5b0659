"""The bake files of public projects, unchanged, build every target of their main groups.

Their Dockerfiles need toolchains of the Internet. Here each has the stages that the definition
names. A stage writes its arguments in a step, and copies the results of linked targets.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import conformance

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.any_user]

Target = dict[str, Any]
PROJECTS = {
    "docker-buildx": ("validate", "binaries", "image-local", "image-cross"),
    "moby-buildkit": ("binaries", "image", "integration-tests-base", "lint"),
    "tonistiigi-xx": ("xx-all", "dev", "test", "binutils", "lipo"),
    "distribution-distribution": ("validate", "image-local", "docs-image", "artifact-all"),
    "jenkinsci-docker": ("linux",),
}

DIFFERENT = ("output", "cache-from")  # of targets that are linked; --set


def definition_of(project: str) -> dict[str, Any]:
    """Return the row of the tables with the files of a project, and with all its targets."""
    rows = conformance("bake", "public.jsonl").read_text("utf-8").split("\n")
    [found] = [row for row in rows if f'"id": "pub-{project}-all"' in row]
    row: dict[str, Any] = json.loads(found)
    return row


def stages(target: Target, base: str) -> str:
    """Return the stages of a target: a step on this machine's platform, and its result."""
    name = target.get("target", "last")
    arguments = sorted(target.get("args", {}))
    linked = [
        context
        for context, place in target.get("contexts", {}).items()
        if place.startswith("target:")
    ]
    lines = [
        f"FROM --platform=$BUILDPLATFORM {base} AS work-of-{name}",
        *(f"ARG {argument}" for argument in arguments),
        "RUN echo " + " ".join(f'"{each}=${each}"' for each in arguments) + f" > /of-{name}",
        f"FROM scratch AS {name}",
        f"COPY --from=work-of-{name} /of-{name} /",
        *(f"COPY --from={context} / /linked/" for context in linked),
    ]
    return "\n".join(lines) + "\n"


def contexts_of(targets: Mapping[str, Target], base: str) -> dict[str, str]:
    """Return Dockerfiles with the stages of all targets, by path; one without a name is last."""
    files: dict[str, dict[str, str]] = {}
    for target in targets.values():
        path = str(Path(target["context"]) / target["dockerfile"])
        files.setdefault(path, {})[target.get("target", "~last")] = stages(target, base)
    return {path: "".join(text for _, text in sorted(each.items())) for path, each in files.items()}


def exported(here: Path, target: Target) -> Iterator[dict[str, bytes]]:
    """Yield the files of each directory that a target writes."""
    for output in target.get("output", []):
        if output["type"] == "local":
            files = [path for path in (here / output["dest"]).rglob("*") if path.is_file()]
            yield {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_public_definition_builds(
    img: Img, busybox: str, write_context: WriteContext, project: str
) -> None:
    row = definition_of(project)
    here = write_context(None, row["files"], project)
    here.chmod(0o777)
    asked = (*PROJECTS[project], "--set", "*.cache-from=")  # caches of the Internet
    targets = json.loads(img("bake", *asked, "--print", cwd=here).stdout)["target"]
    for path, text in contexts_of(targets, busybox).items():
        file = here / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    built = img("bake", *asked, cwd=here).stderr

    known = row["expect"]["target"]
    names = img("ls", "--format", "{{.Repository}}:{{.Tag}}").stdout.splitlines()
    for name, target in targets.items():
        assert name in built.splitlines()[-1]
        of_table = {key: known[name].get(key) for key in target if key not in DIFFERENT}
        assert {key: target[key] for key in of_table} == of_table
        if makes_image(target):
            assert {tag.removeprefix("docker.io/") for tag in target.get("tags", [])} <= set(names)
        for files in exported(here, target):
            written = files[f"of-{target.get('target', 'last')}"]
            for argument, value in target.get("args", {}).items():
                assert f"{argument}={value}".encode() in written


def makes_image(target: Target) -> bool:
    """Tell whether an output of a target is an image of the store."""
    outputs = target.get("output", [{"type": "image"}])
    return any(output["type"] in ("image", "docker") for output in outputs)

"""``img bake`` through the command itself."""

import io
import json
import signal
import socket
import tarfile
import time
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import processes_naming

pytestmark = pytest.mark.any_user

DEFINITION = """
group "default" { targets = ["app", "docs"] }
target "base" {
  context = "base"
  args    = { WORD = "hello" }
}
target "app" {
  context  = "app"
  contexts = { base = "target:base" }
  tags     = ["app:1"]
}
target "docs" {
  contexts          = { app = "target:app" }
  dockerfile-inline = "FROM scratch\\nCOPY --from=app /a /b /\\n"
  output            = ["type=local,dest=out"]
}
"""
FILES = {
    "docker-bake.hcl": DEFINITION,
    "base/Dockerfile": "FROM scratch\nARG WORD\nCOPY b /\nENV A=$WORD\n",
    "base/b": "of base",
    "app/Dockerfile": "FROM base\nCOPY a /\nLABEL said=$A\n",
    "app/a": "of app",
}


@pytest.fixture
def here(write_context: WriteContext) -> Path:
    return write_context(None, FILES, "bake")


def test_linked_targets_are_built_once_and_then_cached(img: Img, here: Path) -> None:
    here.chmod(0o777)  # the output is in it
    first = img("bake", "--metadata-file", "/dev/stdout", cwd=here)
    second = img("buildx", "bake", "app", cwd=here)

    metadata = json.loads(first.stdout)
    digest = metadata["app"]["containerimage.digest"]
    assert metadata["base"].keys() == {"buildx.build.ref"}
    (ref,) = {target["buildx.build.ref"] for target in metadata.values()}
    recorded = json.loads(img("history", "inspect", ref, "--format", "json").stdout)
    assert recorded["images"] == [{"target": "app", "digest": digest, "names": ["app:1"]}]
    [image] = json.loads(img("inspect", "app:1").stdout)
    assert image["Config"]["Labels"] == {"said": "hello"}
    assert {path.name: path.read_text() for path in (here / "out").iterdir()} == {
        "a": "of app",
        "b": "of base",
    }
    assert f"Digest: {digest}" in second.stderr
    assert "[base 1/1] COPY b /" in second.stderr
    assert second.stderr.count("CACHED") >= 2
    assert len(img("ls", "-q").stdout.splitlines()) == 1


def test_a_failing_target_is_named_and_others_are_built(img: Img, here: Path) -> None:
    failed = img(
        "bake", "app", "other", "--set", "base.args.WORD=x", "-f", "-", "-f", "docker-bake.hcl",
        stdin=b'{"target": {"other": {"dockerfile-inline": "FROM scratch\\nLABEL a=b", '
              b'"tags": ["other"]}, "base": {"dockerfile-inline": "FROM scratch\\nCOPY no /"}}}',
        cwd=here, code=4,
    )  # fmt: skip

    assert "built: other; failed: base; not built: app (needs base)" in failed.stderr
    assert failed.error_line.startswith("Error: failed to solve: target base: ")
    assert img("ls", "-q").stdout.count("\n") == 1


def test_files_outside_of_the_directory_need_a_privilege(img: Img, here: Path) -> None:
    command = ("bake", "docs", "--set", "docs.contexts.x=/etc")

    refused = img(*command, cwd=here, code=1)

    assert refused.error_line == (
        "Error: additional privileges requested: fs.read=/etc "
        '(if the definition may have them: --allow "fs.read=/etc")'
    )


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["none"], "failed to find target none", 3),
        (["-f", "none.hcl"], "open none.hcl: no such file or directory", 3),
        (["--set", "app.attest=type=foo", "app"], "target app: unknown attestation type", 1),
        (["--lock=sometimes"], "invalid value 'sometimes' of --lock", 1),
        (["--progress", "foo"], "invalid progress mode foo", 1),
        (["--print", "--list", "targets"], "--print and --list exclude each other", 1),
    ],
)
def test_what_img_cannot_do_is_one_line(
    img: Img, here: Path, arguments: list[str], message: str, code: int
) -> None:
    assert img("bake", *arguments, cwd=here, code=code).error_line.startswith(f"Error: {message}")


def test_questions_are_answered_for_each_target(img: Img, here: Path) -> None:
    printed = json.loads(img("bake", "--print", cwd=here).stdout)
    listed = img("bake", "--list", "targets", cwd=here).stdout
    checked = json.loads(img("bake", "--call", "check,format=json", cwd=here).stdout)

    assert list(printed["target"]) == ["app", "base", "docs"]
    assert listed.splitlines()[1:] == ["app\t", "base\t", "default\tapp, docs", "docs\t"]
    assert [each["check"]["warnings"] for each in checked["target"].values()] == [[], [], []]


@pytest.mark.userns
@pytest.mark.registry
def test_a_target_has_its_own_secrets(img: Img, busybox: str, write_context: WriteContext) -> None:
    step = "RUN --mount=type=secret,id=s cat /run/secrets/s > /of-"
    target = {"secret": ["id=s,src=first"], "dockerfile-inline": f"FROM {busybox}\n{step}base"}
    user = {
        "contexts": {"base": "target:base"},
        "dockerfile-inline": f"FROM base\n{step}app",
        "secret": ["id=s,src=second"],
        "output": ["type=tar,dest=-"],
    }
    definition = json.dumps({"target": {"base": target, "app": user}})
    files = {"docker-bake.json": definition, "first": "1", "second": "2"}
    here = write_context(None, files, "secrets")

    baked = img("bake", "app", cwd=here).output

    with tarfile.open(fileobj=io.BytesIO(baked)) as tar:
        found = [tar.extractfile(name) for name in ("of-base", "of-app")]
        assert [each.read() for each in found if each] == [b"1", b"2"]


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.parametrize("jobs", [["--jobs", "1"], []])
def test_a_step_that_lacks_a_secret_stops_no_target_that_has_it(
    img: Img, busybox: str, write_context: WriteContext, jobs: list[str]
) -> None:
    step = "RUN --mount=type=secret,id=s,required=true cat /run/secrets/s"
    without = {"dockerfile-inline": f"FROM {busybox}\n{step}"}
    having = {**without, "secret": ["id=s,src=secret"], "tags": ["having"]}
    definition = json.dumps({"target": {"a": without, "b": having}})
    here = write_context(None, {"docker-bake.json": definition, "secret": "1"}, "secrets")

    process = img.start("bake", "a", "b", *jobs, cwd=here)
    _, errors = process.communicate(timeout=60)

    assert "having" in img("ls").stdout
    if process.returncode or jobs:  # otherwise b was first, and a found the step in the cache
        assert b"built: b; failed: a" in errors
        assert b"secret s: not found" in errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_bake_though_a_registry_does_not_answer(
    img: Img, write_context: WriteContext, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        text = f"FROM {address}/one\nFROM {address}/two\nCOPY --from=0 / /"
        targets = {name: {"dockerfile-inline": text} for name in ("a", "b")}
        here = write_context(None, {"docker-bake.json": json.dumps({"target": targets})}, "silent")
        process = img.start("bake", "a", "b", cwd=here)
        connected = [silent.accept()[0] for _ in targets]

        process.send_signal(number)
        began = time.monotonic()
        try:
            outcome = Img.outcome(process, *process.communicate(timeout=20), code)
        finally:
            process.kill()

        assert time.monotonic() - began < 15
        for each in connected:
            each.close()
    assert "Successfully" not in outcome.stderr
    assert processes_naming(str(img.state)) == []
    assert img("ls", "-q").stdout == ""
    assert list((img.state / "tmp").glob("*")) == []

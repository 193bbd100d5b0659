"""Records of builds: of those that end, that fail, and that are killed."""

import io
import json
import shutil
import signal
import tarfile
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.test_mounts import files_holding
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.typed_terminal import TypedTerminal, typed_terminal
from tests.support.host.waiting import wait_until, wait_while

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.any_user]

_SECRET = "e2e-Qw17-never-to-be-kept"
_LINES = 1_000_000  # 7 MB of output, and as much in the second step
_FAILING = f"""\
FROM @BASE@
ARG API_TOKEN
RUN seq {_LINES}
RUN --mount=type=secret,id=s cat /run/secrets/s; seq {_LINES} >&2; echo half >/half; exit 7
"""


def test_a_build_leaves_a_record_with_all_of_its_output(
    img: Img, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(_FAILING.replace("@BASE@", busybox))
    img = img.with_environment(S=_SECRET)
    options = (
        "--insecure-registry",
        "--secret",
        "id=s,env=S",
        "--build-arg",
        f"API_TOKEN={_SECRET}",
    )
    img("build", "-q", *options, "-t", "app", context, code=4)
    img("build", "-q", "-t", "fine", write_context("FROM scratch\nCOPY f /\n", {"f": "f"}))

    rows = [
        json.loads(line)
        for line in img("history", "ls", "--format", "json").stdout.split("\n")[:-1]
    ]
    assert [(row["name"], row["status"]) for row in rows] == [
        ("fine:latest", "completed"),
        ("app", "error"),
    ]
    assert img("history", "ls", "-q", "-f", "status=error").stdout == f"{rows[1]['ref']}\n"
    shown = img("history", "inspect", "^1").stdout
    assert "exit code: 7" in shown
    assert shown.endswith(f"  {_LINES}\n")
    counted = "".join(f"{number}\n" for number in range(1, _LINES + 1))
    for step, expected in ("2", counted), ("3", "****" + counted):
        output = img("history", "logs", "^1", step).stdout
        assert (len(output), output == expected) == (len(expected), True)
    assert files_holding(img.state, _SECRET.encode()) == []
    img("history", "export", rows[1]["ref"][:8], "-o", img.home / "record.tgz")
    with tarfile.open(img.home / "record.tgz") as archive:
        assert archive.getnames() == ["record.json", "logs/2.txt", "logs/3.txt"]
        document = json.load(archive.extractfile("record.json") or io.BytesIO())
    assert document["options"]["build_arg"][0].startswith("API_TOKEN=hidden:")

    assert "record of a build" in img("du").stdout
    img("history", "rm", rows[1]["ref"])
    img("history", "inspect", rows[1]["ref"], code=7)
    img("prune", "--all")
    assert img("history", "ls", "-q").stdout == ""


def test_a_build_says_why_its_steps_ran(
    img: Img, write_context: WriteContext, busybox: str
) -> None:
    text = f"FROM {busybox}\nCOPY app /srv\nARG V=1\nRUN echo $V >/v\n"
    files = {"app/a": "a", "app/b": "b"}
    build = ("build", "-q", "--insecure-registry", "--explain", "-t", "app")
    img(*build, write_context(text, files))

    unchanged = img(*build, write_context(text, files)).stderr
    changed = img(*build, write_context(text, {**files, "app/a": "A", "app/new": ""})).stderr
    argument = img(*build, "--build-arg", "V=2", write_context(text)).stderr

    assert unchanged == "nothing has changed: no step of 3 had to run\n"
    copy, run, total = changed.splitlines()
    assert copy.startswith("[2/3] COPY app /srv: changed a (content), new new (since build ")
    assert run.startswith("[3/3] RUN echo 1 >/v: parent step 2 changed (since build ")
    assert total == "1 of 3 steps were cached"
    assert argument.startswith("[3/3] RUN echo 2 >/v: ARG V: 1 → 2 (since build ")
    assert img("why").stdout == argument
    assert img("why", "RUN").stdout == argument.splitlines(keepends=True)[0]
    assert img("why", "^1").stdout == changed
    assert img("why", "^2", "2").stdout == "[2/3] COPY app /srv: it was cached\n"


def test_a_step_that_failed_can_be_entered_after_the_build(
    img: Img, write_context: WriteContext, busybox: str
) -> None:
    text = (
        f"FROM {busybox}\nWORKDIR /w\nENV E=env\nARG A=arg\nRUN echo before >f\nUSER 7\n"
        "RUN --mount=type=bind,source=a,target=/a --mount=type=cache,target=/c "
        "--mount=type=secret,id=s,target=/s,mode=0444 echo half >/tmp/half; exit 3\n"
    )
    context = write_context(text, {"a": "context", "secret": "s3cr"})
    img("build", "-q", "--insecure-registry", "-t", "app", context, code=4)
    show = ("--", "sh", "-c", "pwd; id -u; cat f /a /tmp/half; echo $E $A; test -d /c; exit 5")

    assert img("debug", *show, code=5).stdout == "/w\n7\nbefore\ncontexthalf\nenv arg\n"
    assert img("debug", "--before", "--", "ls", "/tmp").stdout == ""
    assert img("debug", "RUN echo before", "--", "cat", "f").stdout == "before\n"
    given = ("--secret", f"id=s,src={context}/secret")
    assert img("debug", *given, "--", "cat", "/s").stdout == "s3cr"
    assert "no command to run" not in img("debug", "--", "missing", code=4).stderr
    img("debug", code=1)

    there = context / "there"
    there.mkdir()
    there.chmod(0o777)
    img("cp", "::/tmp", there)
    img("cp", "-L", ":RUN echo before:/w/f", there / "renamed")
    img("cp", "--before", "::/tmp/half", there, code=7)
    assert (there / "tmp/half").read_text() == "half\n"
    assert (there / "renamed").read_text() == "before\n"
    assert sorted(path.name for path in there.iterdir()) == ["renamed", "tmp"]
    tar = img("cp", "^0:4:/w/.", "-").stdout
    assert tar.startswith("f\0")


def echoes(terminal: TypedTerminal) -> bool:
    """Return whether the terminal is in the modes of a shell."""
    return terminal.echoes


def test_a_shell_opens_in_a_step_that_failed_and_every_end_restores_the_terminal(
    img: Img, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(f"FROM {busybox}\nENV PS1='% '\nRUN echo half >/half; exit 3\n")
    build = ("build", "-q", "--insecure-registry", context)
    ends: list[tuple[tuple[str | Path, ...], str, int | None, int]] = [
        ((*build, "--on-fail", "shell"), "exit 6\r", None, 4),
        (("debug",), "exit 6\r", None, 6),
        (("debug",), "", signal.SIGTERM, 143),
        (("debug",), "", signal.SIGKILL, -9),
        (("debug", "-t", "--", "cat", "-"), "\x04", None, 0),
    ]
    for command, keys, number, code in ends:
        with typed_terminal() as terminal:
            process = img.start(*command, terminal=terminal.device)
            if command[-1] != "-":
                terminal.until("% ")
                terminal.type("cat /half; stty size\r")
                terminal.until("half\r\n33 101\r\n")
            wait_while(partial(echoes, terminal))
            terminal.type(keys)
            if number is not None:
                process.send_signal(number)
            assert process.wait(20) == code
            wait_until(partial(echoes, terminal), "the modes of the terminal as before")
    img(*build, "--on-fail", "shell", code=1)
    assert "needs a terminal" in img("debug", code=1).error_line


@pytest.mark.parametrize(
    ("who", "executor"),
    [("root", "chroot"), ("user", "proot"), ("root", "runc"), ("root", "crun"), ("one-id", "auto")],
)
def test_each_executor_enters_a_step(
    img_for: ImgFor, write_context: WriteContext, busybox: str, who: str, executor: str
) -> None:
    if executor not in ("chroot", "auto") and shutil.which(executor) is None:
        pytest.skip(f"{executor} is not installed")
    img = img_for(who)
    context = write_context(f"FROM {busybox}\nRUN echo half >/half; exit 3\n")
    chosen = ("--executor", executor)
    img("build", "-q", "--insecure-registry", *chosen, context, code=4)

    assert img("debug", *chosen, "--", "cat", "/half").stdout == "half\n"


def test_a_bake_leaves_one_record_and_nothing_is_recorded_if_not_wanted(
    img: Img, write_context: WriteContext
) -> None:
    context = write_context(
        "FROM scratch\nCOPY f /\n",
        {
            "f": "f",
            "docker-bake.json": json.dumps(
                {"target": {name: {"tags": [name]} for name in ("a", "b")}}
            ),
        },
    )
    img("bake", "a", "b", cwd=context)

    document = json.loads(img("history", "inspect", "--format", "json").stdout)
    names = {step["name"] for step in document["steps"] if step["number"]}
    assert names == {"[a 1/1] COPY f /", "[b 1/1] COPY f /"}
    assert [image["target"] for image in document["images"]] == ["a", "b"]
    silent = img.with_environment(IMG_HISTORY="0")
    silent("build", "-q", "-t", "c", context)
    silent("build", "-q", "--on-fail", "keep", context, code=1)
    assert len(img("history", "ls", "-q").stdout.split()) == 1

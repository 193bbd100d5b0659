"""Records of builds: of those that end, that fail, and that are killed."""

import io
import json
import os
import random
import shutil
import signal
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest

from img.adapters.build_history.files import FileBuildHistory
from img.application.usecases.read_history import ReadHistory
from img.domain.history.selection import RecordFilter
from tests.e2e.test_mounts import files_holding
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.typed_terminal import TypedTerminal, typed_terminal
from tests.support.host.waiting import wait_until, wait_while

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.any_user]

_EVERY = "IMG_TESTS_ALL" in os.environ
_KILLS = 100 if _EVERY else 4  # of each kind
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


# Each kind of failure: the lines after FROM, and what a command prints where they failed.
_KINDS = {
    "status": ("RUN echo status >/f; exit 3", "cat /f", "status\n"),
    "no-program": ("RUN echo absent >/f; no-such-program", "cat /f", "absent\n"),
    "signal": ("RUN echo killed >/f; sh -c 'kill -9 $$'; exit $?", "cat /f", "killed\n"),
    "no-file": (
        'RUN ["/no-such-file", "absolute"]',
        "test -x /bin/sh && echo entered",
        "entered\n",
    ),
    "heredoc": (
        "RUN <<END\nset -e\necho first >/f\nfalse heredoc\necho more >/f\nEND",
        "cat /f",
        "first\n",
    ),
    "user": (
        "WORKDIR /w\nRUN chown 7:8 .\nUSER 7:8\nRUN echo own >f; false",
        "pwd; id -u; cat f",
        "/w\n7\nown\n",
    ),
    "variables": (
        'SHELL ["/bin/sh", "-uc"]\nENV E="a  b"\nARG A=é\nRUN echo "$E$A" >/f; echo $UNSET',
        'cat /f; echo "$E$A"',
        "a  bé\na  bé\n",
    ),
    "mounts": (
        (
            "RUN --mount=source=a,target=/a --mount=type=cache,target=/c "
            "--mount=type=tmpfs,target=/t echo cached >/c/f; echo lost >/t/f; cp /a /f; false"
        ),
        "cat /a /f /c/f; ls /t",
        "contextcontextcached\n",
    ),
    "removed": (
        (
            "RUN mkdir -p /d/sub; ln -s sub /d/link; echo old >/d/f\n"
            "RUN rm /d/f; chmod 1711 /d/sub; mkfifo /d/pipe; false"
        ),
        "cd /d; echo *; stat -c %a sub; readlink link; test -p pipe",
        "link pipe sub\n1711\nsub\n",
    ),
    "stages": (
        "RUN echo below >/f\nFROM one\nCOPY --from=one /f /g\nRUN cat /f >>/g; exit 1",
        "cat /g",
        "below\nbelow\n",
    ),
}
_ENTERED = [
    ("root", "auto"),
    ("user", "auto"),
    ("one-id", "auto"),
    ("root", "chroot"),
    ("user", "proot"),
    ("root", "runc"),
    ("root", "crun"),
]


@pytest.mark.parametrize(("who", "executor"), _ENTERED)
def test_failures_of_each_kind_are_entered_by_each_executor(
    img_for: ImgFor, write_context: WriteContext, busybox: str, who: str, executor: str
) -> None:
    if executor not in ("chroot", "auto") and shutil.which(executor) is None:
        pytest.skip(f"{executor} is not installed")
    img = img_for(who).with_environment(IMG_EXECUTOR=executor)
    targets = {
        name: {"dockerfile-inline": f"FROM {busybox} AS one\n{text}\n"}
        for name, (text, *_) in _KINDS.items()
    }
    bake = json.dumps({"group": {"default": {"targets": [*targets]}}, "target": targets})
    context = write_context(None, {"docker-bake.json": bake, "a": "context"})
    failed = img("bake", "--insecure-registry", cwd=context, code=4)
    assert failed.stderr.count("Error: failed to solve: ") == len(_KINDS), failed.stderr

    # Two of them in each run; all kinds are among those of all executors.
    place = 2 * _ENTERED.index((who, executor))
    names = [*_KINDS, *_KINDS]
    for name in _KINDS if _EVERY else names[place % len(_KINDS) :][:2]:
        _, command, expected = _KINDS[name]
        # Of all steps of the target, the one that failed is meant.
        entered = img("debug", f"[{name} ", "--", "sh", "-c", command, cwd=context)
        assert (name, entered.stdout) == (name, expected)


@pytest.mark.parametrize("whole_group", [False, True])
def test_records_survive_kills(
    img_for: ImgFor, write_context: WriteContext, busybox: str, whole_group: bool
) -> None:
    img = img_for("root")
    text = f"FROM {busybox}\nARG N\nRUN seq 30000; sleep 0.2; echo $N\nRUN echo second $N\n"
    build = ("build", "-q", "--insecure-registry", write_context(text), "--build-arg")
    begun = time.monotonic()
    img.start(*build, "N=first").communicate()
    length = time.monotonic() - begun
    read = ReadHistory(history=FileBuildHistory(img.state))
    chance = random.Random(_KILLS)
    counted = "".join(f"{number}\n" for number in range(1, 30_001))
    running = RecordFilter((("status", "running"),))
    seen = {read.find().id}

    for number in range(_KILLS):
        process = img.start(*build, f"N={number}")
        time.sleep(chance.uniform(0.2, length))
        os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
        process.communicate()
        assert wait_while(lambda: [each.id for each in read.all(running)]) == []
        for record in read.all():
            assert record.status in ("interrupted", "completed")
            if record.id not in seen:
                seen.add(record.id)
                expected = [f"{counted}{number}\n".encode(), f"second {number}\n".encode()]
                for step in record.steps:
                    output = b"".join(piece.data for piece in read.output(record, step))
                    assert step.log is None or expected[step.log].startswith(output)

    assert len(seen) > _KILLS // 4  # killed before they began a record, some leave none
    img(*build, "N=last")
    assert img("history", "logs", "2").stdout == f"{counted}last\n"
    assert len(img("history", "ls", "-q").stdout.split()) <= 100
    img("prune", "--all")
    assert [*(img.state / "history").iterdir()] == []


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

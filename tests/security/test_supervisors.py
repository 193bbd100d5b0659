"""A supervisor has more rights than its step, and no path of the step can use them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.linux import call_numbers
from img.domain.process import Process
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root
from tests.support.steps.system_call import program_that_calls_all

pytestmark = [
    pytest.mark.userns,
    pytest.mark.one_id,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="its programs are x86-64's"),
]

CALLS = call_numbers.X86_64
APP = in_env(user="1000:1000")
# How a path of the step's might lead through the outer /proc, the supervisor's own descriptors,
# or another process to the files of the host; {pid} is a process of img.
WAYS = (
    "/proc/self/../..{path}",
    "/dev/fd/../../..{path}",
    "/proc/thread-self/../../../..{path}",
    "/proc/self/../{pid}/root{path}",
    "/proc/self/../{pid}/cwd{path}",
    "/proc/self/../self/cwd/..{path}",
    "/proc/{pid}/root{path}",
    "/proc/self/cwd/..{path}",
    "/proc/self/root/proc/{pid}/root{path}",
    "/proc/self/root/proc/self/cwd/..{path}",
)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o4755)
    return victim


@pytest.fixture(params=["", "run/proc"])
def steps(request: pytest.FixtureRequest) -> Iterator[Steps]:
    executor = executor_named("unshare")
    with step_root("directory") as root:
        if request.param:  # the image has /proc elsewhere, and a link that the step may change
            root.write(f"{request.param}/.keep", "")
            root.link("proc", request.param)
        yield Steps(executor, root)
    executor.close()


def put(root: StepRoot, name: str, program: bytes) -> None:
    path = root.whole[-1] / name
    path.write_bytes(program)
    path.chmod(0o755)


def look(path: Path) -> tuple[object, ...]:
    status = path.stat()
    return status.st_mode, status.st_ctime_ns, os.listxattr(path), sorted(os.listdir(path.parent))


@pytest.mark.parametrize("process", [None, APP], ids=["root", "app"])
def test_no_path_leads_a_supervisor_to_files_of_the_host(
    steps: Steps, victim: Path, process: Process | None
) -> None:
    before = look(victim)
    script: list[str] = []
    for number, way in enumerate(WAYS):
        there, new = (way.format(path=path, pid=os.getpid()) for path in (victim, f"{victim}.new"))
        steps.root.link(f"absolute-{number}", new)
        steps.root.link(f"relative-{number}", new[1:])
        first, second, rest = new[1:].split("/", 2)
        for place, made in (
            (there, new),
            (there[1:], new[1:]),
            (f"absolute-{number}", f"relative-{number}"),
            (there.split("/", 3)[3], rest),
        ):
            for call, arguments in {
                "chown": (place.encode() + b"\0", 5, 6),
                "lchown": (place.encode() + b"\0", 5, 6),
                "open": (made.encode() + b"\0", os.O_CREAT | os.O_WRONLY, 0o666),
                "creat": (place.encode() + b".new\0", 0o666),
                "mkdir": (made.encode() + b"\0", 0o777),
                "symlink": (b"to\0", made.encode() + b"\0"),
                "mknod": (made.encode() + b"\0", 0o20666, 0x103),
            }.items():
                name = f"try-{len(script)}"
                put(steps.root, name, program_that_calls_all([(CALLS[call], arguments)]))
                here = f"/{first}/{second}" if made == rest else "/"
                script.append(f"cd {here} && /{name} && echo {call} of {made}")

    steps.run(["/bin/sh", "-c", "\n".join(script)], process=process)
    steps.run(["/bin/sh", "-c", "\n".join(["busybox chroot /bin true", *script])])

    assert look(victim) == before

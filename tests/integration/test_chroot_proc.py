"""The /proc of steps in a changed root, where none is mounted: calls are answered."""

import errno
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from img.adapters.linux import call_numbers
from img.adapters.linux.syscalls import AT_FDCWD
from img.application.ports.executor import Executor
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import GROUP, PASSWD, StepRoot, Steps, in_env, step_root
from tests.support.steps.system_call import (
    program_of_32_bits_that_calls,
    program_that_calls,
    program_that_calls_all,
)

pytestmark = pytest.mark.userns

ESRCH = 3
PTRACE_ATTACH = 16


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    executor = executor_named("chroot")
    yield executor
    executor.close()


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as root:
        for name in (*("readlink", "stat", "ps", "df", "test", "ln", "find", "kill", "head"), "su"):
            (root.whole[-1] / "bin" / name).symlink_to("busybox")
        root.write("etc/passwd", PASSWD)
        root.write("etc/group", GROUP)
        root.write("etc/secret", "of the image")
        yield root


def needs_x86() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the programs are for x86-64")


# --- what is there ---


def test_a_process_finds_itself(steps: Steps) -> None:
    script = (
        "readlink /proc/self/exe; test -d /proc/$$ && readlink /proc/$$/root; cd /bin;"
        "readlink /proc/self/cwd; cat /proc/self/comm; cat /proc/thread-self/comm;"
        "test $(readlink /proc/self) != $$; cat /proc/self/cmdline"
    )
    seen = steps.sh(script).replace("\0", " ")

    assert seen.split("\n") == [
        "/bin/busybox",
        "/",
        "/bin",
        "cat",
        "cat",
        "cat /proc/self/cmdline ",
    ]


def test_open_files_have_names(steps: Steps) -> None:
    script = (
        "echo out >/dev/stdout; echo err >/dev/stderr; echo more | cat /dev/fd/0 -;"
        "exec 5</etc/secret; cat /proc/self/fd/5 /dev/fd/5 /proc/$$/task/*/fd/5;"
        "readlink /proc/self/fd/5; busybox mkfifo /f; (echo late >/f &); cat </f;"
        "rm() { busybox rm $*; }; echo gone >/gone; exec 6</gone; rm /gone /f; cat /dev/fd/6;"
        "ls /proc/self/fd"
    )
    out = steps.sh(script)

    assert out.split("\n") == [
        *("out", "more", "of the imageof the imageof the image/etc/secret", "late", "gone"),
        *("0", "1", "2", "5", "6", ""),
    ]
    assert steps.stderr == "err\n"


@pytest.mark.parametrize(
    ("user", "where", "start", "name", "code"),
    [
        ("", "/open", "/", "/open/named", 0),
        ("app", "/open", "/open", "named", 0),
        ("", "/open", "/open", "../open/taken", errno.EEXIST),
        ("app", "/open", "/", "/closed/named", errno.EACCES),
        ("", "/open", "/", "/proc/named", errno.EXDEV),
        ("", "/open", "/", "/nothing/named", errno.ENOENT),
    ],
)
def test_a_file_without_a_name_can_be_given_one(
    steps: Steps, user: str, where: str, start: str, name: str, code: int
) -> None:
    needs_x86()
    calls = (
        (2, (_text(where), os.O_TMPFILE | os.O_RDWR, 0o640)),
        (2, (_text(start), os.O_PATH)),
        (265, (AT_FDCWD, b"/proc/self/fd/3\0", 4, _text(name), 0x400)),  # linkat
    )
    program = steps.root.whole[-1] / "bin/name"
    program.write_bytes(program_that_calls_all(calls))
    program.chmod(0o755)
    steps.root.write("open/taken", "")
    (steps.root.whole[-1] / "open").chmod(0o777)
    (steps.root.whole[-1] / "closed").mkdir()

    assert steps.run(["/bin/name"], process=in_env(user=user)).code == code

    if not code:
        made = os.stat(steps.root.whole[-1] / "open/named")
        assert (made.st_uid, made.st_nlink) == (1000 if user else 0, 1)


def _text(path: str) -> bytes:
    return path.encode() + b"\0"


def test_the_machine_is_described(steps: Steps) -> None:
    steps.root.link("etc/mtab", "../proc/self/mounts")
    assert "MemTotal:" in steps.sh("cat /proc/meminfo")
    assert "processor" in steps.sh("cat /proc/cpuinfo")
    assert int(steps.sh("busybox nproc")) == len(os.sched_getaffinity(0))
    mounts = steps.sh("cat /proc/mounts").splitlines()
    assert [line.split()[1] for line in mounts] == ["/", "/proc"]
    assert steps.sh("cat /etc/mtab").splitlines() == mounts
    assert steps.sh("df /").splitlines()[1].split()[-1] == "/"
    assert steps.sh("stat -f -c %T /proc").strip() in ("proc", "UNKNOWN", "0x9fa0")


def test_directories_can_be_walked_and_entered(steps: Steps) -> None:
    script = (
        "cd /proc/self; pwd; test -e status; cat comm; cd fd; ls; cd ../..; ls -d meminfo;"
        "ls /proc/self/task | busybox wc -l; cat sys/kernel/ostype; cd sys; cat kernel/ostype;"
        "find /proc/$$ -name comm | busybox wc -l; ls -l /proc/ >/dev/null"
    )
    assert steps.sh(script).split() == [
        *("/proc/self", "sh", "0", "1", "2", "meminfo", "1", "Linux", "Linux", "2"),
    ]


def test_what_follows_a_link_stays_in_the_root(steps: Steps) -> None:
    steps.root.link("etc/out", "/etc/secret")
    script = (
        "cat /proc/self/root/etc/out /proc/self/root/../../../etc/secret; exec 4</etc;"
        "cat /proc/self/fd/4/out /proc/self/cwd/../etc/secret; echo new >/proc/self/root/new;"
        "cat /new; test -e /proc/self/root/nothing || echo none"
    )
    assert steps.sh(script) == "of the image" * 4 + "new\nnone\n"


def test_only_the_step_itself_is_seen(steps: Steps) -> None:
    seen = steps.sh("sleep 60 & ps -o args; echo; ls -d /proc/[0-9]*; kill $!")

    processes, _, names = seen.partition("\n\n")
    assert len(processes.splitlines()) == 4
    assert len(names.splitlines()) in (2, 3)  # busybox runs ls by itself, or not
    for pid in (1, os.getpid(), int(steps.sh("echo $PPID"))):
        for name in ("", "environ", "root/etc", "fd", "cwd", "mem", "stat"):
            assert not steps.run(["/bin/ls", f"/proc/{pid}/{name}"]).success


def test_nothing_is_changed_through_it(steps: Steps) -> None:
    for path in ("sys/kernel/hostname", "sysrq-trigger", "new", "self/new", "meminfo"):
        assert not steps.run(["/bin/sh", "-c", f"echo 1 >/proc/{path}"]).success, path
    for masked in ("kcore", "keys", "timer_list"):
        assert steps.sh(f"test ! -e /proc/{masked} || cat /proc/{masked}") == ""
    assert steps.sh("echo 500 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj") == "500\n"
    assert not steps.run(["/bin/sh", "-c", "echo -900 >/proc/self/oom_score_adj"]).success


def test_a_user_sees_what_is_its_own(steps: Steps) -> None:
    app = in_env(user="app")
    assert steps.sh("readlink /proc/self/exe; ls /proc/self/fd; test -r /proc/self/environ", app)
    others = "(sleep 60 & echo $! >/tmp.pid); su app -s /bin/sh -c 'cat /proc/$(cat /tmp.pid)/{}'"
    assert steps.sh(others.format("comm")) == "sleep\n"
    for name in ("environ", "fd/0", "maps", "root/etc/passwd"):
        assert not steps.run(["/bin/sh", "-c", others.format(name)]).success, name


def test_programs_and_directories_are_reached_through_it(steps: Steps) -> None:
    assert not steps.run(["/bin/sh", "-c", "/proc/self/exe"]).success
    assert steps.stderr == "exe: applet not found\n"  # so busybox did run
    assert steps.sh("busybox chmod 600 /dev/fd/7 7</etc/secret; stat -c %a /etc/secret") == "600\n"


def test_a_directory_of_it_leads_nowhere_else(steps: Steps) -> None:
    # A descriptor of the real one would: ".." of it is the container's root.
    script = "cd /proc; cd ..; test -e /bin/busybox; busybox pwd; exec 5</proc; ls /dev/fd/5/.."
    assert steps.sh(script).split() == ["/", "bin", "dev", "etc", "proc", "sys"]


def test_it_is_not_in_the_root_afterwards(steps: Steps) -> None:
    steps.root.age()
    before = steps.root.listing()

    steps.sh("find /proc >/dev/null; cd /proc/self; ls /proc/$$/fd; /proc/self/exe || true")

    assert steps.root.listing() == before


_UNDER_ANOTHER_LISTENER = """
import sys, threading
from img.adapters.syscall_supervisor import bpf
from img.entrypoints.rootless import enter_for_build
from img.domain.process import DirectoryRoot, Process
machine = bpf.this_machine()
held = bpf.load_and_listen(bpf.program(machine, [bpf.Rule("acct", bpf.NOTIFY)]))
host = enter_for_build("chroot")
print(*host.executor_and_reason("full"))
script = "ls /proc; echo steps run; busybox reboot -f || echo denied"
process = Process(argv=("/bin/sh", "-c", script), env={})
executor = host.executor()
executor.run(process, DirectoryRoot(path=sys.argv[1]), lambda _, data: print(data.decode(), end=""),
    threading.Event())
executor.close()
"""


def test_without_notifications_there_is_none_and_the_build_says_so(root: StepRoot) -> None:
    executor_named("chroot").close()  # skips where it cannot be
    done = subprocess.run(
        [sys.executable, "-c", _UNDER_ANOTHER_LISTENER, str(root.changed)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines()[:2] == [
        "chroot no /proc, for no filter can ask: Device or resource busy",
        "steps run",
    ], done.stderr
    assert "denied" in done.stdout.splitlines()


def test_32_bit_programs_run_and_see_none(steps: Steps) -> None:
    needs_x86()
    path = steps.root.whole[-1] / "try"
    path.write_bytes(program_of_32_bits_that_calls(60, [0]))  # umask, which returns the former
    path.chmod(0o755)

    assert steps.run(["/try"]).code == 256 - 0o022


# --- what a step cannot do to others ---


@pytest.fixture
def victim() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


_ARGUMENTS: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    "kill": lambda pid: (pid, 9),
    "tkill": lambda pid: (pid, 9),
    "tgkill": lambda pid: (pid, pid, 9),
    "pidfd_open": lambda pid: (pid, 0),
    "ptrace": lambda pid: (PTRACE_ATTACH, pid, 0, 0),
    "process_vm_readv": lambda pid: (pid, 0, 0, 0, 0, 0),
    "process_vm_writev": lambda pid: (pid, 0, 0, 0, 0, 0),
    "prlimit64": lambda pid: (pid, 0, 0, 0),
}


@pytest.mark.parametrize("bits", [64, 32])
def test_no_call_reaches_a_process_of_the_container(steps: Steps, victim: int, bits: int) -> None:
    needs_x86()
    numbers = {64: call_numbers.X86_64, 32: call_numbers.I386}[bits]
    make = {64: program_that_calls, 32: program_of_32_bits_that_calls}[bits]
    for name, arguments in _ARGUMENTS.items():
        program = make(numbers[name], arguments(victim))
        path = steps.root.whole[-1] / f"try-{name}"
        path.write_bytes(program)
        path.chmod(0o755)

    codes = steps.sh("".join(f"/try-{name}; echo $?;" for name in _ARGUMENTS))

    assert codes.split() == [str(ESRCH)] * len(_ARGUMENTS)
    assert Path(f"/proc/{victim}").exists()


def test_signals_to_all_reach_the_step_alone(steps: Steps, victim: int) -> None:
    script = (
        f"sleep 50 & kill -9 {victim}; kill -9 -{os.getpgid(victim)}; kill -9 -1; wait; echo on"
    )

    assert steps.sh(script) == "on\n"
    assert Path(f"/proc/{victim}").exists()


def test_signals_within_the_step_are_as_ever(steps: Steps) -> None:
    script = (
        "sleep 50 & kill $!; wait $!; echo $?; trap 'echo got' USR1; kill -USR1 $$;"
        "busybox setsid sh -c 'sleep 50 & sleep 50' & sleep 0.1; kill -- -$!; wait $!; echo $?"
    )
    assert steps.sh(script).split() == ["143", "got", "143"]

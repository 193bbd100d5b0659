"""The kernel interfaces of a step, in the comparison with Docker in docs/security.md."""

import os
import platform
import socket
import struct
from collections.abc import Iterator, Mapping
from errno import EACCES, EPERM, ESRCH
from errno import ENOSYS as NOSYS
from pathlib import Path

import pytest

from img.adapters.executor.group_mounts import own_groups
from img.adapters.linux import call_numbers, landlock, userns
from img.adapters.linux.hierarchies import hierarchies_of
from img.application.ports.executor import Executor, ProcessNotStarted
from img.domain.process import DirectoryRoot, Network, Process
from tests.support.host.kinds import there_is_one_id
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_roots import Steps, in_env, step_root
from tests.support.steps.system_call import (
    Call,
    program_of_32_bits_that_calls,
    program_that_calls_all,
)

pytestmark = [
    pytest.mark.userns,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="programs of x86-64"),
]

X86_64, I386 = call_numbers.X86_64, call_numbers.I386
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWCGROUP = 0x1000_0000, 0x2_0000, 0x0200_0000
AF_UNIX, AF_INET, AF_PACKET, AF_ALG, AF_VSOCK = 1, 2, 17, 38, 40
STREAM, RAW, SEQPACKET = 1, 3, 5
ADDR_NO_RANDOMIZE = 0x40000

# With invalid arguments, so that only a filter answers EPERM to root.
REFUSED = """
    acct add_key bpf delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick
    get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
    kexec_file_load kexec_load keyctl mbind migrate_pages mount mount_setattr move_mount move_pages
    open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise quotactl
    quotactl_fd reboot request_key set_mempolicy setns settimeofday swapoff swapon sysfs syslog
    umount2 unshare uselib userfaultfd ustat vhangup
""".split()  # noqa: SIM905 (names of one kind)
ALLOWED = "getpid memfd_create ptrace process_vm_readv statx openat2 fchmodat2 futex_wait".split()  # noqa: SIM905


@pytest.fixture(scope="module", params=(*ISOLATED, "chroot"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def executor(name: str) -> Iterator[Executor]:
    executor = executor_named(name)
    yield executor
    executor.close()


@pytest.fixture
def steps(executor: Executor) -> Iterator[Steps]:
    with step_root("directory") as root:
        yield Steps(executor, root)


with_namespaces = pytest.mark.parametrize("name", ISOLATED, indirect=True)


def codes(
    steps: Steps, programs: Mapping[str, bytes], process: Process | None = None
) -> dict[str, int]:
    """Return the exit code of each program in one step."""
    for name, program in programs.items():
        path = steps.root.whole[-1] / f"try-{name}"
        path.write_bytes(program)
        path.chmod(0o755)
    script = "".join(f"/try-{name}; echo {name} $?;" for name in programs)
    lines = [line.split() for line in steps.sh(script, process).splitlines()]
    return {name: int(code) for name, code in lines}


def calling(name: str, *arguments: int | bytes) -> bytes:
    return program_that_calls_all([(X86_64[name], arguments)])


def test_calls_that_docker_refuses_are_refused(steps: Steps) -> None:
    programs = {name: calling(name, *[-1] * 6) for name in REFUSED}

    found = codes(steps, programs)

    assert {name: code for name, code in found.items() if code != EPERM} == {}


def test_calls_that_docker_allows_reach_the_kernel(steps: Steps) -> None:
    found = codes(steps, {name: calling(name, *[-1] * 6) for name in ALLOWED})

    assert EPERM not in found.values()


def test_namespaces_are_refused_to_clone_and_clone3_is_missing(steps: Steps) -> None:
    every = {
        f"clone-{bit}": calling("clone", 1 << bit | 17, 0, 0, 0, 0) for bit in (17, *range(25, 31))
    }

    found = codes(steps, {**every, "clone3": calling("clone3", 0, 0)})

    assert found.pop("clone3") == NOSYS
    assert set(found.values()) == {EPERM}


def test_calls_later_than_the_list_are_missing(steps: Steps) -> None:
    numbers = {"new": 600, "open_tree_attr": 467, "file_getattr": 468}
    programs = {
        name: program_that_calls_all([(number, [-1] * 6)]) for name, number in numbers.items()
    }

    assert set(codes(steps, programs).values()) == {NOSYS}


def test_arguments_decide_about_sockets_and_personalities(steps: Steps) -> None:
    found = codes(
        steps,
        {
            "vsock": calling("socket", AF_VSOCK, STREAM, 0),
            "alg": calling("socket", AF_ALG, SEQPACKET, 0),
            "alg-64": calling("socket", 1 << 32 | AF_ALG, SEQPACKET, 0),
            "inet": calling("socket", AF_INET, STREAM, 0),
            "unix": calling("socket", AF_UNIX, STREAM, 0),
            "linux": calling("personality", 0),
            "no-randomize": calling("personality", ADDR_NO_RANDOMIZE),
        },
    )

    assert found["vsock"] == found["alg"] == found["alg-64"] == EPERM
    assert found["inet"] == found["unix"] == found["linux"] == 0
    assert found["no-randomize"] in (EPERM, NOSYS)


def test_packets_of_the_hosts_network_are_not_to_be_read(steps: Steps) -> None:
    found = codes(
        steps,
        {
            "packet": calling("socket", AF_PACKET, RAW, 0x0300),
            "raw": calling("socket", AF_INET, RAW, 1),
        },
    )

    assert set(found.values()) == {EPERM}


@with_namespaces
def test_packets_of_a_network_of_its_own_are(steps: Steps) -> None:
    found = codes(
        steps,
        {"packet": calling("socket", AF_PACKET, RAW, 0x0300)},
        in_env(network=Network.NONE),
    )

    assert found == {"packet": 0}


def test_32_bit_programs_are_filtered_too(steps: Steps) -> None:
    if there_is_one_id():
        pytest.skip("32-bit programs do not run where root is emulated")
    programs = {
        name: program_of_32_bits_that_calls(I386[name], arguments)
        for name, arguments in {
            "unshare": (CLONE_NEWUSER,),
            "clone": (CLONE_NEWUSER | 17,),
            "keyctl": (0, 0),
            "bpf": (0, 0, 0),
            "mount": (0, 0, 0, 0, 0),
            "umount": (0,),
            "stime": (0,),
        }.items()
    }
    programs["getpid"] = program_of_32_bits_that_calls(24)

    found = codes(steps, programs)

    assert found.pop("getpid") != NOSYS
    assert set(found.values()) == {EPERM}


@with_namespaces
def test_control_groups_of_the_host_are_neither_seen_nor_mounted(steps: Steps) -> None:
    seen = steps.sh("cat /proc/self/cgroup")

    assert seen
    assert all(line.endswith(":/") for line in seen.splitlines())
    found = codes(
        steps,
        {
            "own": calling("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP),
            "mount": calling("mount", b"c\0", b"/bin\0", b"cgroup2\0", 0, b"\0"),
        },
    )
    assert set(found.values()) == {EPERM}


@with_namespaces
def test_a_step_sees_its_own_group_as_the_uppermost(steps: Steps) -> None:
    homes = [each for each in hierarchies_of("/proc/self") if os.access(each.top, os.W_OK)]
    if not homes or not userns.is_initial():
        pytest.skip("only root makes control groups")
    group = Path(homes[0].top) / f"img-test-{os.getpid()}"
    group.mkdir()
    (group / "inner").mkdir()
    try:
        seen = steps.sh(
            f"cat /proc/self/cgroup; ls -d {homes[0].top}/*/; mkdir {homes[0].top}/inner/x || true",
            in_env(control_groups=(str(group),)),
        )
    finally:
        (group / "inner").rmdir()
        group.rmdir()

    assert f"{group.name}" not in seen
    assert seen.splitlines()[-1] == f"{homes[0].top}/inner/"


@with_namespaces
def test_without_limits_it_sees_the_group_of_img_as_the_uppermost(steps: Steps) -> None:
    groups = own_groups()
    if not groups:
        pytest.skip("this process is in the uppermost group of every hierarchy")
    for group in groups:
        inner = {entry.name for entry in os.scandir(group.own) if entry.is_dir()}

        seen = steps.sh(f"cd {group.top}; for d in */; do test -d $d && echo ${{d%/}}; done; true")

        assert set(seen.split()) == inner


@with_namespaces
def test_allowed_user_namespaces_reach_no_control_groups(steps: Steps) -> None:
    process = in_env(userns=True)
    unshared: Call = (X86_64["unshare"], [CLONE_NEWUSER | CLONE_NEWNS])
    cgroup2: Call = (X86_64["mount"], [b"c\0", b"/bin\0", b"cgroup2\0", 0, b"\0"])
    tmpfs: Call = (X86_64["mount"], [b"t\0", b"/bin\0", b"tmpfs\0", 0, b"\0"])

    found = codes(
        steps,
        {
            "user": program_that_calls_all([unshared]),
            "tmpfs": program_that_calls_all([unshared, tmpfs]),
            "cgroups": calling("unshare", CLONE_NEWUSER | CLONE_NEWCGROUP),
            "cgroup2": program_that_calls_all([unshared, cgroup2]),
            "v1": program_that_calls_all(
                [unshared, (X86_64["mount"], [b"c\0", b"/bin\0", b"cgroup\0", 0, b"memory\0"])]
            ),
            "keyctl": calling("keyctl", 0, 0),
        },
        process,
    )

    assert found["user"] == found["tmpfs"] == 0
    assert found["cgroups"] == found["cgroup2"] == found["keyctl"] == EPERM
    assert found["v1"] != 0


@pytest.mark.parametrize("name", ["chroot"], indirect=True)
def test_an_executor_without_namespaces_says_that_it_allows_none(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match=r"cannot allow user namespaces \(--allow=userns\)"):
        steps.run(["/bin/true"], process=in_env(userns=True))


@pytest.fixture
def abstract_socket() -> Iterator[bytes]:
    """Listen on an abstract socket of the host; return the arguments of connect(2)."""
    name = f"\0img-test-{os.getpid()}".encode()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)
        listening.listen()
        yield struct.pack("H", AF_UNIX) + name


def connecting(address: bytes) -> bytes:
    return program_that_calls_all(
        [
            (X86_64["socket"], [AF_UNIX, STREAM, 0]),
            (X86_64["connect"], [3, address, len(address)]),
        ]
    )


def test_abstract_sockets_of_the_host_are_out_of_reach(
    steps: Steps, abstract_socket: bytes
) -> None:
    if landlock.version() < 6:
        pytest.skip("no scopes in the Landlock of this kernel (Linux 6.12)")

    assert codes(steps, {"connect": connecting(abstract_socket)}) == {"connect": EPERM}


@with_namespaces
def test_abstract_sockets_belong_to_a_network(steps: Steps, abstract_socket: bytes) -> None:
    found = codes(steps, {"connect": connecting(abstract_socket)}, in_env(network=Network.NONE))

    assert found["connect"] not in (0, NOSYS)


@pytest.mark.parametrize("name", ["chroot"], indirect=True)
def test_signals_by_way_of_descriptors_stay_in_the_step(steps: Steps) -> None:
    if landlock.version() < 6:
        pytest.skip("no scopes in the Landlock of this kernel (Linux 6.12)")
    received, sent = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(received, 1)  # ended by SIGIO, if one comes
        os._exit(0)
    # pipe2 with O_ASYNC sends SIGIO to the owner when something is written to it
    address = b"\0" * 8
    program = program_that_calls_all(
        [
            (X86_64["socketpair"], [AF_UNIX, STREAM, 0, address]),
            (X86_64["fcntl"], [3, 8, pid]),  # F_SETOWN
            (X86_64["fcntl"], [3, 4, 0x2000]),  # F_SETFL, O_ASYNC
            (X86_64["write"], [4, b"x", 1]),
        ]
    )

    found = codes(steps, {"own": program})

    os.write(sent, b"x")
    ended = os.waitpid(pid, 0)[1]
    os.close(received)
    os.close(sent)
    assert found["own"] in (0, EPERM, ESRCH)
    assert os.waitstatus_to_exitcode(ended) == 0


@pytest.mark.parametrize("name", ["chroot"], indirect=True)
def test_the_files_of_a_changed_root_are_all_that_is_reached(steps: Steps, tmp_path: Path) -> None:
    """Check that a descriptor of a directory outside leads nowhere."""
    if landlock.version() < 2:
        pytest.skip("no Landlock in this kernel, or it is not among its LSMs")
    assert isinstance(steps.root.root, DirectoryRoot)
    outside = steps.root.whole[-1].parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    moved = steps.root.whole[-1] / "d"
    moved.mkdir()
    # The step's working directory is moved out of its root while it waits.
    script = (
        "cd /d; echo ready >/ready; while test ! -e /go; do busybox usleep 10000; done;"
        " cat ../outside/secret"
    )
    pid = os.fork()
    if pid == 0:
        while not (steps.root.whole[-1] / "ready").exists():
            pass
        moved.rename(outside.parent / "d")
        (steps.root.whole[-1] / "go").touch()
        os._exit(0)

    status = steps.run(["/bin/sh", "-c", script])

    os.waitpid(pid, 0)
    assert not status.success
    assert os.strerror(EACCES) in steps.stderr

"""Steps that have one id and believe in many.

Most tests run inside a user namespace with one id. Outside of one, the first test runs the others
there, as a user whom nobody gave ids, with and without no_new_privs.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.executor.unshare import UnshareExecutor
from img.adapters.linux import userns
from img.adapters.linux.emulation.level import Emulation
from img.adapters.linux.file_entries import entry_of, xattr_names
from img.adapters.linux.ownership import RecordedOwnership
from img.application.ports.executor import ProcessNotStarted
from img.domain.filesystem.entry import Entry
from img.domain.process import FileMount, TmpfsMount
from tests.step_roots import GROUP, PASSWD, StepRoot, Steps, in_env, step_root

pytestmark = pytest.mark.userns

NOBODY = 64998  # has no name, so no ids
REPOSITORY = Path(__file__).parents[2]
INSIDE = """
import os, sys, tempfile
sys.path.insert(0, os.getcwd())
from img.entrypoints.rootless import enter_for_build
host = enter_for_build("unshare")
assert host.id_map.value == "single", host
import pytest
files = tempfile.TemporaryDirectory(dir="/dev/shm")
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--basetemp", files.name + "/of-pytest",
    *sys.argv[1:]]))
"""
# Tests of what emulation cannot do: to the kernel a step's user is root, any id is one's own, and
# a device is a file with a record, which can be opened and is no device.
IMPOSSIBLE = (
    "a_user_has_no_capabilities or an_id_that_nobody_gave"
    " or no_device_that_a_step_makes_can_be_opened"
)


def there_is_one_id() -> bool:
    extents = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    alone = [extent.split()[2] for extent in extents] == ["1"]
    return alone and userns.is_privileged(userns.real_user())


needs_one_id = pytest.mark.skipif(
    not there_is_one_id(), reason="runs where there is one id, by the first tests of this file"
)


def with_one_id(*arguments: str, no_new_privs: bool = False) -> None:
    """Run pytest as a user with one id, or as the one we are."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be a user without ids")
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    privs = ["--no-new-privs"] if no_new_privs else []
    done = subprocess.run(
        ["setpriv", *who, *privs, sys.executable, "-c", INSIDE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.skipif(there_is_one_id(), reason="inside already")
@pytest.mark.parametrize("no_new_privs", [False, True])
def test_steps_with_one_id_are_fooled_well(no_new_privs: bool) -> None:
    with_one_id(__file__, no_new_privs=no_new_privs)


@pytest.mark.skipif(there_is_one_id(), reason="inside already")
def test_the_executors_promises_hold_with_one_id() -> None:
    others = "crun or runc or chroot or proot or scripted"
    ours = f"not ({others}) and not ({IMPOSSIBLE})"
    with_one_id(
        "tests/contracts/test_executor.py",
        "tests/integration/test_unshare.py",
        "tests/integration/test_unshare_isolation.py",
        "tests/integration/test_escapes.py",
        "-k",
        ours,
    )


@pytest.fixture(params=["directory", "overlay"])
def root(request: pytest.FixtureRequest) -> Iterator[StepRoot]:
    with step_root(request.param) as root:
        root.write("etc/passwd", PASSWD)
        root.write("etc/group", GROUP)
        root.write("etc/shadow", "secret", mode=0o600)
        root.write("tmp/.keep", "")
        (root.whole[-1] / "tmp").chmod(0o1777)
        yield root


@pytest.fixture(params=[Emulation.FULL])
def steps(request: pytest.FixtureRequest, root: StepRoot) -> Iterator[Steps]:
    executor = UnshareExecutor(emulation=request.param)
    yield Steps(executor, root)
    executor.close()


APP = in_env(user="app")


def box(script: str) -> str:
    """Return the script with applets of busybox that the root has no links to."""
    for name in ("chown", "stat", "touch", "mkdir", "ln", "mkfifo", "chmod", "cp", "mv", "rm"):
        script = f'{name}() {{ busybox {name} "$@"; }}\n{script}'
    return f"set -e\n{script}"


def entry_in(root: StepRoot, name: str) -> Entry:
    path = str(root.changed / name)
    ownership = RecordedOwnership(str(root.changed))
    return entry_of(path, name, os.lstat(path), xattr_names(path), ownership)


@needs_one_id
def test_owners_given_to_anything_are_seen_and_kept(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "mkdir /d; touch /d/f; ln -s f /d/l; mkfifo /d/p; mknod /d/c c 1 3; mknod /d/b b 7 8\n"
            "chown 1:2 /d; chown 3:4 /d/f; chown -h 5:6 /d/l; chown 7:8 /d/p; chown 9:10 /d/c\n"
            "stat -c '%n %u:%g %F' /d /d/f /d/l /d/p /d/c /d/b; stat -c %t:%T /d/b"
        )
    )

    assert seen.splitlines() == [
        "/d 1:2 directory",
        "/d/f 3:4 regular empty file",
        "/d/l 5:6 symbolic link",
        "/d/p 7:8 fifo",
        "/d/c 9:10 character special file",
        "/d/b 0:0 block special file",
        "7:8",
    ]
    kept = [entry_in(steps.root, name) for name in ("d", "d/f", "d/l", "d/p", "d/c", "d/b")]
    assert [(entry.kind, entry.uid, entry.gid) for entry in kept] == [
        ("d", 1, 2),
        ("f", 3, 4),
        ("l", 5, 6),
        ("p", 7, 8),
        ("c", 9, 10),
        ("b", 0, 0),
    ]
    assert (kept[4].device, kept[5].device) == ((1, 3), (7, 8))
    assert not any(entry.xattrs for entry in kept)


@needs_one_id
def test_owners_survive_renames_links_copies_and_chown_of_a_half(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "mkdir /d; touch /d/f; ln -s x /d/l; chown 3:4 /d/f; chown -h 5:6 /d/l\n"
            "ln /d/f /d/g; mv /d/f /d/h; mv /d/l /d/m; cp -a /d/h /d/i; chown 9 /d/i\n"
            "chown :8 /d/m -h; stat -c '%n %u:%g' /d/g /d/h /d/i /d/m; chown 0:0 /d/g\n"
            "stat -c '%n %u:%g' /d/h"
        )
    )

    assert seen.split() == [
        *("/d/g", "3:4", "/d/h", "3:4", "/d/i", "9:4", "/d/m", "5:8", "/d/h", "0:0"),
    ]


@needs_one_id
def test_what_a_user_makes_is_the_users(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "cd /tmp; touch f; mkdir d; ln -s f l; mkfifo p; umask 077; echo > private\n"
            "stat -c '%n %u:%g %a' f d l p private; id -u; id -g; id -G\n"
            "umask 022; mkdir slash/; mkdir -p deep/er; stat -c '%n %u:%g' slash deep deep/er"
        ),
        APP,
    )

    assert seen.splitlines() == [
        "f 1000:1001 644",
        "d 1000:1001 755",
        "l 1000:1001 777",
        "p 1000:1001 644",
        "private 1000:1001 600",
        *("1000", "1001", "1001 29"),
        *("slash 1000:1001", "deep 1000:1001", "deep/er 1000:1001"),
    ]
    assert entry_in(steps.root, "tmp/l")[:5] == ("tmp/l", "l", 0o777, 1000, 1001)


@needs_one_id
def test_what_a_user_makes_through_a_link_is_the_users(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "cd /tmp; mkdir d; ln -s d/new first; ln -s /tmp/first second; echo x > second\n"
            "ln -s ../tmp/other third; (set -C; echo y > third) || :; ls; cat d/new\n"
            "stat -c %u:%g d/new; echo again >> first; stat -c %u:%g second first"
        ),
        APP,
    )

    assert seen.split() == ["d", "first", "second", "third", "x", *["1000:1001"] * 3]


@needs_one_id
@pytest.mark.parametrize(
    "forbidden",
    [
        "cat /etc/shadow",
        "echo > /etc/passwd",
        "echo > /new",
        "busybox ln -s /new /tmp/link; echo > /tmp/link",
        "busybox mkdir /new",
        "busybox ln -s a /new",
        "busybox rm /etc/passwd",
        "busybox rm -f /tmp/.keep",
        "busybox mv /tmp/.keep /tmp/mine",
        "busybox chmod 777 /etc/passwd",
        "busybox chown 1000 /etc/passwd",
        "busybox mknod /tmp/device c 1 3",
        "busybox chroot / /bin/true",
        "test -w /etc",
        "test -r /etc/shadow",
    ],
)
def test_what_a_user_may_not_do_fails(steps: Steps, forbidden: str) -> None:
    assert not steps.run(["/bin/sh", "-c", forbidden], process=APP).success


@needs_one_id
def test_files_in_a_set_group_id_directory_have_its_group(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "mkdir /d; chown 0:29 /d; chmod 2777 /d; touch /d/roots; mkdir /d/sub\n"
            "busybox su app -c 'busybox touch /d/apps'; stat -c '%n %u:%g %a' /d/*"
        )
    )

    assert seen.splitlines() == [
        "/d/apps 1000:29 644",
        "/d/roots 0:29 644",
        "/d/sub 0:29 2755",
    ]


@needs_one_id
def test_programs_run_as_their_owner_where_they_say_so(steps: Steps) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the program is one for x86-64")
    for name in ("mine", "its"):
        (steps.root.whole[-1] / name).write_bytes(_EXIT_WITH_EFFECTIVE_USER)
        (steps.root.whole[-1] / name).chmod(0o755)
    steps.sh(box("chown 33 /mine /its; chmod 4755 /its"))

    codes = "/mine; echo $?; /its; echo $?"
    assert steps.sh(codes).split() == ["0", "33"]
    assert steps.sh(codes, in_env(user="77")).split() == ["77", "33"]


@needs_one_id
def test_children_and_orphans_are_who_their_parents_were(steps: Steps) -> None:
    seen = steps.sh(
        "busybox su app -c '(busybox sleep 0.2; id -u) & exit 0'; id -u;busybox sleep 0.5; id -u"
    )

    assert seen.split() == ["0", "1000", "0"]


@needs_one_id
def test_a_changed_root_has_files_of_its_own(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "mkdir -p /sub/bin /sub/d; cp /bin/busybox /sub/bin; ln -s /d /sub/link; mkdir /d\n"
            "busybox chroot /sub /bin/busybox chown 5:6 /link\n"
            "busybox chroot /sub /bin/busybox stat -c %u:%g /d\n"
            "stat -c %u:%g /d /sub/d\n"
            "cd /sub; chown 7:8 d; stat -c %u:%g d; mkdir -p etc tmp; chmod 777 tmp\n"
            "cp /etc/passwd etc; ln -s busybox bin/sh; ln -s /tmp/there tmp/link\n"
            "busybox chroot /sub /bin/busybox su app -c 'echo x >/tmp/link'\n"
            "stat -c %u:%g /sub/tmp/there"
        )
    )

    assert seen.split() == ["5:6", "0:0", "5:6", "7:8", "1000:1001"]


@needs_one_id
def test_what_is_written_to_devices_of_a_changed_root_is_gone(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "mkdir -p /sub/bin /sub/dev; cp /bin/busybox /sub/bin; cd /sub/dev; umask 0\n"
            "mknod null c 1 3; mknod full c 1 7; echo x > null; echo x > /sub/dev/null\n"
            "busybox chroot /sub /bin/busybox sh -c 'echo y >>/dev/null; echo >/dev/full' || :\n"
            "stat -c '%F %a %t:%T' null; cat null"
        )
    )

    assert seen == "character special file 666 1:3\n"
    assert "No space left on device" in steps.stderr


@needs_one_id
def test_paths_through_proc_are_the_callers_own(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "touch /f; exec 3</f; chown 5:6 /proc/self/fd/3; chown 7:8 /dev/stdout\n"
            "stat -c %u:%g /f; cat /proc/self/status | busybox grep -c Name"
        )
    )

    assert seen.split() == ["5:6", "1"]


@needs_one_id
def test_secrets_belong_to_whom_they_were_given(steps: Steps) -> None:
    secret = FileMount(target="/secret", content=b"x", uid=1000, gid=1001)

    seen = steps.sh("busybox stat -c %u:%g /secret; cat /secret", in_env(mounts=(secret,)))

    assert seen == "1000:1001\nx"


@needs_one_id
def test_32_bit_programs_are_refused(steps: Steps) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the program is one for x86")
    steps.root.write("bin/exit7", "", mode=0o755)
    (steps.root.whole[-1] / "bin/exit7").write_bytes(_EXIT_WITH_7)

    status = steps.run(["/bin/sh", "-c", "/bin/exit7"])

    assert status.code in (137, 126)  # 126: this kernel runs none
    assert "32-bit programs cannot run" in steps.stderr or status.code == 126


def _program(bits: int, code: bytes) -> bytes:
    """Return the smallest program for x86 that runs ``code`` (System V ABI, "ELF Header")."""
    word, machine, place = ("I", 3, 0x0804_8000) if bits == 32 else ("Q", 62, 0x40_0000)
    header, segment = (52, 32) if bits == 32 else (64, 56)
    size = header + segment + len(code)
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    elf = ident + struct.pack(
        f"<HHI{word * 3}IHHHHHH",
        *(2, machine, 1, place + header + segment, header, 0),
        *(0, header, segment, 1, 0, 0, 0),
    )
    if bits == 32:
        elf += struct.pack("<8I", 1, 0, place, place, size, size, 5, 0x1000)
    else:
        elf += struct.pack("<II6Q", 1, 5, 0, place, place, size, size, 0x1000)
    return elf + code


_EXIT_WITH_7 = _program(32, b"\xb8\x01\0\0\0\xbb\x07\0\0\0\xcd\x80")
_EXIT_WITH_EFFECTIVE_USER = _program(64, b"\xb8\x6b\0\0\0\x0f\x05\x89\xc7\xb8\x3c\0\0\0\x0f\x05")


@needs_one_id
@pytest.mark.parametrize("steps", [Emulation.IDS], indirect=True)
def test_ids_alone_keep_owners_that_are_given(steps: Steps) -> None:
    seen = steps.sh(box("touch /f; chown 3:4 /f; stat -c %u:%g /f; id -u"))

    assert seen.split() == ["0:0", "0"]
    assert entry_in(steps.root, "f")[3:5] == (3, 4)


@needs_one_id
@pytest.mark.parametrize("steps", [Emulation.FAKE], indirect=True)
def test_fakes_fail_nothing_and_keep_nothing(steps: Steps) -> None:
    steps.sh(box("touch /f; chown 3:4 /f; busybox su app -c true; mknod /c c 1 3"))

    assert entry_in(steps.root, "f")[3:5] == (0, 0)


@needs_one_id
@pytest.mark.parametrize("steps", [Emulation.OFF], indirect=True)
def test_without_emulation_there_is_root_alone(steps: Steps) -> None:
    assert steps.sh("id -u").split() == ["0"]
    assert not steps.run(["/bin/sh", "-c", "busybox chown 3:4 /bin"]).success
    with pytest.raises(ProcessNotStarted, match="there is one id"):
        steps.run(["true"], process=APP)


@needs_one_id
def test_a_mount_point_made_for_a_step_is_removed_unless_the_step_gave_it_away(
    steps: Steps,
) -> None:
    mounts = (TmpfsMount(target="/a/b"), TmpfsMount(target="/c/d"))

    steps.sh("busybox chown 5:6 /a", in_env(mounts=mounts))

    left = {path.name for path in steps.root.changed.iterdir()}
    assert "a" in left
    assert "c" not in left


@needs_one_id
def test_a_step_ends_with_its_supervisor(steps: Steps) -> None:
    def kill() -> None:
        deadline = time.monotonic() + 20
        while not (found := supervisors()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in found:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Timer(0.5, kill)
    killer.start()
    status = steps.run(["sleep", "100"])
    killer.join()

    assert status.code == 137
    assert steps.sh("id -u").split() == ["0"]


def supervisors() -> list[int]:
    """Return the grandchildren of this process that have the outer /proc to work in."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):
            at_work = os.path.samefile(f"/proc/{pid}/cwd", "/proc")
            if at_work and parent_of(parent_of(pid)) == os.getpid():
                found.append(pid)
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

"""Steps that have one id and believe in many: test_one_id.py runs this where there is one."""

import contextlib
import os
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.executor.unshare import UnshareLauncher
from img.adapters.storage.file_entries import entry_of, xattr_names
from img.adapters.storage.ownership import RecordedOwnership
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import ProcessNotStarted
from img.domain.filesystem.entry import Entry
from img.domain.process import FileMount, TmpfsMount
from tests.support.steps.step_drivers import wait_for
from tests.support.steps.step_roots import (
    GROUP,
    PASSWD,
    StepRoot,
    Steps,
    in_env,
    lasting,
    step_root,
)
from tests.support.steps.system_call import program_that_calls

pytestmark = [pytest.mark.userns, pytest.mark.one_id]


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
    executor = ForkServerExecutor(UnshareLauncher(request.param))
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


_LLISTXATTR = 194


def test_records_of_owners_are_in_no_list_of_attributes(steps: Steps) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the program is for x86-64")
    steps.sh(
        box(
            "mkdir /d; touch /d/f; ln /d/f /d/h; ln -s f /d/l; mkfifo /d/p; mknod /d/c c 1 3\n"
            "chown 1:2 /d /d/f /d/p /d/c; chown -h 5:6 /d/l"
        )
    )
    program = steps.root.whole[-1] / "bin/lists"
    for name in ("", "/f", "/h", "/l", "/p", "/c"):
        # Its exit code is the size of the list, or the number of an error: 0 is an empty list.
        program.write_bytes(program_that_calls(_LLISTXATTR, (-1, 0, 0), text=f"/d{name}".encode()))
        program.chmod(0o755)
        assert steps.run(["/bin/lists"]).code == 0, name


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


def test_children_and_orphans_are_who_their_parents_were(steps: Steps) -> None:
    seen = steps.sh(
        "busybox su app -c '(busybox sleep 0.2; id -u) & exit 0'; id -u;busybox sleep 0.5; id -u"
    )

    assert seen.split() == ["0", "1000", "0"]


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


def test_paths_through_proc_are_the_callers_own(steps: Steps) -> None:
    seen = steps.sh(
        box(
            "touch /f; exec 3</f; chown 5:6 /proc/self/fd/3; chown 7:8 /dev/stdout\n"
            "stat -c %u:%g /f; cat /proc/self/status | busybox grep -c Name"
        )
    )

    assert seen.split() == ["5:6", "1"]


def test_secrets_belong_to_whom_they_were_given(steps: Steps) -> None:
    secret = FileMount(target="/secret", content=b"x", uid=1000, gid=1001)

    seen = steps.sh("busybox stat -c %u:%g /secret; cat /secret", in_env(mounts=(secret,)))

    assert seen == "1000:1001\nx"


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


@pytest.mark.parametrize("steps", [Emulation.IDS], indirect=True)
def test_ids_alone_keep_owners_that_are_given(steps: Steps) -> None:
    seen = steps.sh(box("touch /f; chown 3:4 /f; stat -c %u:%g /f; id -u"))

    assert seen.split() == ["0:0", "0"]
    assert entry_in(steps.root, "f")[3:5] == (3, 4)


@pytest.mark.parametrize("steps", [Emulation.FAKE], indirect=True)
def test_fakes_fail_nothing_and_keep_nothing(steps: Steps) -> None:
    steps.sh(box("touch /f; chown 3:4 /f; busybox su app -c true; mknod /c c 1 3"))

    assert entry_in(steps.root, "f")[3:5] == (0, 0)


@pytest.mark.parametrize("steps", [Emulation.OFF], indirect=True)
def test_without_emulation_there_is_root_alone(steps: Steps) -> None:
    assert steps.sh("id -u").split() == ["0"]
    assert not steps.run(["/bin/sh", "-c", "busybox chown 3:4 /bin"]).success
    with pytest.raises(ProcessNotStarted, match="there is one id"):
        steps.run(["true"], process=APP)


def test_a_mount_point_made_for_a_step_is_removed_unless_the_step_gave_it_away(
    steps: Steps,
) -> None:
    mounts = (TmpfsMount(target="/a/b"), TmpfsMount(target="/c/d"))

    steps.sh("busybox chown 5:6 /a", in_env(mounts=mounts))

    left = {path.name for path in steps.root.changed.iterdir()}
    assert "a" in left
    assert "c" not in left


def test_a_step_ends_with_its_supervisor(steps: Steps) -> None:
    command = lasting()

    def kill() -> None:
        wait_for(command)
        for pid in supervisors():
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    status = steps.run(command.split())
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

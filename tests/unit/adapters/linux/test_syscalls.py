import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from img.adapters.linux import syscalls


@pytest.mark.parametrize(
    ("machine", "pivot_root", "rt_sigaction", "keyctl"),
    [("x86_64", 155, 13, 250), ("aarch64", 41, 134, 219), ("riscv64", 41, 134, 219)],
)
def test_old_calls_have_numbers_of_their_own_everywhere(
    machine: str, pivot_root: int, rt_sigaction: int, keyctl: int
) -> None:
    numbers = syscalls.NUMBERS[machine]

    assert (numbers["pivot_root"], numbers["rt_sigaction"], numbers["keyctl"]) == (
        pivot_root,
        rt_sigaction,
        keyctl,
    )


@pytest.mark.parametrize("machine", list(syscalls.NUMBERS))
def test_new_calls_have_the_same_numbers_everywhere(machine: str) -> None:
    numbers = syscalls.NUMBERS[machine]

    assert {name: number for name, number in numbers.items() if number >= 424} == {
        "open_tree": 428,
        "move_mount": 429,
        "clone3": 435,
        "close_range": 436,
        "openat2": 437,
        "pidfd_getfd": 438,
        "mount_setattr": 442,
        "landlock_create_ruleset": 444,
        "landlock_add_rule": 445,
        "landlock_restrict_self": 446,
    }


def test_a_failure_is_an_os_error_with_what_it_was_about() -> None:
    with pytest.raises(OSError) as caught:
        syscalls.umount2("/no/such/place")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM)
    assert caught.value.filename == "/no/such/place"


def test_openat2_clamps_links_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "inside").write_text("in")
    (tmp_path / "link").symlink_to("/../../inside")
    root = os.open(tmp_path, os.O_PATH)

    found = syscalls.openat2(root, "link", os.O_RDONLY)

    with open(found, encoding="utf-8") as file:
        assert file.read() == "in"
    assert not os.get_inheritable(root)
    os.close(root)


def test_openat2_can_refuse_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("inside")
    root = os.open(tmp_path, os.O_PATH)

    with pytest.raises(OSError) as caught:
        syscalls.openat2(root, "link", os.O_RDONLY, resolve=syscalls.RESOLVE_NO_SYMLINKS)

    assert caught.value.errno == errno.ELOOP
    os.close(root)


def test_close_descriptors_leaves_one_and_the_standard_ones() -> None:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        kept = os.dup(theirs)
        os.open("/", os.O_RDONLY)
        syscalls.close_descriptors(but=kept)
        os.write(kept, " ".join([str(kept), *os.listdir("/proc/self/fd")]).encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    kept, *listing = map(int, os.read(ours, 1000).split())
    listed = set(listing)
    os.close(ours)

    assert listed - {0, 1, 2, kept} <= {3, 4}  # the listing's own
    assert kept in listed


def test_a_fork_is_a_child_that_can_fork_as_well() -> None:
    pid = syscalls.fork()
    if pid == 0:
        grandchild = syscalls.fork()
        if grandchild == 0:
            os._exit(7)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_fork_into_no_namespace_is_a_fork_with_a_pidfd() -> None:
    pid, pidfd = syscalls.fork_into(0)
    if pid == 0:
        signal.pause()
        os._exit(1)

    assert not os.get_inheritable(pidfd)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(pidfd)

    assert status == -signal.SIGKILL


def test_signals_that_posix_spawn_leaves_ignored_are_taken_as_usual() -> None:
    script = """
from pathlib import Path
from img.adapters.linux import syscalls

def ignored():
    status = Path("/proc/self/status").read_text()
    return int(status.split("SigIgn:")[1].split()[0], 16) >> 31 & 3

print(ignored(), flush=True)
syscalls.default_signals((32, 33))
print(ignored())
"""
    ours, theirs = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", script],
        dict(os.environ),
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)],
    )
    os.close(theirs)
    with open(ours) as file:
        before, after = file.read().split()
    assert os.waitpid(pid, 0)[1] == 0

    assert before in ("0", "3")  # the C library decides
    assert after == "0"

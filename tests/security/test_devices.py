"""Changes of a step to devices and to its standard input have no effect outside of the step.

The tests have a /dev of their own: where the promise is broken, the machine's stays as it is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.host.machine import REPOSITORY, lacking, need_root, program
from tests.support.steps.own_dev import OWN_DEV

pytestmark = pytest.mark.userns

_DRIVER = """
import json, os, stat, sys, threading
sys.path.insert(0, {repository!r})
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import Steps, step_root
NAMES = ("null", "zero", "full", "random", "urandom", "tty")
def seen():
    found = [os.stat(f"/dev/{{name}}") for name in NAMES]
    return [(f.st_mode, f.st_uid, f.st_gid, f.st_mtime_ns, f.st_ctime_ns) for f in found]
before = seen()
executor = executor_named({executor!r})
said = []
with step_root("directory") as root:
    steps = Steps(executor, root)
    for script in {scripts!r}:
        code = steps.run(["/bin/sh", "-c", script]).code
        said.append((code, steps.stdout, steps.stderr))
executor.close()
print(json.dumps({{"unchanged": seen() == before, "said": said}}))
"""
# The root of a user namespace that the host's root is mapped to may change what belongs to it,
# and may make no devices. Arguments: how many ids, and the command.
_MAPPING_ROOT = """
import os, sys
sys.path.insert(0, os.getcwd())
from img.adapters.linux import syscalls
entered, mapped = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    os.write(entered[1], b"x")
    os.read(mapped[0], 1)
    os.execvp(sys.argv[2], sys.argv[2:])
os.read(entered[0], 1)
for kind in ("uid_map", "gid_map"):
    with open(f"/proc/{pid}/{kind}", "w") as table:
        table.write(f"0 0 {sys.argv[1]}")
os.write(mapped[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
_CHANGES = """
busybox chmod 0606 /dev/null /dev/full
busybox chmod 0 /dev/random
busybox chown 12345:12345 /dev/zero /dev/urandom
busybox touch -d 2001-01-01 /dev/full
busybox chmod 0640 /proc/self/fd/0 /dev/stdin
busybox chown 1:1 /proc/self/fd/0
for name in acpi kcore keys latency_stats timer_list timer_stats sched_debug scsi asound; do
    busybox chmod 0606 /proc/$name; busybox chown 1:1 /proc/$name
done 2>/dev/null
busybox chmod 0606 $(busybox find /sys/firmware /sys/devices/virtual/powercap) 2>/dev/null
busybox chown -R 1000:1000 /dev
busybox chmod -R 0 /dev
busybox rm -f /dev/null
true
"""
_WORKS = """
set -e
echo text >/dev/null
test -z "$(cat /dev/null)"
test "$(busybox head -c 3 /dev/zero | busybox od -An -tx1)" = " 00 00 00"
test "$(busybox head -c 3 /dev/urandom | busybox wc -c)" = 3
test "$(busybox head -c 3 /dev/random | busybox wc -c)" = 3
echo text 2>/dev/null >/dev/full && exit 9
busybox stat -c '%n %a %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
"""
_WHOLE = """\
/dev/null 666 1:3
/dev/zero 666 1:5
/dev/full 666 1:7
/dev/random 666 1:8
/dev/urandom 666 1:9
/dev/tty 666 5:0
"""


def run(
    executor: str, scripts: Sequence[str], inside: Sequence[str] = ()
) -> list[tuple[int, str, str]]:
    """Run steps one after another where /dev is our own; it must stay as it is."""
    need_root()
    driver = _DRIVER.format(repository=str(REPOSITORY), executor=executor, scripts=list(scripts))
    command = [*inside, sys.executable, "-c", driver]
    done = subprocess.run(
        [program("unshare"), "--mount", "sh", "-c", OWN_DEV, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if "Skipped: " in done.stderr:
        lacking(done.stderr.rpartition("Skipped: ")[2].strip())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["unchanged"], found["said"]
    return [tuple(said) for said in found["said"]]


@pytest.mark.parametrize("executor", ["unshare", "crun", "runc", "chroot"])
def test_changes_to_devices_are_the_steps_own(executor: str) -> None:
    _, works = run(executor, [_CHANGES, _WORKS])

    assert works == (0, _WHOLE, ""), works


@pytest.mark.parametrize("executor", ["unshare", "crun", "runc", "chroot"])
def test_an_innocent_chown_of_dev_succeeds(executor: str) -> None:
    (done,) = run(executor, ["busybox chown -R 1000 /dev && busybox chmod 0600 /dev/null"])

    assert done == (0, "", "")


@pytest.mark.parametrize(
    ("executor", "ids"), [("unshare", 1), ("unshare", 65536), ("crun", 65536), ("runc", 65536)]
)
def test_devices_of_the_host_cannot_be_changed_where_its_root_is_mapped(
    executor: str, ids: int
) -> None:
    inside = [sys.executable, "-c", _MAPPING_ROOT, str(ids)]
    _, works = run(executor, [_CHANGES, _WORKS], inside)

    assert works == (0, _WHOLE, ""), works


@pytest.mark.parametrize("executor", ["unshare", "chroot"])
def test_standard_input_is_the_null_device_of_the_step(executor: str) -> None:
    script = "busybox readlink /proc/self/fd/0; test /proc/self/fd/0 -ef /dev/null && echo same"
    (done,) = run(executor, [script])

    assert done == (0, "/dev/null\nsame\n", "")

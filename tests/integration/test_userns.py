"""Entering namespaces as a plain user, and all the executor's promises in there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.host import accounts
from tests.support.host.kinds import KINDS
from tests.support.host.machine import REPOSITORY, Account, program
from tests.support.host.waiting import wait_while

pytestmark = pytest.mark.userns

INSIDE = """
import os, sys
sys.path.insert(0, os.getcwd())
from img.entrypoints.rootless import enter_for_build
host = enter_for_build()
"""


@pytest.fixture(scope="session")
def account() -> Account:
    """Return a plain user with subordinate ids: the one of this run, or the current user."""
    return accounts.user()


@pytest.fixture
def user(account: Account) -> list[str]:
    """Return the words before a command that let the plain user run it."""
    if os.geteuid() != 0:
        return []
    return [
        *(program("setpriv"), f"--reuid={account.uid}", f"--regid={account.gid}"),
        *("--init-groups", "env", f"HOME={account.home}"),
    ]


def command(
    argv: list[str], *, check: bool = True, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv, capture_output=True, text=True, check=check, cwd=REPOSITORY, env=env
    )


def run_as(user: list[str], program: str) -> str:
    """Return the output of a Python program that runs as the user."""
    home = str(Path.home())  # of the current user; the user's command has the user's home
    env = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
    done = command([*user, sys.executable, "-c", program], check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_inside_the_user_is_root_of_its_ranges_and_still_where_it_was(user: list[str]) -> None:
    seen = run_as(
        user,
        "import os; os.chdir('/usr/bin'); os.getcwd = lambda: '/work'\n"
        + INSIDE.replace("os.getcwd()", repr(str(REPOSITORY)))
        + "print(host.id_map.value, os.getuid(), os.getgid(), os.readlink('/proc/self/cwd'))\n"
        "print(open('/proc/self/uid_map').read().split())\n"
        "os.mkdir('/dev/shm/img-owned'); os.chown('/dev/shm/img-owned', 42, 43)\n"
        "print(os.stat('/dev/shm/img-owned').st_uid); os.rmdir('/dev/shm/img-owned')\n",
    )

    first, second, third = seen.splitlines()
    assert first == "subordinate 0 0 /usr/bin"
    assert second.count("'") >= 12
    assert third == "42"


def test_helpers_still_run_as_the_user(user: list[str]) -> None:
    seen = run_as(user, INSIDE + "print(host.run_helper(['id', '-u'], b'').stdout.decode())")

    assert seen.strip() != "0"


def test_the_command_line_loads_nothing_slow_to_enter(user: list[str]) -> None:
    loaded = run_as(user, INSIDE + "print(*sys.modules)").split()

    slow = {"typer", "rich", "structlog", "dependency_injector", "oras", "requests", "subprocess"}
    assert not slow & set(loaded)


def test_a_user_without_ids_has_one_and_is_told_how_to_get_more(user: list[str]) -> None:
    if not user:
        pytest.skip("needs root, to be a user that has none")
    nobody = ["setpriv", "--reuid=64999", "--regid=64999", "--clear-groups"]

    ids, kind, message, hint = run_as(
        nobody,
        INSIDE + "e = host.id_obstacle\n"
        "print(host.id_map.value, open('/proc/self/uid_map').read().split(), os.getuid())\n"
        "print(type(e).__name__, e.message, e.hint, sep='\\n')",
    ).splitlines()

    assert ids == "single ['0', '64999', '1'] 0"
    assert kind == "NoSubordinateIds"
    assert message == "user 64999 has no ids of its own to build with in /etc/subuid"
    assert "usermod --add-subuids " in hint
    assert hint.endswith(" 64999")


def test_a_process_that_may_gain_no_privileges_has_one_id(user: list[str]) -> None:
    seen = run_as(
        user,
        "import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS\n"
        + INSIDE
        + "print(host.id_map.value, host.id_obstacle.hint)\n"
        "print(host.executor(), os.access('/etc/passwd', os.R_OK))",
    )

    assert seen.startswith("single this process may gain no privileges (no_new_privs)")


def test_after_a_refusal_the_process_is_as_before(user: list[str]) -> None:
    if not user:
        pytest.skip("needs root, to forbid something")
    spare = Path("/proc/sys/user/max_user_namespaces").read_text().strip()
    nested = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'

    seen = run_as(
        [*user, *nested, limit, "sh", "setpriv", "--bounding-set=-all", "--inh-caps=-all"],
        INSIDE + "print(type(host.obstacle).__name__, host.obstacle.hint, host.id_map)",
    )

    assert spare == Path("/proc/sys/user/max_user_namespaces").read_text().strip()
    assert seen.startswith("NamespacesRefused an administrator can allow them with: sysctl")
    assert seen.strip().endswith("None")


def test_nothing_is_left_running_after_the_user_is_gone(user: list[str]) -> None:
    marker = "print(host.fork_server._pid, host.run_helper.__self__._pid)"

    pids = run_as(user, INSIDE + marker).split()

    assert not wait_while(
        lambda: [pid for pid in pids if Path(f"/proc/{pid}").exists()], patience_s=5
    )


def test_where_parts_of_proc_are_hidden_the_outer_one_is_shown(user: list[str]) -> None:
    if not user:
        pytest.skip("needs root, to hide something")
    # Another proc that is mounted anywhere, and whole, would do as well.
    others = 'while read -r _ at kind _; do [ "$kind:$at" = proc:/proc ] || '
    others += '[ "$kind" != proc ] || umount --lazy "$at"; done </proc/mounts'
    alone = f'{others}; mount --bind /dev/null /proc/uptime; exec "$@"'
    hide = ["unshare", "-m", "sh", "-c", alone, "sh"]

    seen = run_as(
        [*hide, *user],
        INSIDE + "import threading\n"
        "from tests.support.steps.step_roots import Steps, step_root\n"
        "with step_root('directory') as root:\n"
        "    steps = Steps(host.executor(), root)\n"
        "    print(steps.sh('cat /proc/self/status | busybox head -1; echo $$; mount'))",
    ).splitlines()

    assert seen[:2] == ["Name:\tcat", "1"]
    assert any(line.split()[2] == "/proc/uptime" for line in seen[2:] if line)
    assert any(line.startswith("proc on /proc/sys type proc (ro,") for line in seen)


@pytest.mark.parametrize("filters", [[], ["pivot_root"]])
def test_no_step_mounts_a_proc_without_hidden_parts(user: list[str], filters: list[str]) -> None:
    if not user:
        pytest.skip("needs root, to forbid something")
    without = [sys.executable, "-m", "tests.support.host.poor_files"]

    seen = run_as(
        [word for each in filters for word in (*without, each)] + user,
        INSIDE + "from tests.support.steps.step_roots import Steps, in_env, step_root\n"
        "with step_root('directory') as root:\n"
        "    steps = Steps(host.executor(), root)\n"
        "    print(steps.sh('ls -d /.. /proc/1/root/bin; umount -l / || echo covered;'\n"
        "        'mkdir /p; busybox unshare -Urmpf busybox mount -t proc proc /p 2>&1 || true',\n"
        "        in_env(userns=True)))",
    )

    assert seen.split()[:3] == ["/..", "/proc/1/root/bin", "covered"]
    assert "permission denied" in seen


def test_the_executors_promises_hold_for_a_plain_user(user: list[str]) -> None:
    """Run with one of the two runtimes, which use the same code; with both by IMG_TESTS_ALL."""
    left_out = "not scripted" if "IMG_TESTS_ALL" in os.environ else "not scripted and not runc"
    seen = run_as(
        user,
        INSIDE + "import pytest, tempfile\n"
        "files = tempfile.TemporaryDirectory(dir='/dev/shm')\n"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--timeout=300',\n"
        f"    '--basetemp', files.name + '/of-pytest', '-k', {left_out!r},\n"
        f"    *{KINDS['user_namespace'].files}]))",
    )

    assert " passed" in seen
    print(seen)  # noqa: T201 (for pytest -s)

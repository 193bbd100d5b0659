"""No step gets hold of the program that runs img, or of a runtime: the host's files.

Python loads the image's dynamic loader, so that an image has its own code run in any program of
the host that is executed in its root. The loader here holds on to /proc/self/exe and changes it.
"""

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.machine import REPOSITORY, has_subordinate_ids, need_root, program
from tests.support.steps import elf_files

pytestmark = pytest.mark.userns

_USER = f"img-interp-{os.getpid()}"  # workers of pytest run side by side
_NOBODY = 64997  # has no name, so no ids
_LONGEST = 7  # the kernel reads five interpreters of a script, one after another
_DRIVER = """
import json, os, sys, threading, time
from pathlib import Path
from img.entrypoints.rootless import enter_for_build
host = enter_for_build({executor!r})
executor = host.executor()
from img.domain.errors import ImgError
from img.domain.process import BindMount
from tests.support.steps.step_roots import Steps, in_env, step_root
said = []
def attempt(*argv, **more):
    try:
        code = steps.run(argv, process=in_env(**more)).code
    except ImgError as error:
        code = error.message
    said.append((argv, code, steps.stdout, steps.stderr))
with step_root("directory") as root:
    steps = Steps(executor, root)
    for name, content in json.loads(Path({files!r}).read_text()).items():
        path = root.changed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(content))
        path.chmod(0o755)
    for name in ("self", "1", "thread-self", "self/task/1"):
        root.link(f"to-{{name.replace('/', '-')}}", f"/proc/{{name}}/exe")
{attempts}
executor.close()
print(json.dumps(said))
"""
_EVIL = """#!/bin/sh
echo EVIL: $(busybox readlink /proc/self/fd/3)
busybox chmod 4777 /proc/self/fd/3
busybox chown 12345 /proc/self/fd/3
echo x >>/proc/self/fd/3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """An environment of img with copies of the programs that could be changed."""

    directory: Path
    words: tuple[str, ...]  # before a command: they choose the user

    def run(self, executor: str, files: dict[str, bytes], attempts: str) -> list[Any]:
        """Return the output of steps; the copies must not change."""
        listed = self.directory / "files.json"
        listed.write_text(json.dumps({name: content.hex() for name, content in files.items()}))
        indented = "".join(f"    {line}\n" for line in attempts.splitlines())
        driver = _DRIVER.format(executor=executor, files=str(listed), attempts=indented)
        before = self._seen()
        done = subprocess.run(
            [*self.words, str(self.directory / "python"), "-c", driver],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            env={
                "PATH": f"{self.directory}:{os.environ['PATH']}",
                "HOME": str(self.directory),
                "PYTHONHOME": sys.base_prefix,
                "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)]),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said: list[Any] = json.loads(done.stdout.splitlines()[-1])
        assert self._seen() == before, said
        return said

    def _seen(self) -> list[tuple[object, ...]]:
        seen: list[tuple[object, ...]] = []
        for name in ("python", "crun", "runc"):
            path = self.directory / name
            status = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            seen.append((name, status.st_mode, status.st_uid, status.st_ctime_ns, digest))
        return seen


def _change_users(name: str, *arguments: str) -> None:
    """Run a program that locks /etc/passwd, which tests beside this one may have locked."""
    with open("/run/lock/img-test-users", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([program(name), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def user() -> Iterator[pwd.struct_passwd]:
    need_root()
    _change_users("useradd", "--no-create-home", _USER)
    if not has_subordinate_ids(_USER):
        ids = ("--add-subuids", "800000-865535", "--add-subgids", "800000-865535")
        _change_users("usermod", *ids, _USER)
    yield pwd.getpwnam(_USER)
    _change_users("userdel", _USER)


@pytest.fixture(params=["root", "subordinate ids", "one id"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    yield from _host(request.param, request)


@pytest.fixture
def roots_host(request: pytest.FixtureRequest) -> Iterator[Host]:
    yield from _host("root", request)


def _host(who: str, request: pytest.FixtureRequest) -> Iterator[Host]:
    need_root()
    uid = gid = 0
    if who == "subordinate ids":
        entry = request.getfixturevalue("user")
        uid, gid = entry.pw_uid, entry.pw_gid
    elif who == "one id":
        uid = gid = _NOBODY
    directory = Path(tempfile.mkdtemp(prefix="img-interp-", dir="/var/tmp"))
    shutil.copy(os.path.realpath(sys.executable), directory / "python")
    for runtime in ("crun", "runc"):
        shutil.copy(program(runtime), directory / runtime)
    for path in (directory, *directory.iterdir()):
        os.chown(path, uid, gid)
    groups = "--init-groups" if who == "subordinate ids" else "--clear-groups"
    words = ("setpriv", f"--reuid={uid}", f"--regid={gid}", groups) if uid else ()
    yield Host(directory=directory, words=words)
    shutil.rmtree(directory)


def _evil_files() -> dict[str, bytes]:
    """Return an image's files: scripts and programs that lead to a program of the host."""
    loaders = {elf_files.interpreter_of(os.path.realpath(sys.executable))}
    loaders |= {elf_files.interpreter_of(program(runtime)) for runtime in ("crun", "runc")}
    evil = elf_files.opening("/proc/self/exe", "/bin/sh", "/evil")
    files = {loader.lstrip("/"): evil for loader in loaders if loader}
    files["evil"] = _EVIL.encode()
    for number in range(1, _LONGEST + 1):
        files[f"chain{number}"] = f"#!/chain{number - 1} x\n".encode()
    files["chain1"] = b"#!/proc/self/exe\n"
    for name in ("self", "1", "thread-self", "self-task-1"):
        files[f"script-{name}"] = f"#!/to-{name}\n".encode()
        files[f"elf-{name}"] = elf_files.with_interpreter(f"/to-{name}")
    files["script-elf"] = b"#!/elf-self\n"
    return files


_ALL = """
names = [name for name in os.listdir(root.changed)
    if name.startswith(("chain", "script-", "elf-", "to-"))]
for name in sorted(names):
    attempt(f"/{name}")
attempt("/proc/self/exe")
attempt("/proc/self/fd/../exe")
attempt("sh", "-c", "for f in /proc/self/map_files/*; do busybox chmod 4777 $f; done; exec /chain1")
"""


def test_no_chain_of_interpreters_leads_to_our_python(host: Host) -> None:
    files = _evil_files()
    said = host.run("unshare", files, _ALL)

    attempts = len([name for name in files if name.startswith(("chain", "script-", "elf-"))]) + 7
    assert len(said) == attempts
    assert not [each for each in said if each[1] == 0 or "EVIL" in each[2]], said


@pytest.mark.parametrize("executor", ["chroot", "crun", "runc"])
def test_no_chain_of_interpreters_changes_a_program_of_the_host(
    roots_host: Host, executor: str
) -> None:
    assert roots_host.run(executor, _evil_files(), _ALL)


_SWAPPED = """
shared = root.changed.parent / "shared"
shared.mkdir()
(shared / "good").symlink_to("/bin/busybox")
(shared / "evil").symlink_to("/proc/self/exe")
(shared / "program").symlink_to("/bin/busybox")
over = threading.Event()
def swap():
    while not over.is_set():
        for name in ("evil", "good"):
            new = shared / "new"
            new.symlink_to(os.readlink(shared / name))
            new.rename(shared / "program")
swapping = threading.Thread(target=swap)
swapping.start()
mounts = (BindMount(source=str(shared), target="/shared", read_only=False),)
until = time.monotonic() + 1.5
while time.monotonic() < until:
    attempt("/script-shared", mounts=mounts)
over.set()
swapping.join()
"""


def test_nothing_that_is_swapped_while_a_step_starts_leads_to_our_python(host: Host) -> None:
    said = host.run("unshare", {**_evil_files(), "script-shared": b"#!/shared/program\n"}, _SWAPPED)

    assert len(said) > 3
    assert not [each for each in said if "EVIL" in each[2]]


_NEIGHBOUR = """
looks = '''
end=$(( $(busybox date +%s) + 2 ))
while [ $(busybox date +%s) -le $end ]; do
    for process in /proc/[0-9]*; do busybox readlink $process/exe; done
done 2>/dev/null | busybox sort -u
'''
over = threading.Event()
def start_steps():
    while not over.is_set():
        with step_root("directory") as other:
            Steps(executor, other).run(["/bin/true"])
threads = [threading.Thread(target=start_steps) for _ in range(2)]
for thread in threads:
    thread.start()
attempt("/bin/sh", "-c", looks)
over.set()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("host", ["subordinate ids", "one id"], indirect=True)
def test_a_step_that_sees_its_neighbours_cannot_reach_their_python(host: Host) -> None:
    """Run steps with the outer /proc, as if parts of /proc are hidden (system_mounts.py)."""
    hidden = 'while read -r _ at kind _; do [ "$kind:$at" = proc:/proc ] || '
    hidden += '[ "$kind" != proc ] || umount --lazy "$at"; done </proc/mounts; '
    hidden += 'mount --bind /dev/null /proc/uptime; exec "$@"'
    inside = ("unshare", "--mount", "sh", "-c", hidden, "sh", *host.words)
    nested = Host(directory=host.directory, words=inside)

    ((_, code, stdout, stderr),) = nested.run("unshare", {}, _NEIGHBOUR)

    assert code == 0, stderr
    assert "busybox" in stdout  # the program of steps
    assert "python" not in stdout


@pytest.mark.parametrize("executor", ["unshare", "chroot", "crun", "runc"])
def test_a_fifo_is_no_program(roots_host: Host, executor: str) -> None:
    attempts = """
os.mkfifo(root.changed / "fifo", 0o755)
os.chmod(root.changed / "fifo", 0o755)
root.write("script-fifo", "#!/fifo\\n", 0o755)
attempt("/fifo")
attempt("fifo", env={"PATH": "/"})
attempt("/script-fifo")
"""
    said = roots_host.run(executor, {}, attempts)

    named, searched, script = (code for _, code, _, _ in said)
    assert named == 'exec: "/fifo": is not a regular file'
    assert searched == 'exec: "fifo": executable file not found in $PATH'
    assert script != 0

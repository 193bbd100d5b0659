"""The programs, privileges, processes and mounts of the machine that runs the tests."""

import os
import pwd
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from img.adapters.storage.ownership import REAL, Ownership, RecordedOwnership

REPOSITORY = Path(__file__).resolve().parents[3]
CONFORMANCE = Path(os.environ.get("IMG_CONFORMANCE", REPOSITORY.parent / "shared" / "conformance"))
"""Cases and tables of other projects' facts; a checkout alone has none."""
SERVERS = Path(os.environ.get("IMG_TESTS_SERVERS", REPOSITORY / ".servers"))
"""The servers and clients that ``tests/servers.sh`` installs."""
_PROGRAMS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin"))
_UNFIT = os.ST_NOEXEC | os.ST_NODEV | os.ST_NOSUID
_ROOM = 4 << 30  # bytes that a run of all tests takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user account that runs programs."""

    name: str
    uid: int
    gid: int
    home: Path

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words before a command that this account runs.

        For a ``user`` of subprocess Python forks, which takes a worker 8 ms; it calls vfork(2) for
        others.
        """
        if self.uid == os.geteuid():
            return ()
        ids = (f"--reuid={self.uid}", f"--regid={self.gid}")
        return (program("setpriv"), *ids, "--clear-groups")


def lacking(what: str) -> NoReturn:
    """Skip the test; where CI=true promises a whole machine, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have it: {what}", pytrace=False)
    pytest.skip(what)


def program(name: str) -> str:
    """Return the path of a program, or end the test."""
    return shutil.which(name, path=_PROGRAMS) or lacking(f"{name} is not installed")


def installed_server(name: str) -> str:
    """Return the path of a program of ``tests/servers.sh``, or end the test."""
    places = (SERVERS / "bin", SERVERS / "node_modules" / ".bin")
    path = os.pathsep.join((*map(str, places), _PROGRAMS))
    return shutil.which(name, path=path) or lacking(f"needs {name} (sh tests/servers.sh)")


def ownership() -> Ownership:
    """Return real ownership of files for root, and recorded ownership for other users."""
    return REAL if os.geteuid() == 0 else RecordedOwnership()


def need_root() -> None:
    """End the test unless it is run by root."""
    if os.geteuid() != 0:
        lacking("needs root")


def conformance(*path: str) -> Path:
    """Return a file of the conformance material; where there is none of it, skip the test."""
    if not CONFORMANCE.is_dir():
        pytest.skip(f"there is no conformance material at {CONFORMANCE} ($IMG_CONFORMANCE)")
    found = CONFORMANCE.joinpath(*path)
    return found if found.exists() else lacking(f"{found} does not exist")


def in_memory() -> Path:
    """Return a directory on tmpfs, or the one for temporary files where there is none that fits."""
    shm = Path("/dev/shm")
    if shm.is_dir() and os.access(shm, os.W_OK | os.X_OK):
        facts = os.statvfs(shm)
        if not facts.f_flag & _UNFIT and facts.f_bavail * facts.f_frsize >= _ROOM:
            return shm
    return Path(tempfile.gettempdir())


def new_directory(prefix: str, place: Path) -> Path:
    """Make a directory of a new name in ``place``, open to all users; return its path.

    buildah takes the path for the name of an image, so it has none of the underscores of tempfile.
    """
    made = place / f"{prefix}-{uuid4().hex[:8]}"
    made.mkdir(mode=0o700)
    made.chmod(0o755)
    return made


def this_account() -> Account:
    """Return the account that runs the tests."""
    entry = pwd.getpwuid(os.geteuid())
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, home=Path(entry.pw_dir))


def has_subordinate_ids(name: str) -> bool:
    """Tell whether /etc/subuid and /etc/subgid grant ``name`` a range."""
    return all(
        any(line.split(":")[0] == name for line in Path(file).read_text().splitlines())
        for file in ("/etc/subuid", "/etc/subgid")
        if Path(file).exists()
    ) and all(Path(file).exists() for file in ("/etc/subuid", "/etc/subgid"))


def processes_naming(text: str) -> list[str]:
    """Return the processes that have ``text`` in their command line or their environment."""
    return [f"{process.name}: {_command_line(process)}" for process in _naming(text)]


def kill_processes_naming(text: str) -> None:
    """Kill them; ``text`` is something that only processes of one test name."""
    for process in _naming(text):
        with suppress(ProcessLookupError):
            os.kill(int(process.name), signal.SIGKILL)


def mounts_naming(text: str) -> list[str]:
    """Return the mounts, of all mount namespaces, that name ``text``."""
    return sorted(
        {
            line
            for process in _processes()
            for line in _read(process / "mountinfo").decode("utf-8", "replace").splitlines()
            if text in line
        }
    )


def _naming(text: str) -> list[Path]:
    return [
        process
        for process in _processes()
        if any(text.encode() in _read(process / file) for file in ("cmdline", "environ"))
        and process.name != str(os.getpid())
    ]


def _command_line(process: Path) -> str:
    return _read(process / "cmdline").replace(b"\0", b" ").decode("utf-8", "replace")


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended, or another user runs it
        return b""

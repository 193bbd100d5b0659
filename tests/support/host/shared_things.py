"""A directory for the workers of a run, with the things that are slow to make.

The process that starts the workers names the directory and removes it in the end.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from tests.support.host.machine import Account, in_memory, lacking

_VARIABLE = "IMG_TESTS_SHARED"
ACCOUNT = "account"  # what the directory that remembers the account is called


def name_directory() -> None:
    """Choose the directory; the workers inherit the choice."""
    os.environ[_VARIABLE] = str(in_memory() / f"img-tests-{uuid4().hex[:8]}")
    if os.geteuid() != 0:
        # Without a login session skopeo looks into /run/containers, which is root's where root
        # has used podman, and gives up.
        os.environ.setdefault("XDG_RUNTIME_DIR", os.environ[_VARIABLE])


def directory() -> Path:
    """Return the directory of this run, which all users may enter."""
    place = Path(os.environ[_VARIABLE])
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.chmod(0o755)
    return place


def once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the directory ``name``, which ``make`` fills in the first call.

    What could not be made is not tried again: the test ends with the reason.
    """
    place = directory() / name
    failed, done = directory() / f"{name}.failed", directory() / f"{name}.done"
    with (directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if failed.exists():
            lacking(failed.read_text())
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)  # of a maker that was killed
            place.mkdir(mode=0o755)
            try:
                make(place)
            except subprocess.CalledProcessError as error:
                output = (error.stderr or b"") + (error.stdout or b"")
                command = " ".join(map(str, error.cmd))
                failed.write_text(f"{command} failed: {output.decode(errors='replace')[-800:]}")
                lacking(failed.read_text())
            done.touch()
    return place


def run(*command: str | Path, cwd: Path | None = None) -> bytes:
    """Return the standard output of a program. Raises CalledProcessError."""
    done = subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.stdout


def remember_account(place: Path, account: Account) -> None:
    """Have the account removed with the directory."""
    (place / "account.json").write_text(json.dumps(asdict(account), default=str))


def recall_account(place: Path) -> Account:
    """Return the account that was made."""
    facts = json.loads((place / "account.json").read_text())
    return Account(**{**facts, "home": Path(facts["home"])})


def remove_all() -> None:
    """Remove the directory, and the account that was made for the tests."""
    place = Path(os.environ[_VARIABLE])
    if (place / ACCOUNT / "account.json").exists():
        account = recall_account(place / ACCOUNT)
        if os.geteuid() == 0 and account.uid != 0:
            subprocess.run(["userdel", "--force", account.name], capture_output=True, check=False)
    shutil.rmtree(place, ignore_errors=True)

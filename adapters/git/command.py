"""Runs of the program git for one repository."""

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from img.application.ports.executor import Cancellation
from img.application.ports.git import GitAccess, GitCanceled, GitError, GitUnavailable
from img.domain.url import redact_credentials

if TYPE_CHECKING:
    import subprocess

_POLL_S = 0.1  # seconds until a cancellation is noticed
_GRACE_S = 2.0  # for git to remove its own files
# Settings of the user about the way to a server, and no others.
_PASSED_ON = re.compile(r"(?i)(https?|all|no)_proxy|PATH|GIT_SSL_CAINFO|SSL_CERT_(FILE|DIR)")
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    "init.defaultBranch=master",
    "gc.auto=0",
    "advice.detachedHead=false",
)
_PROTOCOLS = "http:https:git:ssh"
_DEPTH = "--depth=1"


class GitFailed(GitError):
    """A run of git that ended with a status other than 0."""


class Command:
    """Runs git without the configuration of the user and the system.

    ``home`` is a private directory; secrets are only in the environment, which other users cannot
    read.
    """

    def __init__(
        self,
        *,
        home: Path,
        remote: str,
        access: GitAccess,
        cancelled: Cancellation,
        environment: Mapping[str, str],
    ) -> None:
        self._remote = remote
        self._access = access
        self._cancelled = cancelled
        self._home = home
        self._environment = {
            **{name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)},
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
            "GIT_SSH_COMMAND": _ssh(home, environment.get("HOME", "")),
            **_authorized(remote, access),
        }

    def __call__(self, *arguments: str, directory: Path | None = None) -> str:
        """Return the output of git. Raises GitFailed, GitCanceled, GitUnavailable."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        process = self._started(["git", *settings, *arguments], directory or self._home)
        try:
            output, errors = self._awaited(process)
        except BaseException:
            _end(process)
            raise
        if process.returncode != 0:
            raise self._failure(errors.decode(errors="replace"))
        return output.decode(errors="surrogateescape")

    def shallow(self, command: str, *arguments: str, directory: Path) -> str:
        """Run ``command`` without history, or with all of it if the server requires that."""
        at = arguments.index("update") + 1 if "update" in arguments else 0
        try:
            words = (*arguments[:at], _DEPTH, *arguments[at:])
            return self(command, *words, directory=directory)
        except GitFailed as error:
            if not re.search("depth|shallow", error.message):
                raise
        return self(command, *arguments, directory=directory)

    def _started(self, argv: list[str], directory: Path) -> "subprocess.Popen[bytes]":
        import subprocess

        try:
            return subprocess.Popen(
                argv,
                cwd=directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C is handled here; git and its children are ended as a group
                start_new_session=True,
                umask=0o022,  # modes are 0644 and 0755
            )
        except FileNotFoundError as error:
            if error.filename in (directory, str(directory)):  # not the name of the program
                problem = f"the directory for {redact_credentials(self._remote)}"
                raise GitError(f"{problem}, {directory}, is not there any more") from None
            raise GitUnavailable(
                f"git is needed for {redact_credentials(self._remote)}, but is not installed",
                hint="install git, or give a directory or an archive",
            ) from None

    def _awaited(self, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
        import subprocess

        while True:
            try:
                return process.communicate(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                if self._cancelled.is_set():
                    raise GitCanceled from None

    def _failure(self, errors: str) -> GitFailed:
        shown = redact_credentials(self._remote)
        text = errors.replace(self._remote, shown)
        if self._access.authorization:
            text = text.replace(self._access.authorization, "****")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = [line for line in lines if re.match("fatal:|error:|remote:", line)] or lines[-1:]
        return GitFailed(f"failed to fetch remote {shown}: {'; '.join(told)}", hint=_hint(text))


def _ssh(home: Path, user_home: str) -> str:
    # The user's known hosts count; new hosts are accepted, as in BuildKit.
    known = f"{home}/known_hosts {user_home}/.ssh/known_hosts"
    return (
        f"ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
        f"-o 'UserKnownHostsFile={known}'"
    )


def _authorized(remote: str, access: GitAccess) -> dict[str, str]:
    """Return the variables with git's credentials (git-config(1), "GIT_CONFIG_COUNT")."""
    variables = {"SSH_AUTH_SOCK": access.agent} if access.agent else {}
    if access.authorization:
        variables |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{_scope(remote)}.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {access.authorization}",
        }
    return variables


def _scope(remote: str) -> str:
    # Submodules on GitHub mostly belong to the same owner (BuildKit source/git, tokenScope).
    for hub in ("https://github.com/", "https://www.github.com/"):
        if remote.startswith(hub):
            return hub
    return remote


def _hint(errors: str) -> str | None:
    if re.search("(?i)permission denied|host key", errors):
        return "for repositories over ssh give an agent with --ssh default"
    if re.search("(?i)authentication failed|could not read username|403|401", errors):
        return "if it is private give --secret id=GIT_AUTH_TOKEN"
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    import subprocess

    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.communicate(timeout=_GRACE_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
        else:
            break

"""A separate ssh-agent, for keys in files."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType

from img.adapters.linux.regular_files import read_regular
from img.domain.errors import HostError, UsageError

_START_S = 10.0
_LARGEST_KEY = 100 << 10  # bytes; BuildKit's limit (session/sshforward/sshprovider)


class KeyAgent:
    """Runs ssh-agent while entered, with the given keys only."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys

    def __enter__(self) -> str:
        """Return the agent's socket. Raises HostError without ssh-agent, UsageError."""
        self._directory = tempfile.TemporaryDirectory(prefix="img-ssh-")
        self._socket = f"{self._directory.name}/agent"
        try:
            self._agent = subprocess.Popen(
                ["ssh-agent", "-D", "-a", self._socket],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            self._directory.cleanup()
            raise HostError(
                "ssh-agent is not installed, and is needed for --ssh with a key",
                hint="install openssh-client, or forward an agent",
            ) from None
        assert self._agent.stdout is not None
        self._agent.stdout.readline()  # it prints its address when it listens
        try:
            for key in self._keys:
                self._add(key)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self._socket

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._agent.send_signal(signal.SIGTERM)
        self._agent.wait()
        if self._agent.stdout is not None:
            self._agent.stdout.close()
        self._directory.cleanup()

    def _add(self, key: str) -> None:
        # Passed on stdin: ssh-add refuses key files that other users may read.
        try:
            content = read_regular(key, _LARGEST_KEY)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"--ssh: cannot read {key}: {reason}") from None
        added = subprocess.run(
            ["ssh-add", "-q", "-"],
            input=content,
            capture_output=True,
            timeout=_START_S,
            env={**os.environ, "SSH_AUTH_SOCK": self._socket, "SSH_ASKPASS": "/bin/false"},
            check=False,
        )
        if added.returncode:
            raise UsageError(
                f"--ssh: {key} is no key that can be used",
                hint="keys with a passphrase need an agent",
            )

"""Runs the installed ``img`` as a user would."""

import fcntl
import subprocess
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.host.machine import Account

Words = tuple[Path | str, ...]
Quick = Callable[[Account, Words], Words]  # to the words of a command that does the same sooner
ImgFor = Callable[..., "Img"]  # "root" or "user", and a name for the state
WriteContext = Callable[..., Path]  # a Dockerfile's text, the files by name, a directory's name

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TIMEOUT_S = 240.0
# The interpreter, and packages that img imports when it needs them, heed these when they start.
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "OTEL_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a run of img."""

    code: int
    output: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Return the standard output as text."""
        return self.output.decode("utf-8", "replace")

    @property
    def error_line(self) -> str:
        """Return the one line that says what went wrong."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, f"not one error line: {self.stderr}"
        assert self.stderr.splitlines()[-1] == lines[0], f"the error is not last: {self.stderr}"
        return lines[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Img:
    """``img`` with a state of its own, run by ``account``.

    ``start`` executes the program; a call, which only waits for its end, may take a ``quick`` way.
    """

    command: Words  # the program, and arguments that always come first
    account: Account
    state: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    quick: Quick | None = None

    def __call__(
        self,
        *arguments: str | Path,
        code: int = 0,
        stdin: bytes = b"",
        cwd: Path | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Outcome:
        """Run it to its end, which must be ``code`` and never a traceback."""
        process = replace(self, command=self.words).start(*arguments, cwd=cwd)
        try:
            output, errors = process.communicate(stdin, timeout=timeout_s)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return self.outcome(process, output, errors, code)

    def start(
        self, *arguments: str | Path, cwd: Path | None = None, terminal: int | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start it, the leader of a session and so of a foreground process group of its own.

        ``terminal``, with a descriptor, becomes its controlling terminal and standard streams.
        """
        streams = subprocess.PIPE if terminal is None else terminal
        control = None if terminal is None else lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        return subprocess.Popen(
            [*self.account.words, *self.command, *arguments],
            stdin=streams,
            stdout=streams,
            stderr=streams,
            preexec_fn=control,  # noqa: PLW1509 (only the tests of terminals use it)
            env={
                "PATH": _PATH,
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "IMG_STATE": str(self.state),
                **self.environment,
            },
            cwd=cwd or self.home,
            start_new_session=True,
        )

    @property
    def words(self) -> Words:
        """Return the first words of a command that only has to come to its end."""
        if self.quick is None or any(name.startswith(_AT_START) for name in self.environment):
            return self.command
        return self.quick(self.account, self.command)

    @staticmethod
    def outcome(
        process: "subprocess.Popen[bytes]", output: bytes, errors: bytes, code: int
    ) -> Outcome:
        """Return the outcome of a process that must end with ``code``."""
        stderr = errors.decode("utf-8", "replace")
        assert "Traceback" not in stderr, stderr[-1500:]
        assert process.returncode == code, f"exit status {process.returncode}: {stderr[-1500:]}"
        return Outcome(code=process.returncode, output=output, stderr=stderr)

    @property
    def python(self) -> Path:
        """Return the interpreter of the environment that img is installed in."""
        return Path(self.command[0]).with_name("python")

    def with_state(self, state: Path) -> "Img":
        """Return the same with another state directory."""
        return replace(self, state=state)

    def with_environment(self, **environment: str) -> "Img":
        """Return the same with more in its environment."""
        return replace(self, environment={**self.environment, **environment})

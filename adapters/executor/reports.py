"""What a step's first process and the fork server tell the command line.

The sender may be in a root file system that an image made: a report is a checked record, and the
text of a failure is put together without a look at any file.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from img.adapters.linux import launcher, records
from img.domain.dataclass import dataclass
from img.domain.errors import HostError, ImgError

MOST = 1 << 16  # bytes of one report
_MOST_TEXT = 4096  # characters of a message: six bytes each where they have to be escaped
_MOST_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Stub:
    """A mount point that had to be made, by its path in the root: clean, no links in it."""

    path: str
    directory: bool
    mtime: int  # nanoseconds
    inode: int

    def __post_init__(self) -> None:
        if "\0" in self.path or not {"", ".", ".."}.isdisjoint(self.path.split("/")):
            raise ValueError(f"no path in a root: {self.path!r}")


@dataclass(frozen=True, slots=True)
class NotStarted:
    """What was asked for cannot be run."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The system does not allow something that every step needs."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """A fault of ours."""

    message: str


@dataclass(frozen=True, slots=True)
class Starting:
    """All is prepared: what comes next is the step's program, or what starts it."""

    path: str = ""  # of the program


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """The program cannot be executed."""

    error: int  # errno


@dataclass(frozen=True, slots=True)
class Ended:
    """The first process is gone, and with it all that it started."""

    code: int


Report = Stub | NotStarted | Refused | Crashed | Starting | NotExecuted | Ended


def send(channel: socket.socket, report: Report) -> None:
    """Send ``report``; a reader that is gone is no error."""
    try:
        channel.send(records.encode(report))
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(channel: socket.socket) -> Report | None:
    """Return the next report, None when there can be no more."""
    try:
        message = channel.recv(MOST)
    except ConnectionResetError:  # told first, and once, by an end that closed with mail unread
        message = channel.recv(MOST)
    if not message:
        return None
    if (error := launcher.error_in(message)) is not None:
        return NotExecuted(error)
    try:
        report: Report = records.decode(message, Report)
    except records.BadRecord:
        return Crashed("its first process sent something that is no report")
    return report


def prepare() -> None:
    """Import and compile what reports take, in a process whose forks send them."""
    for report in (
        Stub("a", directory=False, mtime=0, inode=0),
        NotStarted(""),
        Refused(""),
        Crashed(""),
    ):
        records.decode(records.encode(report), Report)
    records.encode(Starting())


@contextmanager
def failures(channel: socket.socket) -> Iterator[None]:
    """Tell ``channel`` of what is raised inside, which goes no further."""
    try:
        yield
    except HostError as error:
        send(channel, Refused(_cut(error.message), error.hint))
    except ImgError as error:
        send(channel, NotStarted(_cut(error.message)))
    except OSError as error:
        what = f"{os.fsdecode(error.filename)}: " if _is_path(error.filename) else ""
        send(channel, Refused(_cut(f"{what}{error.strerror or error}")))
    except MemoryError:
        send(channel, Refused("there is not enough memory"))
    except (ValueError, OverflowError) as error:
        # A number or text that an image or a Dockerfile gave, and that no system call takes.
        send(channel, NotStarted(_cut(f"the step cannot be prepared: {error}")))
    except BaseException as error:
        send(channel, Crashed(description_of(error)))


def description_of(error: BaseException) -> str:
    """Return what was raised and where, innermost last, from what is in memory alone.

    The traceback module would open our sources, whose paths an image may have put its own at.
    """
    lines = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return _cut("\n".join([*lines[-_MOST_FRAMES:], f"{type(error).__name__}: {error}"]))


def _is_path(filename: object) -> bool:
    return isinstance(filename, str | bytes) and bool(filename)


def _cut(text: str) -> str:
    return text[-_MOST_TEXT:]

"""Reports of a step's first process and of the fork server to the command line process.

The sender may be in the root file system of an image: a report is a checked record, and the text of
a failure is formatted without opening any file.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from img.adapters.linux import launcher, records
from img.domain.dataclass import compile_initializer, dataclass
from img.domain.errors import HostError, ImgError

MOST = 1 << 16  # bytes of one report
_MOST_TEXT = 4096  # characters of a message, six bytes each if they are escaped
_MOST_FRAMES = 12


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A mount point that had to be created, by its normalized path in the root, without links."""

    path: str
    directory: bool
    mtime: int  # nanoseconds
    inode: int

    def __post_init__(self) -> None:
        if "\0" in self.path or not {"", ".", ".."}.isdisjoint(self.path.split("/")):
            raise ValueError(f"no path in a root: {self.path!r}")


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The step's program or its environment cannot be run as requested."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The system refuses something that every step needs."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """An internal error of img."""

    message: str


@dataclass(frozen=True, slots=True)
class TerminalMade:
    """The pseudo-terminal of the step, with its master side as the descriptor of the message."""


@dataclass(frozen=True, slots=True)
class Starting:
    """The preparations are complete: the step's program, or its runtime, starts next."""

    path: str = ""  # of the program


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """The program cannot be executed."""

    error: int  # errno


@dataclass(frozen=True, slots=True)
class Ended:
    """The first process has ended, and so have all its descendants."""

    code: int


Report = MountPoint | NotStarted | Refused | Crashed | TerminalMade | Starting | NotExecuted | Ended


def send(channel: socket.socket, report: Report) -> None:
    """Send ``report``; it is no error if the reader is gone."""
    try:
        channel.send(records.encode(report))
    except (BrokenPipeError, ConnectionResetError):
        return


def send_terminal(channel: socket.socket, master: int) -> None:
    """Send the master side of the step's pseudo-terminal; no error if the reader is gone."""
    try:
        socket.send_fds(channel, [records.encode(TerminalMade())], [master])
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(channel: socket.socket, descriptors: list[int] | None = None) -> Report | None:
    """Return the next report, None after the last one.

    A list of ``descriptors`` gets the one that comes with the report; without a list the kernel
    closes it.
    """
    try:
        message = _next(channel, descriptors)
    # reported first, and once, if the other end closed with unread data
    except ConnectionResetError:
        message = _next(channel, descriptors)
    if not message:
        return None
    if (error := launcher.error_in(message)) is not None:
        return NotExecuted(error)
    try:
        report: Report = records.decode(message, Report)
    except records.BadRecord:
        return Crashed("its first process sent something that is no report")
    return report


def _next(channel: socket.socket, descriptors: list[int] | None) -> bytes:
    if descriptors is None:
        return channel.recv(MOST)
    message, received, _, _ = socket.recv_fds(channel, MOST, 1)
    for descriptor in received:
        os.set_inheritable(descriptor, False)
    descriptors += received
    return message


def prepare() -> None:
    """Import and compile what reports need, for forks of this process that send them."""
    for report in (
        MountPoint("a", directory=False, mtime=0, inode=0),
        NotStarted(""),
        Refused(""),
        Crashed(""),
    ):
        records.decode(records.encode(report), Report)
    for kind in (MountPoint, Starting):
        compile_initializer(kind)
    records.encode(Starting())


@contextmanager
def failures(channel: socket.socket) -> Iterator[None]:
    """Report exceptions inside to ``channel``, and suppress them."""
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
        # A number or text of an image or a Dockerfile that no system call accepts.
        send(channel, NotStarted(_cut(f"the step cannot be prepared: {error}")))
    except BaseException as error:
        send(channel, Crashed(description_of(error)))


def description_of(error: BaseException) -> str:
    """Return the exception and its stack, innermost last, from what is in memory alone.

    The traceback module would open source files, at paths where an image may have its own.
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

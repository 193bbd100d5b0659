"""What a step's first process and the fork server tell the command line."""

import pickle
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from img.domain.dataclass import dataclass
from img.domain.errors import HostError, ImgError

_MOST = 1 << 16  # bytes of one report


@dataclass(frozen=True, slots=True)
class Stub:
    """A mount point that had to be made, by its path in the root: clean, no links in it."""

    path: str
    directory: bool
    mtime: int  # nanoseconds


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

    traceback: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The first process is gone, and with it all that it started."""

    code: int


Report = Stub | NotStarted | Refused | Crashed | Ended


def send(channel: socket.socket, report: Report) -> None:
    """Send ``report``; a reader that is gone is no error."""
    try:
        channel.send(pickle.dumps(report)[:_MOST])
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(channel: socket.socket) -> Report | None:
    """Return the next report, None when there can be no more."""
    try:
        message = channel.recv(_MOST)
    except ConnectionResetError:  # told first, and once, by an end that closed with mail unread
        message = channel.recv(_MOST)
    if not message:
        return None
    report: Report = pickle.loads(message)
    return report


@contextmanager
def failures(channel: socket.socket) -> Iterator[None]:
    """Tell ``channel`` of what is raised inside, which goes no further."""
    try:
        yield
    except HostError as error:
        send(channel, Refused(error.message, error.hint))
    except ImgError as error:
        send(channel, NotStarted(error.message))
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        send(channel, Refused(f"{what}{error.strerror}"))
    except BaseException:
        send(channel, Crashed(traceback.format_exc()))

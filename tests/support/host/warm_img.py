"""Commands that do what img does, in forks of a process that has imported it.

Everything else is as in a process of its own: user, arguments, environment, working directory,
session, standard streams, exit code. A command ends when all processes that it started have ended.
"""

import os
import socket
import subprocess
from pathlib import Path

from tests.support.host import shared_things, warmth
from tests.support.host.img_command import Words
from tests.support.host.machine import Account, new_directory

_CLIENT = Path(__file__).with_name("warm_client.py")
_NO_PRIVILEGES = "--no-new-privs"  # of setpriv(1), which the server needs too
_SERVER = (
    Path(warmth.__file__).read_text()
    + """
import ctypes, json, os, select, signal, socket, sys, traceback
from img.entrypoints import start

PR_SET_CHILD_SUBREAPER = 36

def run(words, cwd, environment, streams):
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["img", *words]
    sys.stdin = open(0, errors="surrogateescape", closefd=False)
    sys.stdout = open(1, "w", errors="surrogateescape", closefd=False)
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)
    start.main()

def serve(client):
    size, streams, _, _ = socket.recv_fds(client, 4, 3)
    with client.makefile("rb") as sent:
        order = json.loads(sent.read(int.from_bytes(size, "big")))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        client.close()
        code = 70
        try:
            run(**order, streams=streams)
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    for stream in streams:
        os.close(stream)
    ends = os.pidfd_open(pid)
    select.select([ends, client], [], [])
    os.close(ends)
    if select.select([client], [], [], 0)[0]:  # the client was killed
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    end_of_descendants()
    client.sendall(bytes([code % 256]))

def end_of_descendants():
    signal.signal(signal.SIGALRM, kill_children)
    signal.alarm(int(sys.argv[2]))
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        signal.alarm(0)

def kill_children(*_):
    with open(f"/proc/self/task/{os.getpid()}/children") as pids:
        for pid in pids.read().split():
            os.kill(int(pid), signal.SIGKILL)
    raise TimeoutError

listener = socket.socket(fileno=os.dup(0))
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve
warm_up()
while True:
    client, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            serve(client)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(70)
    client.close()
"""
)


class WarmImg:
    """The servers of a worker: for each kind of user the one that runs img, begun when needed."""

    def __init__(self, patience_s: int = 30) -> None:
        """``patience_s``: how long what a command has started may take to end after it."""
        self._patience_s = patience_s
        self._place: Path | None = None
        self._running: dict[Words, tuple[subprocess.Popen[bytes], Words]] = {}

    def words(self, account: Account, command: Words) -> Words:
        """Return the words of a command that does what ``command`` does for ``account``.

        That is ``command`` itself, if it is more than the installed program.
        """
        *before, last = command
        if Path(last).name != "img" or (before and before[1:] != [_NO_PRIVILEGES]):
            return command
        # Tests in this process may have moved it to other mounts since.
        key = (os.readlink("/proc/self/ns/mnt"), *account.words, *command)
        if key not in self._running:
            if self._place is None:
                self._place = new_directory("warm", shared_things.directory())
                self._place.chmod(0o755)
            path = self._place / str(len(self._running))
            python = Path(last).with_name("python")
            program = (python, "-c", _SERVER, path, str(self._patience_s))
            server = _server((*account.words, *before, *program), account, path)
            self._running[key] = server, (python, "-I", "-S", _CLIENT, path)
        return self._running[key][1]

    def close(self) -> None:
        """End all servers."""
        for server, _ in self._running.values():
            server.kill()
            server.wait()
        self._running.clear()


def _server(words: Words, account: Account, path: Path) -> "subprocess.Popen[bytes]":
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chown(path, account.uid, account.gid)
        listener.listen()
        return subprocess.Popen(
            words,
            stdin=listener.fileno(),
            cwd="/",
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )

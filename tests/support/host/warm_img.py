"""A command that does what img does, in a fork of a process that has imported it.

Everything else is as in a process of its own: arguments,
environment, working directory, standard streams, exit code.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.host import warmth
from tests.support.host.img_command import Img

_CLIENT = Path(__file__).with_name("warm_client.py")
_SERVER = (
    Path(warmth.__file__).read_text()
    + """
import json, os, signal, socket, sys, traceback
from img.entrypoints import start

def run(words, cwd, environment, streams):
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["img", *words]
    sys.stdin = open(0, errors="surrogateescape", closefd=False)
    sys.stdout = open(1, "w", errors="surrogateescape", closefd=False)
    sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)
    start.main()

def serve(client):
    size, streams, _, _ = socket.recv_fds(client, 4, 3)
    with client.makefile("rb") as sent:
        order = json.loads(sent.read(int.from_bytes(size, "big")))
    pid = os.fork()
    if pid == 0:
        client.close()
        try:
            run(**order, streams=streams)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(70)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    client.sendall(bytes([code % 256]))

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


@contextmanager
def warm(img: Img) -> Iterator[tuple[Path | str, ...]]:
    """Yield the first words of the command; it is run by the user that is img's."""
    path = img.home / "warm"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chown(path, img.account.uid, img.account.gid)
        listener.listen()
        server = subprocess.Popen(
            # All its descendants name the path, so that those left over are found.
            [*img.account.words, img.python, "-c", _SERVER, path],
            stdin=listener.fileno(),
            cwd=img.home,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
    try:
        yield (img.python, "-I", "-S", _CLIENT, path)
    finally:
        server.kill()
        server.wait()

"""Repositories of git over http, for a test: what a smart server says, or plain files."""

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.support.servers.in_thread import InThread

_IDENTITY = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C",
}
FIRST_COMMIT = 1_600_000_000  # seconds since 1970; each further commit is 1000 later


class Repository:
    """A repository at ``path`` that tests fill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self._commits = 0
        self.git("init", "-q", "-b", "main")
        # What servers that are not GitHub mostly do not allow is not allowed here either.
        self.git("config", "http.receivepack", "false")

    def git(self, *arguments: str) -> str:
        """Run git in the repository and return what it prints."""
        date = f"{FIRST_COMMIT + 1000 * self._commits} +0000"
        environment = {
            "PATH": os.environ["PATH"],
            **_IDENTITY,
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        argv = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(
            argv, cwd=self.path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str], *, executable: Sequence[str] = ()) -> str:
        """Write ``files``, commit all, and return the commit's name."""
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            file.chmod(0o755 if name in executable else 0o644)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"commit {self._commits}")
        self._commits += 1
        self.git("update-server-info")
        return self.git("rev-parse", "HEAD")


class GitServer(InThread):
    """``with GitServer(root, smart=True) as server: f"{server.url}/name/.git"``.

    With a ``token`` nothing is served without it. The server answers while ``delay``
    is set.
    """

    def __init__(self, root: Path, *, smart: bool, token: str = "") -> None:
        self.delay = threading.Event()
        self.delay.set()
        self.asked = threading.Event()  # set by the first request
        handler = _handler(root, smart, token, self.delay, self.asked)
        self._server = _QuietServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.delay.set()
        super().__exit__(kind, error, trace)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up when they please."""


def _handler(
    root: Path, smart: bool, token: str, delay: threading.Event, asked: threading.Event
) -> type[SimpleHTTPRequestHandler]:
    authorization = f"basic {b64encode(f'x-access-token:{token}'.encode()).decode()}"

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **keywords: object) -> None:
            super().__init__(*arguments, directory=str(root), **keywords)  # type: ignore[arg-type]

        def do_GET(self) -> None:
            if self._is_admitted():
                if smart:
                    self._run_backend()
                else:
                    super().do_GET()

        def do_POST(self) -> None:
            if self._is_admitted():
                self._run_backend()

        def _is_admitted(self) -> bool:
            asked.set()
            delay.wait()
            if token and self.headers.get("Authorization") != authorization:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False
            return True

        def _run_backend(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                env=environment,
                capture_output=True,
                check=False,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's
            pass

    return Handler

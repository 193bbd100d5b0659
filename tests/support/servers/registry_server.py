"""Debian's docker-registry for a test: started on a free loopback port, gone at the end."""

import ctypes
import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.support.servers.certificates import Certificate
from tests.support.servers.free_port import free_port

PROGRAM = shutil.which("docker-registry")
_START_S = 15.0


class RegistryServer:
    """``with RegistryServer() as server: server.address``, such as "127.0.0.1:34567".

    ``htpasswd`` is the name and password that everything then needs, ``token`` lines of its
    configuration of another authority. Plain http without ``tls``, a certificate with its key;
    ``clients`` is the authority that vouches for clients then. Deletion is on. The images lie in
    memory, or below the directory ``on_disk``, until the end.
    """

    def __init__(
        self,
        htpasswd: tuple[str, str] | None = None,
        *,
        token: Mapping[str, str | Path] | None = None,
        tls: Certificate | None = None,
        clients: Path | None = None,
        on_disk: Path | None = None,
    ) -> None:
        self._htpasswd = htpasswd
        self._token = token
        self._tls = tls
        self._clients = clients
        self._on_disk = on_disk
        self.address = ""
        self.log = Path()

    def __enter__(self) -> "RegistryServer":
        if PROGRAM is None:
            raise FileNotFoundError("docker-registry is not installed")
        in_memory = Path("/dev/shm")
        place = self._on_disk or (in_memory if in_memory.is_dir() else None)
        self._state = Path(tempfile.mkdtemp(prefix="registry-", dir=place))
        self.address = f"127.0.0.1:{free_port()}"
        self.log = self._state / "log"
        config = self._state / "config.yml"
        config.write_text(self._config())
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and forget its state."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._state, ignore_errors=True)

    def _config(self) -> str:
        lines = [
            "version: 0.1",
            "log: {level: info, accesslog: {disabled: false}}",
            "storage:",
            f"  filesystem: {{rootdirectory: {self._state}/data}}",
            "  delete: {enabled: true}",
            f"http: {{addr: '{self.address}', secret: test{self._tls_config()}}}",
        ]
        if self._token is not None:
            entries = ", ".join(f"{key}: '{value}'" for key, value in self._token.items())
            lines.append(f"auth: {{token: {{{entries}}}}}")
        if self._htpasswd is not None:
            passwords = self._state / "htpasswd"
            passwords.write_text(f"{self._htpasswd[0]}:{_bcrypt(self._htpasswd[1])}\n")
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {passwords}}}}}")
        return "\n".join(lines) + "\n"

    def _tls_config(self) -> str:
        if self._tls is None:
            return ""
        clients = f", clientcas: ['{self._clients}']" if self._clients else ""
        files = f"certificate: '{self._tls.certificate}', key: '{self._tls.key}'"
        return f", tls: {{{files}{clients}}}"

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                # With TLS it answers plain http too: that it is TLS it wants.
                connection = http.client.HTTPConnection(self.address, timeout=2)
                connection.request("GET", "/v2/")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.02)
            finally:
                connection.close()
        raise RuntimeError(f"docker-registry does not start: {self.log.read_text()[-2000:]}")


def _bcrypt(password: str) -> str:
    """Return the hash, by libcrypt: the crypt module is gone since Python 3.13."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    hashed: bytes | None = crypt(password.encode(), b"$2y$04$" + b"abcdefghijklmnopqrstuu")
    assert hashed is not None, "this libcrypt has no bcrypt"
    return hashed.decode()

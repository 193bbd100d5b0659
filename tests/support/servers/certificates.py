"""Certificates for a test, made by openssl: an authority, and certificates that it has signed."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.host.machine import lacking

_CURVE = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Two PEM files."""

    certificate: Path
    key: Path

    def context(self, clients: "Path | None" = None) -> ssl.SSLContext:
        """Return a server's TLS context; ``clients`` is the authority for those of clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Authority:
    """A CA of its own, with its files in ``folder``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            lacking("openssl is not installed")
        self._folder = folder
        self.own = _self_signed(folder, name)

    @property
    def certificate(self) -> Path:
        """The file with the authority's own certificate."""
        return self.own.certificate

    def issue(self, name: str, *subjects: str) -> Certificate:
        """Return a certificate for ``subjects``, such as "IP:127.0.0.1" or "DNS:a.test"."""
        made = Certificate(
            certificate=self._folder / f"{name}.pem", key=self._folder / f"{name}.key"
        )
        extra = ["-addext", f"subjectAltName={','.join(subjects)}"] if subjects else []
        _openssl(
            *("req", "-x509", "-newkey", *_CURVE, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-CA", str(self.own.certificate), "-CAkey", str(self.own.key), *extra),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", str(made.key), "-out", str(made.certificate)),
        )
        return made


def _self_signed(folder: Path, name: str) -> Certificate:
    made = Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", *_CURVE, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    )
    return made


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

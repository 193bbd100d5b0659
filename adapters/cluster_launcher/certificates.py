"""Certificates for TLS between the processes of one cluster."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from distributed.security import Security

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The certificate authority, and one certificate with its key for all: texts or files."""

    ca: str
    cert: str
    key: str

    @classmethod
    def temporary(cls) -> "Certificates":
        """Return new ones, as texts."""
        made = Security.temporary()
        return cls(ca=made.tls_ca_file, cert=made.tls_client_cert, key=made.tls_client_key)

    @property
    def are_texts(self) -> bool:
        """True if these are PEM texts, not files."""
        return "\n" in self.key

    def security(self) -> Security:
        """Return Dask's form; no connection is made without TLS."""
        return Security(
            require_encryption=True,
            tls_ca_file=self.ca,
            **{f"tls_{role}_cert": self.cert for role in _ROLES},
            **{f"tls_{role}_key": self.key for role in _ROLES},
        )

    @contextmanager
    def in_files(self, directory: str) -> Iterator["Certificates"]:
        """Enter with files of the texts in a new private directory, which is then removed."""
        if not self.are_texts:
            yield self
            return
        with ExitStack() as made:
            place = made.enter_context(
                tempfile.TemporaryDirectory(prefix="certificates-", dir=directory)
            )
            yield Certificates(
                ca=_written(place, "ca.pem", self.ca),
                cert=_written(place, "cert.pem", self.cert),
                key=_written(place, "key.pem", self.key),
            )


_ROLES = ("client", "scheduler", "worker")


def _written(directory: str, name: str, content: str) -> str:
    path = os.path.join(directory, name)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(content)
        os.fsync(file.fileno())
    return path

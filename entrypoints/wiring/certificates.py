"""The CA certificates that steps get with ``--inject-ca``."""

from __future__ import annotations

import os
from pathlib import Path

from img.adapters.http.ca_certificates import (
    UnusableCertificates,
    certificate_texts,
    named_certificates,
    system_certificates,
)
from img.domain.certificates import Certificates
from img.domain.errors import UsageError


def injected_certificates(choice: str) -> Certificates:
    """Return the certificates that img trusts, and those of the file ``choice`` unless "true".

    Raises UsageError.
    """
    more = _read(() if choice == "true" else (Path(choice),))
    if choice != "true" and not more.encoded:
        raise UsageError(
            f"--inject-ca {choice}: it holds no certificates",
            hint="it should be a file, or a directory of files, in PEM",
        )
    trusted = _read(named_certificates(os.environ) or system_certificates())
    together = Certificates(encoded=tuple(dict.fromkeys(trusted.encoded + more.encoded)))
    if not together.encoded:
        raise UsageError(
            "--inject-ca: this machine has no CA certificates",
            hint="set SSL_CERT_FILE, or use --inject-ca=FILE",
        )
    return together


def _read(places: tuple[Path, ...]) -> Certificates:
    try:
        return Certificates.of(certificate_texts(places))
    except UnusableCertificates as error:
        raise UsageError(f"--inject-ca: {error}") from None

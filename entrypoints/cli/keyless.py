"""Options of signatures without a key: tokens, identities and the services of Sigstore."""

import os
from typing import TYPE_CHECKING, Annotated

from img.domain.errors import UsageError
from img.entrypoints.cli.options import option

if TYPE_CHECKING:
    from img.application.ports.signing_identities import Services, SigningIdentities
    from img.application.ports.signing_keys import BundleSigner
    from img.domain.signing.identity import Identity

_TOKEN = "SIGSTORE_ID_TOKEN"

Keyless = Annotated[
    bool,
    option("--keyless", says="Sign by an identity of Sigstore, with an entry in its public log."),
]
IdentityToken = Annotated[
    str,
    option("--identity-token", says="Sign by the identity in this token.", value="FILE|TOKEN"),
]
Fulcio = Annotated[
    str, option("--fulcio-url", says="Get certificates from this authority.", value="URL")
]
Rekor = Annotated[str, option("--rekor-url", says="Enter signatures into this log.", value="URL")]
SigningConfig = Annotated[
    str,
    option("--signing-config", says="Sign with the services in this file (JSON).", value="FILE"),
]
TrustedRoot = Annotated[
    str,
    option("--trusted-root", says="Trust the Sigstore services in this file.", value="FILE"),
]
CertificateIdentity = Annotated[
    str,
    option("--certificate-identity", says="Require a signature by this identity.", value="TEXT"),
]
CertificateIdentityPattern = Annotated[
    str,
    option(
        "--certificate-identity-regexp",
        says="Require an identity with a match of this expression.",
        value="REGEXP",
    ),
]
CertificateIssuer = Annotated[
    str,
    option("--certificate-oidc-issuer", says="Require an identity of this provider.", value="URL"),
]
CertificateIssuerPattern = Annotated[
    str,
    option(
        "--certificate-oidc-issuer-regexp",
        says="Require a provider with a match of this expression.",
        value="REGEXP",
    ),
]


def services_of(
    trusted_root: str, *, signing_config: str = "", fulcio: str = "", rekor: str = ""
) -> "Services":
    """Return the services that the options name. Raises UsageError."""
    from img.application.ports.signing_identities import LARGEST_TRUST, Services
    from img.entrypoints.cli.key_files import read_bounded

    def content(file: str, name: str) -> bytes:
        return read_bounded(file, name, LARGEST_TRUST) if file else b""

    return Services(
        trusted_root=content(trusted_root, "--trusted-root"),
        signing_config=content(signing_config, "--signing-config"),
        fulcio=fulcio,
        rekor=rekor,
    )


def identity_of(identity: str, pattern: str, issuer: str, issuer_pattern: str) -> "Identity | None":
    """Return the required identity, None if no option names one. Raises UsageError."""
    if not (identity or pattern or issuer or issuer_pattern):
        return None
    from img.domain.signing.identity import Identity, Wanted

    return Identity(
        subject=Wanted(text=identity, pattern=pattern),
        issuer=Wanted(text=issuer, pattern=issuer_pattern),
    )


def signer_of(identities: "SigningIdentities", given: str, services: "Services") -> "BundleSigner":
    """Return a signer for the token of ``--identity-token``, a variable, or the CI system.

    Raises UsageError, SigningServiceFailed.
    """
    token = _given(given) or os.environ.get(_TOKEN, "").strip() or identities.token()
    if not token:
        raise UsageError(
            "no identity token was found",
            hint=f"use --identity-token or ${_TOKEN}; GitHub, GitLab and others give one to jobs",
        )
    return identities.signer(token, services)


def _given(text: str) -> str:
    """Return the token that ``text`` is, or that is in the file it names."""
    from img.application.ports.signing_identities import LARGEST_TOKEN
    from img.entrypoints.cli.key_files import read_bounded

    # A token is three texts in base64, with points between them (RFC 7515, 3.1).
    if not text or (text.startswith("ey") and text.count(".") == 2 and "/" not in text):
        return text
    return read_bounded(text, "--identity-token", LARGEST_TOKEN).decode("ascii", "replace").strip()

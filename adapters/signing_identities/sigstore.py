"""Signatures without a key, by the package sigstore (the extra ``sigstore``)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from img.adapters.signing_identities.causes import cause_of, text_of
from img.adapters.signing_identities.certificate import issuer_of, subjects_of
from img.adapters.signing_identities.trust import signing_config_of, trust_config
from img.application.ports.signing_identities import (
    BadIdentity,
    BundleVerifier,
    Services,
    SigningIdentities,
    SigningServiceFailed,
)
from img.application.ports.signing_keys import BundleSigner
from img.domain.address_class import AddressClass
from img.domain.errors import UsageError
from img.domain.signing.identity import Identity
from img.domain.signing.statement import MEDIA_TYPE, BadPredicate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import Signer
    from sigstore.verify import Verifier


class MissingPackages(UsageError):
    """The packages of the extra are not installed."""

    def __init__(self, error: ImportError) -> None:
        super().__init__(
            f"signatures without a key need more packages ({error})",
            hint="pip install 'img-builder[sigstore]'",
        )


@contextmanager
def _packages() -> Iterator[None]:
    try:
        import sigstore.models
        import sigstore.sign
        import sigstore.verify  # noqa: F401 # the callers use them
    except ImportError as error:
        raise MissingPackages(error) from None
    yield


class SigstoreIdentities(SigningIdentities):
    """Identities that the services of Sigstore certify: Fulcio, and a log of Rekor."""

    def token(self) -> str:
        with _packages():
            from sigstore.oidc import detect_credential

            try:
                return detect_credential() or ""
            except Exception as error:
                raise BadIdentity(
                    f"the CI system gives no identity token: {text_of(error)}",
                    hint="allow it for this job (GitHub: `permissions: id-token: write`)",
                ) from error

    def signer(self, token: str, services: Services) -> BundleSigner:
        with _packages():
            from sigstore.errors import VerificationError
            from sigstore.oidc import IdentityError, IdentityToken
            from sigstore.sign import Signer, SigningContext
            from sigstore.verify import Verifier

            config = _config(services, needs_services=True)
            _check_addresses(signing_config_of(services))
            try:
                identity = IdentityToken(token)
            except IdentityError as error:
                raise BadIdentity(
                    f"the identity token cannot be used: {text_of(error.__cause__ or error)}",
                    hint='it needs the audience "sigstore", and is valid for a few minutes',
                ) from None
            try:
                verifier = Verifier(trusted_root=config.trusted_root)
                context = SigningContext.from_trust_config(config)
                return SigstoreSigner(Signer(identity, context), verifier)
            except OSError as error:  # of requests
                raise _unreachable("Fulcio", error) from error
            except VerificationError as error:
                raise SigningServiceFailed(
                    f"the certificate from Fulcio does not hold: {text_of(error)}"
                ) from error
            except Exception as error:
                raise SigningServiceFailed(
                    f"no certificate from Fulcio: {text_of(error)}"
                ) from error

    def verifier(self, identity: Identity, services: Services) -> BundleVerifier:
        with _packages():
            from sigstore.verify import Verifier

            config = _config(services, needs_services=False)
            try:
                return SigstoreVerifier(Verifier(trusted_root=config.trusted_root), identity)
            except Exception as error:
                raise BadIdentity(f"the trusted root cannot be used: {text_of(error)}") from error


class SigstoreSigner(BundleSigner):
    """A key of a few minutes, with a certificate of Fulcio."""

    def __init__(self, signer: "Signer", verifier: "Verifier") -> None:
        self._signer = signer
        self._verifier = verifier

    def bundle(self, statement: bytes) -> bytes:
        from sigstore.dsse import Statement
        from sigstore.errors import Error

        try:
            content = Statement(statement)
        except Error as error:
            raise BadPredicate(
                f"sigstore cannot sign this statement: {text_of(error)}",
                hint="it signs in-toto statements of version 1 with an object as predicate",
            ) from None
        try:
            made = self._signer.sign_dsse(content)
        except OSError as error:  # of requests
            raise _unreachable("the transparency log", error) from error
        except Exception as error:
            if type(error).__name__ == "ExpiredCertificate":  # of a private module
                raise SigningServiceFailed(
                    "the certificate from Fulcio expired before this signature",
                    hint="sign again with a new identity token",
                ) from error
            raise SigningServiceFailed(
                f"no entry in the transparency log: {text_of(error)}"
            ) from error
        try:
            # The package does not check the answer of the log.
            self._verifier.verify_dsse(made, _AnyIdentity())
        except Exception as error:
            raise SigningServiceFailed(f"the new signature {cause_of(error)}") from error
        return made.to_json().encode()


class SigstoreVerifier(BundleVerifier):
    """Signatures by one identity under one trusted root."""

    def __init__(self, verifier: "Verifier", identity: Identity) -> None:
        self._verifier = verifier
        self._identity = identity

    def problem(self, bundle: bytes, payload: bytes) -> str:
        # A bundle is written by others, and the package does not catch all errors of its parsers.
        try:
            return self._problem(bundle, payload)
        except Exception as error:
            return f"one {cause_of(error)}"

    def _problem(self, bundle: bytes, payload: bytes) -> str:
        from sigstore.models import Bundle

        read: Bundle = Bundle.from_json(bundle)
        kind, signed = self._verifier.verify_dsse(read, _AnyIdentity())
        if kind != MEDIA_TYPE or signed != payload:
            return "one is of another statement"
        certificate = read.signing_certificate
        return self._identity.problem(subjects_of(certificate), issuer_of(certificate))


class _AnyIdentity:
    """A policy of the package that leaves the identity to the caller."""

    def verify(self, cert: "Certificate") -> None:
        return


def _config(services: Services, *, needs_services: bool) -> "ClientTrustConfig":
    from sigstore.models import ClientTrustConfig

    if not services.trusted_root:
        if services != Services():
            raise BadIdentity(
                "services of your own need --trusted-root", hint="it has the keys of the services"
            )
        try:
            return ClientTrustConfig.production()
        except Exception as error:
            raise SigningServiceFailed(
                f"the keys of Sigstore's public services cannot be fetched: {text_of(error)}",
                hint="give them with --trusted-root",
            ) from error
    text = trust_config(services, needs_services=needs_services)
    try:
        return ClientTrustConfig.from_json(text)
    except Exception as error:
        raise BadIdentity(f"the trusted root cannot be used: {text_of(error)}") from error


def _check_addresses(signing_config: Mapping[str, object]) -> None:
    """Raise BadIdentity for a service without TLS: a token would be sent in clear text."""
    for kind in ("caUrls", "rekorTlogUrls", "tsaUrls"):
        entries = signing_config.get(kind)
        for entry in entries if isinstance(entries, list) else []:
            url = str(entry.get("url", "")) if isinstance(entry, dict) else ""
            parts = urlsplit(url)
            if parts.scheme != "https" and (
                AddressClass.of_name(parts.hostname or "") is not AddressClass.LOOPBACK
            ):
                raise BadIdentity(f"{url}: a service of Sigstore needs https")


def _unreachable(service: str, error: OSError) -> SigningServiceFailed:
    return SigningServiceFailed(
        f"{service} cannot be reached: {text_of(error)}", hint="check the network, and try again"
    )

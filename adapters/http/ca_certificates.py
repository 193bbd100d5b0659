"""The trusted CA certificates: those that the environment names, otherwise the system's."""

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


class UnusableCertificates(OSError):
    """A file or directory of certificates that cannot be used; the message names it."""


def named_certificates(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files and directories of the environment, none if it names none.

    If only one of OpenSSL's two variables is set, the system's value is used for the other.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := environment.get(name):
            return (Path(bundle),)
    file, directories = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not file and not directories:
        return ()
    paths = ssl.get_default_verify_paths()
    usual_file = paths.openssl_cafile if os.path.exists(paths.openssl_cafile) else ""
    usual = paths.openssl_capath if os.path.isdir(paths.openssl_capath) else ""
    # The file must exist; of several directories only existing ones are used, as OpenSSL and Go do.
    there = [place for place in (directories or usual).split(os.pathsep) if os.path.isdir(place)]
    return tuple(Path(place) for place in (file or usual_file, *there) if place)


def system_certificates() -> tuple[Path, ...]:
    """Return the files and directories of the system; empty in a small container."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return (Path(paths.cafile),)
    if paths.capath is not None and os.listdir(paths.capath):
        return (Path(paths.capath),)
    return ()


def load_certificates(context: ssl.SSLContext, places: Iterable[Path]) -> None:
    """Load the certificates at ``places`` into ``context``. Raises UnusableCertificates."""
    for place in places:
        try:
            if place.is_dir():
                context.load_verify_locations(capath=place)
            else:
                context.load_verify_locations(cafile=place)
        except OSError as error:  # includes SSLError
            raise _unusable(place, error) from None


def certificate_texts(places: Iterable[Path]) -> Iterator[bytes]:
    """Yield the content of each file, and of each file in a directory, of ``places``.

    Raises UnusableCertificates.
    """
    for place in places:
        try:
            files = sorted(each for each in place.iterdir() if each.is_file())
        except NotADirectoryError:
            files = [place]
        except OSError as error:
            raise _unusable(place, error) from None
        for file in files:
            try:
                yield file.read_bytes()
            except OSError as error:
                raise _unusable(file, error) from None


def _unusable(place: Path, error: OSError) -> UnusableCertificates:
    return UnusableCertificates(f"certificates in {place} cannot be used: {reason_of(error)}")


def reason_of(error: OSError) -> str:
    """Return the reason why a file of certificates cannot be loaded."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is none").lower().replace("_", " ")
    return (error.strerror or str(error)).lower()

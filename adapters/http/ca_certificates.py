"""Who may vouch for servers: what the environment says, else the system."""

import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path


class UnusableAuthorities(OSError):
    """A file or directory of certificates that is none; the message names it."""


def named_authorities(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return files and directories that the environment names, none if it names none.

    What one of OpenSSL's two variables leaves open, is the system's.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := environment.get(name):
            return (Path(bundle),)
    file, directories = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not file and not directories:
        return ()
    paths = ssl.get_default_verify_paths()
    usual_file = paths.openssl_cafile if Path(paths.openssl_cafile).exists() else ""
    usual = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else ""
    # A file must be there, of directories those that are, as OpenSSL and Go have it.
    there = [place for place in (directories or usual).split(os.pathsep) if Path(place).is_dir()]
    return tuple(Path(place) for place in (file or usual_file, *there) if place)


def system_authorities() -> tuple[Path, ...]:
    """Return where the system has them; nothing in a small container."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return (Path(paths.cafile),)
    if paths.capath is not None and os.listdir(paths.capath):
        return (Path(paths.capath),)
    return ()


def load_authorities(context: ssl.SSLContext, places: Iterable[Path]) -> None:
    """Let ``context`` trust what is there. Raises UnusableAuthorities."""
    for place in places:
        try:
            if place.is_dir():
                context.load_verify_locations(capath=place)
            else:
                context.load_verify_locations(cafile=place)
        except OSError as error:  # SSLError is one
            text = f"certificates in {place} cannot be used: {reason_of(error)}"
            raise UnusableAuthorities(text) from None


def reason_of(error: OSError) -> str:
    """Return what is wrong with a file of certificates."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is none").lower().replace("_", " ")
    return (error.strerror or str(error)).lower()

"""Files of keys, and their passwords."""

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from img.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from img.application.ports.signing_keys import KeyPair

_PASSWORD = "COSIGN_PASSWORD"
_LONGEST_PASSWORD = 4096  # bytes
_ENVIRONMENT = "env://"


def read_key(place: str) -> bytes:
    """Return the key at ``place``, of ``--key``. Raises UsageError."""
    from img.application.ports.signing_keys import LARGEST_KEY

    if not place:
        raise UsageError(
            "must pass a key with --key",
            hint="`img generate-key-pair` makes one; without a key use --keyless or"
            " --certificate-identity",
        )
    if place.startswith(_ENVIRONMENT):
        name = place.removeprefix(_ENVIRONMENT)
        value = os.environb.get(os.fsencode(name))
        if not value:
            raise UsageError(f"--key {place}: the variable is not set")
        return value
    if "://" in place:
        raise UsageError(f"--key {place}: only files and env://VARIABLE are supported")
    return read_bounded(place, "--key", LARGEST_KEY)


@contextmanager
def naming(place: str) -> "Iterator[None]":
    """Add the place of a key to errors of it."""
    from img.application.ports.signing_keys import BadKey

    try:
        yield
    except BadKey as error:
        raise BadKey(f"--key {place}: {error.message}", hint=error.hint) from None


def read_bounded(place: str, option: str, most: int) -> bytes:
    """Return the content of a file. Raises UsageError, also for a file larger than ``most``."""
    try:
        with open(place, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{option} {place}: {(error.strerror or str(error)).lower()}") from None
    if len(content) > most:
        raise UsageError(f"{option} {place}: it has more than {most} bytes")
    return content


def password_of() -> bytes:
    """Return the password of a private key: $COSIGN_PASSWORD, else what is typed or on stdin."""
    given = os.environb.get(_PASSWORD.encode())
    if given is not None:
        return given
    if sys.stdin.isatty():
        return os.fsencode(_typed(twice=False))
    return _from_input()


def new_password() -> bytes:
    """Return the password for a new key, which has to be typed twice."""
    given = os.environb.get(_PASSWORD.encode())
    if given is not None:
        return given
    return os.fsencode(_typed(twice=True)) if sys.stdin.isatty() else _from_input()


def write_key_pair(prefix: str, pair: "KeyPair") -> "Sequence[str]":
    """Write the files of a new key and return their names. Raises UsageError; replaces no file."""
    written: list[str] = []
    for name, content, mode in (
        (f"{prefix}.key", pair.private, 0o600),
        (f"{prefix}.pub", pair.public, 0o644),
    ):
        try:
            number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            written.append(name)
            with open(number, "wb") as file:
                file.write(content)
        except OSError as error:
            for made in written:
                with suppress(OSError):
                    os.unlink(made)
            raise UsageError(
                f"cannot write {name}: {(error.strerror or str(error)).lower()}",
                hint="choose other names with --output-key-prefix",
            ) from None
    return written


def _typed(*, twice: bool) -> str:
    return str(
        typer.prompt(
            "Password of the private key",
            default="",
            hide_input=True,
            show_default=False,
            confirmation_prompt=twice,
            err=True,
        )
    )


def _from_input() -> bytes:
    password = sys.stdin.buffer.read(_LONGEST_PASSWORD + 1)
    if len(password) > _LONGEST_PASSWORD:
        raise UsageError(f"a password on standard input has at most {_LONGEST_PASSWORD} bytes")
    return password.removesuffix(b"\n").removesuffix(b"\r")

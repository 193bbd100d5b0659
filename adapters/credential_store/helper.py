"""Credential helpers: docker-credential-pass, -secretservice, -ecr-login and others.

The protocol is that of docker-credential-helpers: the verb is the argument, the rest is on stdin.
"""

import json
import re

from img.adapters.linux.outsider import HelperResult, HelperRunner
from img.application.ports.credential_store import Credentials, CredentialsUnreadable
from img.domain.json_text import InvalidJson, parse_json

_TOKEN_USER = "<token>"  # the secret with it is an identity token
_NOT_FOUND = "credentials not found in native keychain"
_PROGRAM = re.compile(r"docker-credential-[A-Za-z0-9][A-Za-z0-9._-]*")


class CredentialHelper:
    """One helper program, ``docker-credential-NAME``, and the server to look up."""

    def __init__(self, name: str, server: str, run: HelperRunner) -> None:
        self._program = f"docker-credential-{name}"
        self._server = server
        self._run = run

    def get(self) -> Credentials | None:
        """Return the stored credentials. Raises CredentialsUnreadable."""
        result = self._call("get", self._server.encode())
        if result.code != 0:
            if _NOT_FOUND in self._text(result):
                return None
            raise self._failure(self._text(result) or f"exit status {result.code}")
        username, secret = self._name_and_secret(result.stdout)
        if username == _TOKEN_USER:
            return Credentials(identity_token=secret)
        return Credentials(username=username, password=secret)

    def put(self, credentials: Credentials) -> None:
        """Store ``credentials`` in the helper. Raises CredentialsUnreadable."""
        is_token = bool(credentials.identity_token)
        entry = {
            "ServerURL": self._server,
            "Username": _TOKEN_USER if is_token else credentials.username,
            "Secret": credentials.identity_token if is_token else credentials.password,
        }
        self._change("store", json.dumps(entry).encode())

    def remove(self) -> None:
        """Delete the server's credentials from the helper. Raises CredentialsUnreadable."""
        self._change("erase", self._server.encode())

    def _name_and_secret(self, answer: bytes) -> tuple[str, str]:
        try:
            document = parse_json(answer)
        except InvalidJson:
            document = None
        match document:
            case {"Username": str(username), "Secret": str(secret)}:
                return username, secret
        raise self._failure("it gives no user name and secret")

    def _change(self, verb: str, text: bytes) -> None:
        result = self._call(verb, text)
        if result.code != 0:
            raise self._failure(self._text(result) or f"exit status {result.code}")

    def _call(self, verb: str, text: bytes) -> HelperResult:
        if not _PROGRAM.fullmatch(self._program):
            raise self._failure("that is no name of a program")
        try:
            return self._run([self._program, verb], text)
        except FileNotFoundError:
            raise CredentialsUnreadable(
                f"credential helper {self._program} is not installed",
                hint="install it, or take credsStore and credHelpers out of Docker's config.json",
            ) from None
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error

    def _text(self, result: HelperResult) -> str:
        return (result.stdout or result.stderr).decode(errors="replace").strip()

    def _failure(self, why: str) -> CredentialsUnreadable:
        return CredentialsUnreadable(f"credential helper {self._program} fails: {why}")

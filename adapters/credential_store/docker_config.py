"""Docker's config.json, which every container tool shares."""

import base64
import binascii
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from img.adapters.credential_store.helper import CredentialHelper
from img.adapters.linux.outsider import HelperRunner, run_here
from img.application.ports.credential_store import (
    Credentials,
    CredentialStore,
    CredentialsUnreadable,
)
from img.domain.reference import DEFAULT_DOMAIN, DOCKER_HUB_SERVER


def docker_config_path(environment: Mapping[str, str]) -> Path:
    """Return where the file is: $DOCKER_CONFIG/config.json, or ~/.docker/config.json."""
    given = environment.get("DOCKER_CONFIG")
    folder = Path(given) if given else Path(environment.get("HOME", "/")) / ".docker"
    return folder / "config.json"


class DockerConfigCredentials(CredentialStore):
    """The keys auths, credsStore and credHelpers of ``path`` (Docker's cli/config/configfile).

    Keys are servers, and namespaces and repositories on them (containers-auth.json(5)). Where it
    is ``legacy``, the file is what auths is elsewhere: ~/.dockercfg. Helpers are run through
    ``run``: inside a user namespace they would not find their keyring.
    """

    def __init__(self, path: Path, run: HelperRunner = run_here, *, legacy: bool = False) -> None:
        self.path = path
        self._run = run
        self._legacy = legacy

    def get(self, server: str, repository: str = "") -> Credentials | None:
        document = self._read()
        for key in _keys(server, repository):
            helper = self._helper(document, key, alone=key == server)
            found = helper.get(key) if helper is not None else None
            found = found or self._in_file(document, key)
            if found is not None:
                return found
        return None

    def put(self, server: str, credentials: Credentials) -> None:
        with self._locked():
            document = self._read()
            helper = self._helper(document, server)
            if helper is not None:
                helper.put(server, credentials)
            auths = self._auths(document)
            # Docker leaves an empty entry to tell that somebody is logged in there.
            auths[server] = {} if helper is not None else _entry(credentials)
            self._write({**document, "auths": auths})

    def remove(self, server: str) -> bool:
        with self._locked():
            document = self._read()
            helper = self._helper(document, server)
            is_known = helper is not None and helper.get(server) is not None
            if helper is not None and is_known:
                helper.remove(server)
            auths = self._auths(document)
            names = _names(server)
            kept = {key: auth for key, auth in auths.items() if not {key, _server_in(key)} & names}
            if len(kept) < len(auths):
                self._write({**document, "auths": kept})
            return is_known or len(kept) < len(auths)

    def _in_file(self, document: Mapping[str, Any], key: str) -> Credentials | None:
        """Return the entry for ``key``, or for a URL on the same host, as old files have them."""
        auths = self._auths(document)
        entry = auths.get(key)
        if entry is None:
            entry = next((auth for url, auth in auths.items() if _server_in(url) == key), None)
        if not isinstance(entry, dict):
            return None
        try:
            return _credentials(entry)
        except ValueError as error:
            raise self._unreadable(f"the entry {key!r} is invalid: {error}") from None

    def _helper(
        self, document: Mapping[str, Any], key: str, *, alone: bool = True
    ) -> CredentialHelper | None:
        """Return the program that keeps ``key``; credsStore is asked for whole servers only."""
        helpers = document.get("credHelpers")
        name = helpers.get(key) if isinstance(helpers, dict) else None
        name = name or (document.get("credsStore") if alone else None)
        return CredentialHelper(name, self._run) if isinstance(name, str) and name else None

    def _auths(self, document: Mapping[str, Any]) -> dict[str, Any]:
        auths = document if self._legacy else document.get("auths") or {}
        if not isinstance(auths, dict):
            raise self._unreadable("auths is no object")
        return auths

    def _read(self) -> dict[str, Any]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(getattr(error, "strerror", None) or str(error)) from error
        try:
            document = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise self._unreadable(str(error)) from None
        if not isinstance(document, dict):
            raise self._unreadable("it holds no object")
        return document

    def _write(self, document: Mapping[str, Any]) -> None:
        """Replace the file at once; where it is a link, what it leads to."""
        target = Path(os.path.realpath(self.path))
        text = json.dumps(document, indent="\t") + "\n"
        descriptor, name = tempfile.mkstemp(prefix=".config.json", dir=target.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes of ours away while the file is read, changed and written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)
        except OSError as error:
            raise self._unreadable(f"it cannot be written: {error.strerror}") from error

    def _unreadable(self, why: str) -> CredentialsUnreadable:
        return CredentialsUnreadable(f"credentials file {self.path}: {why}")


def _keys(server: str, repository: str) -> list[str]:
    """Return the keys to look up, the narrowest first: host/namespace/name, host/namespace, host.

    The source is c/image's pkg/docker/config, "authKeyLookupOrder".
    """
    host = DEFAULT_DOMAIN if server == DOCKER_HUB_SERVER else server
    parts = repository.split("/") if repository else []
    narrow = ["/".join((host, *parts[:count])) for count in range(len(parts), 0, -1)]
    return [*narrow, server, *sorted(_names(server) - {server})]


def _names(server: str) -> set[str]:
    """Return all that a server is called: Docker Hub has several names."""
    if server != DOCKER_HUB_SERVER:
        return {server}
    return {server, DEFAULT_DOMAIN, "index.docker.io"}


def _server_in(key: str) -> str:
    """Return the host of a key that stands for a whole server, "" for a narrower one.

    Old files have URLs, such as https://quay.io/v1/ (Docker's credentials.ConvertToHostname).
    """
    host, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    return host if path.strip("/") in ("", "v1", "v2") else ""


def _credentials(entry: Mapping[str, Any]) -> Credentials | None:
    """Return what an entry of ``auths`` says, None where it is empty. Raises ValueError."""
    fields = {key: value for key, value in entry.items() if isinstance(value, str)}
    username, password = fields.get("username", ""), fields.get("password", "")
    if fields.get("auth"):
        username, password = _decoded(fields["auth"])
    found = Credentials(
        username=username,
        password=password,
        identity_token=fields.get("identitytoken", ""),
        registry_token=fields.get("registrytoken", ""),
    )
    return found if found != Credentials() else None


def _decoded(auth: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("auth is no base64 text") from None
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise ValueError("auth has no user name")
    return username, password.strip("\0")


def _entry(credentials: Credentials) -> dict[str, str]:
    entry = {}
    if credentials.username:
        pair = f"{credentials.username}:{credentials.password}"
        entry["auth"] = base64.b64encode(pair.encode()).decode()
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    if credentials.registry_token:
        entry["registrytoken"] = credentials.registry_token
    return entry

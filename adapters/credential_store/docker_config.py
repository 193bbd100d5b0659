"""Docker's config.json, which all container tools share."""

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from img.adapters.credential_store.helper import CredentialHelper
from img.adapters.linux.outsider import HelperRunner, run_here
from img.adapters.storage.own_files import NoLocks, wait_for_lock
from img.application.ports.credential_store import (
    Credentials,
    CredentialStore,
    CredentialsUnreadable,
)
from img.domain.docker_config import docker_config_place
from img.domain.json_text import InvalidJson, parse_json
from img.domain.reference import DOCKER_HUB_NAMES, DOCKER_HUB_SERVER


def docker_config_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the file: $DOCKER_CONFIG/config.json, or ~/.docker/config.json."""
    return Path(docker_config_place(environment))


class DockerConfigCredentials(CredentialStore):
    """The keys auths, credsStore and credHelpers of ``path`` (Docker's cli/config/configfile).

    Keys are servers and whole names of repositories (go-containerregistry's authn). Helpers are run
    with ``run``: inside a user namespace they would not find their keyring.
    """

    def __init__(self, path: Path, run: HelperRunner = run_here) -> None:
        self.path = path
        self._run = run

    def get(self, server: str, repository: str = "") -> Credentials | None:
        document = self._read()
        for key in self.keys(server, repository):
            helper = self._helper(document, key, alone=key == server)
            found = helper.get() if helper is not None else None
            found = found or self._in_file(document, key)
            if found is not None:
                return found
        return None

    def keys(self, server: str, repository: str) -> list[str]:
        """Return the keys to look up, the most specific first."""
        return [f"{server}/{repository}", server] if repository else [server]

    def is_key_of(self, key: str, server: str) -> bool:
        """Tell whether a key stands for ``server``; old files have URLs on the host."""
        return server in (key, _host(key))

    def put(self, server: str, credentials: Credentials) -> None:
        with self._locked():
            document = self._read()
            helper = self._helper(document, server)
            if helper is not None:
                helper.put(credentials)
            auths = self.auths(document)
            # Docker leaves an empty entry as the record of a login.
            auths[server] = {} if helper is not None else _entry(credentials)
            self._write({**document, "auths": auths})

    def remove(self, server: str) -> bool:
        with self._locked():
            document = self._read()
            helper = self._helper(document, server)
            is_known = helper is not None and helper.get() is not None
            if helper is not None and is_known:
                helper.remove()
            auths = self.auths(document)
            kept = {key: auth for key, auth in auths.items() if not self.is_key_of(key, server)}
            if len(kept) < len(auths):
                self._write({**document, "auths": kept})
            return is_known or len(kept) < len(auths)

    def _in_file(self, document: dict[str, object], key: str) -> Credentials | None:
        """Return the entry for ``key``, or for a URL on the same host, as in old files."""
        auths = self.auths(document)
        entry = auths.get(key)
        if entry is None:
            same = (auth for known, auth in auths.items() if self.is_key_of(known, key))
            entry = next(same, None)
        if not isinstance(entry, dict):
            return None
        try:
            return _credentials(entry)
        except ValueError as error:
            raise self._unreadable(f"the entry {key!r} is invalid: {error}") from None

    def _helper(
        self, document: Mapping[str, object], key: str, *, alone: bool = True
    ) -> CredentialHelper | None:
        """Return the helper that stores ``key``; credsStore is only used for whole servers.

        Docker Hub may be in credHelpers under its other names, which its helper then uses
        (containers/image, config.go).
        """
        helpers = document.get("credHelpers")
        named = helpers if isinstance(helpers, dict) else {}
        others = DOCKER_HUB_NAMES if key == DOCKER_HUB_SERVER else ()
        known_as = next((each for each in (key, *others) if named.get(each)), key)
        name = named.get(known_as) or (document.get("credsStore") if alone else None)
        if not isinstance(name, str) or not name:
            return None
        return CredentialHelper(name, known_as, self._run)

    def auths(self, document: dict[str, object]) -> dict[str, object]:
        """Return the entries by their keys. Raises CredentialsUnreadable."""
        auths = document.get("auths") or {}
        if not isinstance(auths, dict):
            raise self._unreadable("auths is no object")
        return auths

    def _read(self) -> dict[str, object]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(getattr(error, "strerror", None) or str(error)) from error
        return self._parsed(text)

    def _parsed(self, text: str) -> dict[str, object]:
        try:
            document = parse_json(text) if text.strip() else {}
        except InvalidJson as error:
            raise self._unreadable(error.message) from None
        if not isinstance(document, dict):
            raise self._unreadable("it holds no object")
        return document

    def _write(self, document: Mapping[str, object]) -> None:
        """Replace the file atomically; if it is a link, replace its target."""
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
        """Lock the file against other img processes while it is read, changed and written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with suppress(NoLocks):  # a home directory on Lustre: the file is replaced whole
                    wait_for_lock(folder)
                yield
            finally:
                os.close(folder)
        except OSError as error:
            raise self._unreadable(f"it cannot be written: {error.strerror}") from error

    def _unreadable(self, why: str) -> CredentialsUnreadable:
        return CredentialsUnreadable(f"credentials file {self.path}: {why}")


class DockerAuthVariable(DockerConfigCredentials):
    """The content of a config.json in $DOCKER_AUTH_CONFIG (docker/cli, "DOCKER_AUTH_CONFIG").

    It cannot be changed.
    """

    def __init__(self, text: str, run: HelperRunner = run_here) -> None:
        super().__init__(Path("$DOCKER_AUTH_CONFIG"), run)
        self._text = text

    def _read(self) -> dict[str, object]:
        return self._parsed(self._text)


def _host(key: str) -> str:
    """Return the host of a URL, or the key itself (Docker's credentials.ConvertToHostname)."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _credentials(entry: Mapping[str, object]) -> Credentials | None:
    """Return the credentials of an ``auths`` entry, None if it is empty. Raises ValueError."""
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
    # As Go's decoder: base64(1) wraps lines, and editors end them.
    auth = auth.replace("\r", "").replace("\n", "")
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

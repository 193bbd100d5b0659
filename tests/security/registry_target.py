"""A registry that answers what it likes, as a target of the fuzzer: the real client asks it."""

import base64
import gc
import io
import itertools
import json
import random
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from dependency_injector import providers

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connections import Access
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.limits import Limits
from img.adapters.registry.mirrored import MirroredRegistry
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.registries import Endpoint, RegistryRule, RegistryRules
from img.entrypoints.settings import host_platform
from tests.security.connections_watch import ConnectionsWatch, distance
from tests.security.document_targets import CONFIG, LAYER, described, index_of, manifest_of
from tests.security.hostile_documents import DocumentMaker, Json
from tests.security.in_process import Beside, InProcess
from tests.security.registry_answers import (
    CHALLENGES,
    HEADERS,
    ODD_STATUSES,
    STATUSES,
    URLS,
    VALUES,
)
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_PASSWORD = "hunter2-of-the-user"
_MOST_REQUESTS = 600
_BEFORE_COLLECTING = 25  # inputs
_LISTED = 300  # names of a list that are read
_GZIP = 31  # wbits of zlib for it
_SECRETS = (_PASSWORD.encode(), base64.b64encode(f"user:{_PASSWORD}".encode()))
_HOSTS = ("registry.test", "registry.test", "near.test", "127.0.0.1")
_NAMES = {
    "registry.test": "151.101.1.1",
    "near.test": "192.168.3.4",
    "localhost": "127.0.0.1",
    "inner.example": "10.1.2.3",
    "rebound.example": "127.0.0.1",
    "six.example": "::1",
    "link.example": "169.254.169.254",
    "public.example": "93.184.216.34",
}
_LIMITS = Limits(connect_s=2.0, read_s=2.0, commit_s=2.0, part=100_000)
_UPLOADED = bytes(range(256)) * 1500  # some parts
_KINDS = (media_types.OCI_MANIFEST, media_types.OCI_INDEX, media_types.DOCKER_MANIFEST)


@cache
def _bomb() -> bytes:
    squeezed, zeros = zlib.compressobj(9, wbits=_GZIP), bytes(1 << 20)
    return b"".join([*(squeezed.compress(zeros) for _ in range(400)), squeezed.flush()])


class Script:
    """The answers to one client, decided by a seed; few to many of them are wrong."""

    def __init__(self, seed: int, ports: dict[str, int]) -> None:
        self._rng = rng = random.Random(seed)
        self._maker = DocumentMaker(rng)
        self._ports = ports
        self._oddness = rng.choice((0.0, 0.05, 0.15, 0.15, 0.3, 0.7))
        self.operation = rng.choice(list(_OPERATIONS))
        self.host = rng.choice(_HOSTS)
        self.requests = 0
        self._wants_a_login = rng.random() < 0.3
        self._received = 0
        self.realms: set[tuple[str, int, str]] = set()
        config = self._document(CONFIG)
        manifest = self._document(manifest_of(config))
        self.blobs = {f"{Digest.of(blob)}": blob for blob in (LAYER, config)}
        self.documents = {f"{Digest.of(manifest)}": manifest}
        self.top, self.kind = manifest, media_types.OCI_MANIFEST
        if rng.random() < 0.3:
            self.top, self.kind = self._document(index_of(manifest)), media_types.OCI_INDEX

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        self.requests += 1
        if self.requests > _MOST_REQUESTS:
            return Answer(status=410)
        right = self._login(request) or self._right(request)
        if self._rng.random() >= self._oddness:
            return right
        return self._wrong(right)

    def _login(self, request: Request) -> Answer | None:
        """Return a challenge for a request without credentials, if the server wants any."""
        if not self._wants_a_login or "Authorization" in request.headers:
            return None
        if request.path.startswith("/token"):
            return None
        realm = f"http://{request.headers['Host']}/token"
        self.realms.add(_place_of(realm))
        ways = [f'Bearer realm="{realm}",service="s"', 'Basic realm="x"']
        self._rng.shuffle(ways)
        chosen = ways[: self._rng.randrange(1, 3)]
        return Answer(status=401, headers={"WWW-Authenticate": ", ".join(chosen)})

    def _right(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/v2/":
            return Answer(body=b"{}")
        if path == "/token":
            return self._json({"token": "t", "expires_in": 60, "access_token": "t"})
        if found := re.fullmatch(r"/v2/.*/manifests/(.*)", path):
            if request.method == "PUT":
                return Answer(status=201, headers={"Docker-Content-Digest": f"{found[1]}"})
            content = self.documents.get(found[1], self.top)
            kind = self.kind if content is self.top else media_types.OCI_MANIFEST
            digest = f"{Digest.of(content)}"
            headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
            return Answer(headers=headers, body=content)
        if "/blobs/uploads/" in path:
            status = {"POST": 202, "PATCH": 202, "PUT": 201}.get(request.method, 204)
            self._received = 0 if request.method == "POST" else self._received + len(request.body)
            place = {"Location": "/v2/fuzzed/blobs/uploads/1?x=y"}
            return Answer(
                status=status, headers={**place, "Range": f"0-{max(self._received - 1, 0)}"}
            )
        if found := re.fullmatch(r"/v2/.*/blobs/(.*)", path):
            blob = self.blobs.get(found[1])
            return Answer(status=404) if blob is None else Answer(body=blob)
        if path.endswith("/tags/list"):
            return self._json({"name": "fuzzed", "tags": ["a", "latest", "b"]})
        if path.endswith("/_catalog"):
            return self._json({"repositories": ["fuzzed", "other"]})
        if "/referrers/" in path:
            return self._json(index_of(self.top))
        return Answer(status=404, body=b'{"errors":[{"code":"UNKNOWN","message":"x"}]}')

    def _wrong(self, right: Answer) -> Answer:
        rng = self._rng
        status, headers, body, cut = right.status, dict(right.headers), right.body, None
        for _ in range(rng.choice((1, 1, 2, 3))):
            match rng.randrange(10):
                case 0 | 1 | 2:
                    status = rng.choice(STATUSES if rng.random() < 0.8 else ODD_STATUSES)
                    if status in (301, 302, 303, 307, 308, 201, 202):
                        headers["Location"] = self._url()
                    if status == 401:
                        headers["WWW-Authenticate"] = self._challenge()
                case 3 | 4:
                    headers[rng.choice(HEADERS)] = rng.choice(VALUES)
                case 5:
                    headers["Link"] = f'<{self._url()}>; rel="next"'
                    if rng.random() < 0.3:
                        headers["Link"] = f'</v2/_catalog?n=1&last={self.requests}>; rel="next"'
                case 6:
                    headers["WWW-Authenticate"], status = self._challenge(), 401
                case 7:
                    error = {"errors": [{"code": "DENIED", "message": "x", "detail": {}}]}
                    body = self._maker.rendered(self._maker.changed(_json_or(body, error)))
                case 8:
                    cut = rng.randrange(len(body) + 1)
                case _:
                    body = rng.choice((b"", b"x", rng.randbytes(2000), b"[" * 200_000))
                    if rng.random() < 0.03:
                        body, headers["Content-Encoding"] = _bomb(), "gzip"
        if {"Content-Length", "Transfer-Encoding"} & headers.keys():
            cut = len(body)  # or the client waits for the rest until its patience ends
        return Answer(status=status, headers=headers, body=body, cut=cut)

    def _document(self, document: Json) -> bytes:
        if self._rng.random() < 0.6:
            return json.dumps(document).encode()
        return self._maker.rendered(self._maker.changed(document))

    def _json(self, document: Json) -> Answer:
        return Answer(headers={"Content-Type": "application/json"}, body=self._document(document))

    def _url(self) -> str:
        return self._rng.choice(URLS).format(**self._ports)

    def _challenge(self) -> str:
        url = self._url()
        self.realms.add(_place_of(url))
        return self._rng.choice(CHALLENGES).format(url=url, **self._ports)


def _is_plain(name: str) -> bool:
    return name.partition(":")[0] in _HOSTS


def _go_on(_seconds: float) -> None:
    """Wait for nothing."""


def _place_of(url: str) -> tuple[str, int, str]:
    """Return the host, port and path of a URL, without its credentials."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or 80, parts.path.removesuffix("/")
    except ValueError:
        return "", 0, ""


def _json_or(body: bytes, other: Json) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return other


@dataclass(frozen=True)
class Client:
    """A client of the registry."""

    img: InProcess
    registry: OrasRegistry
    contents: OrasRegistryContents
    name: ImageReference


def _pull(client: Client) -> None:
    client.img.container.images.pull_image()(client.name, host_platform())


def _push(client: Client) -> None:
    content = _UPLOADED
    blob = Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size=len(content)
    )
    client.registry.has_blob(client.name, blob.digest)
    client.registry.mount_blob(client.name, blob, client.name)
    client.registry.push_blob(client.name, blob, io.BytesIO(content))
    manifest = manifest_of(b"{}")
    manifest["subject"] = described(content, media_types.OCI_MANIFEST)
    client.registry.push_manifest(
        client.name, json.dumps(manifest).encode(), media_types.OCI_MANIFEST
    )


def _pull_from_mirrors(client: Client) -> None:
    home = client.name
    mirrors = (Endpoint(location=f"{home.domain}/a"), Endpoint(location=f"{home.domain}/b"))
    rules = RegistryRules(rules=(RegistryRule(prefix=home.repository, mirrors=mirrors),))
    mirrored = MirroredRegistry(client.registry, lambda: rules)
    client.img.container.registries.registry.override(providers.Object(mirrored))
    client.img.container.images.transfer.reset()
    _pull(client)


def _list(client: Client) -> None:
    list(itertools.islice(client.contents.tags(client.name), _LISTED))
    list(itertools.islice(client.contents.repositories(client.name.domain), _LISTED))
    list(itertools.islice(client.contents.referrers(client.name, Digest.of(b"")), _LISTED))
    client.contents.delete(client.name)


def _log_in(client: Client) -> None:
    credentials = Credentials(username="user", password=_PASSWORD)
    client.registry.check_login(client.name.domain, credentials)


_OPERATIONS: dict[str, Callable[[Client], None]] = {
    "pull": _pull,
    "pull, again": _pull,
    "pull from mirrors": _pull_from_mirrors,
    "push": _push,
    "push, again": _push,
    "list": _list,
    "log in": _log_in,
}


class Registry(Beside[int]):
    """The real client and a hostile registry; ``given`` is the seed of its answers."""

    name = "registry"
    cpu_limit_s = 10.0  # the server's part is in it, and what it says may be a bomb

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.img = InProcess(place)
        self.watch = ConnectionsWatch(_NAMES)
        self.script = Script(0, {"port": 1, "other": 2})
        self.server = ScriptedServer(self._answer)
        self.server.__enter__()
        self._told = ""
        self._taken = 0

    def _answer(self, request: Request) -> Answer:
        return self.script.answer(request)

    def close(self) -> None:
        self.server.__exit__(None, None, None)
        self.watch.close()
        self.img.close()

    def make(self, rng: random.Random) -> int:
        return rng.randrange(1 << 60)

    def take(self, given: int) -> None:
        self._taken += 1
        if self._taken % _BEFORE_COLLECTING == 0:
            gc.collect()  # clients with open connections: the server has a thread for each
        port = int(self.server.address.rpartition(":")[2])
        self.script = Script(given, {"port": port, "other": 1 + port % 60000})
        host = f"{self.script.host}:{port}"
        self.watch.routes = {(_NAMES.get(self.script.host, self.script.host), port): port}
        self._told = ""
        client = self._client(host)
        try:
            with self.watch.watching():
                _OPERATIONS[self.script.operation](client)
        except ImgError as error:
            self._told = f"{error.message} {error.hint}"
            raise
        finally:
            self.server.requests.clear()

    def _client(self, host: str) -> Client:
        credentials = MemoryCredentials()
        credentials.put(host, Credentials(username="user", password=_PASSWORD))
        access = Access(credentials=credentials, insecure=_is_plain, sleep=_go_on, limits=_LIMITS)
        registry = OrasRegistry(
            credentials=credentials, insecure=_is_plain, sleep=_go_on, limits=_LIMITS
        )
        provider = self.img.container.registries.registry
        provider.reset_override()  # or all clients of the run stay, with their connections
        provider.override(providers.Object(registry))
        self.img.container.images.transfer.reset()
        return Client(
            img=self.img,
            registry=registry,
            contents=OrasRegistryContents(access),
            name=ImageReference.parse(f"{host}/fuzzed:latest"),
        )

    def _is_asked_for(self, data: bytes) -> bool:
        """Tell whether a request goes to a token server that the registry named: it may know."""
        first, _, rest = data.partition(b"\r\n")
        host = re.search(rb"(?im)^host: (\S+)", rest)
        path = first.split(b" ")[1].partition(b"?")[0] if b" " in first else b""
        place = _place_of(f"http://{host[1].decode() if host else ''}{path.decode()}")
        return place in self.script.realms

    def broken(self) -> str:
        own = distance(_NAMES.get(self.script.host, self.script.host))
        for address, data in self.watch.sent:
            # No server may redirect to the metadata addresses of clouds, not even a near one.
            if min(distance(address), own) != own or distance(address) == 1:
                return f"{self.script.host} made us send {data[:80]!r} to {address}"
            if any(secret in data for secret in _SECRETS) and not self._is_asked_for(data):
                return f"{self.script.host} made us tell the password to {address}"
        if self.script.requests > _MOST_REQUESTS:
            return f"asked the registry {self.script.requests} times"
        if _PASSWORD in self._told:
            return f"told the password: {self._told}"
        return super().broken()

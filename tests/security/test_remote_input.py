"""Any response of a registry, a token server or a web server gives a value or an error.

Nothing is sent to where they must not lead us, and nothing grows without bound.
"""

import base64
import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

import pytest

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.index_store.memory import MemoryIndexStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.registry.connections import Access, Connections
from img.adapters.registry.contents import OrasRegistryContents
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.pages import pages
from img.adapters.registry.request import reading
from img.adapters.web.requests import RequestsWebFetcher
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError
from img.application.ports.web import WebError, WebRequest
from img.application.transfer.blobs import Transfer
from img.application.transfer.pull_documents import fetch_image
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.host.machine import REPOSITORY, lacking
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_DEEP = b"[" * 60_000
_DIGITS = "9" * 5000
_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)
_MANIFEST = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"{}"), size=2)
_ADA = Credentials(username="ada", password="lovelace")

Serve = Callable[[Request], Answer]
Use = Callable[["Client"], object]


class Client:
    """Everything that img does with a registry."""

    def __init__(self, server: ScriptedServer, credentials: Credentials | None = None) -> None:
        store = MemoryCredentials({server.address: credentials} if credentials else {})
        access = Access(credentials=store, sleep=lambda _: None)
        self.name = ImageReference(domain=server.address, path="team/app", tag="v1")
        self.registry = OrasRegistry(credentials=store, sleep=lambda _: None)
        self.contents = OrasRegistryContents(access)
        self.connections = Connections(access)

    def pull(self) -> object:
        transfer = Transfer(
            blobs=MemoryBlobStore(),
            origins=MemoryBlobOrigins(),
            indexes=MemoryIndexStore(),
            archive=TarLayerArchive(),
            registry=self.registry,
        )
        return fetch_image(self.registry, transfer, self.name, Platform("linux", "amd64")).image

    def push(self) -> None:
        self.registry.push_blob(self.name, _BLOB, io.BytesIO(b"layer"))

    def blob(self) -> bytes:
        with self.registry.open_blob(self.name, _BLOB) as stream:
            return stream.read()

    def tags(self) -> list[str]:
        return list(self.contents.tags(self.name))

    def everything(self) -> None:
        uses: list[Callable[[], object]] = [
            self.pull,
            self.push,
            self.blob,
            self.tags,
            lambda: list(self.contents.repositories(self.name.domain)),
            lambda: list(self.contents.referrers(self.name, _BLOB.digest)),
            lambda: self.registry.mount_blob(self.name, _BLOB, self.name),
            lambda: self.registry.push_manifest(self.name, b"{}", media_types.OCI_MANIFEST),
            lambda: self.contents.delete(self.name),
            lambda: self.registry.check_login(self.name.domain, _ADA),
        ]
        for use in uses:
            try:
                use()
            except ImgError as error:
                assert error.message  # a message is all that is promised


def _ping_or(answer: Answer) -> Serve:
    return lambda request: Answer() if request.path == "/v2/" else answer


def _with_token(body: bytes) -> Serve:
    def serve(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(body=body)
        realm = f'Bearer realm="http://{request.headers["Host"]}/token"'
        return Answer(status=401, headers={"WWW-Authenticate": realm})

    return serve


def _headers(status: int, **headers: str) -> Serve:
    return _ping_or(
        Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})
    )


_HOSTILE: Mapping[str, Serve] = {
    "deep document": _ping_or(Answer(body=_DEEP)),
    "deep field": _ping_or(Answer(body=b'{"a":' + _DEEP)),
    "deep error": _ping_or(Answer(status=403, body=_DEEP)),
    "deep token": _with_token(_DEEP),
    "huge number": _ping_or(Answer(body=b'{"schemaVersion":%s}' % _DIGITS.encode())),
    "infinite number": _ping_or(Answer(body=b'{"schemaVersion":1e999}')),
    "a list of errors that is none": _ping_or(Answer(status=403, body=b'{"errors":[1,[],"a"]}')),
    "token of a euro": _with_token('{"token":"\u20ac"}'.encode()),
    "token with a line end": _with_token(b'{"token":"a\\r\\nX-Evil: 1"}'),
    "token that is a list": _with_token(b'{"token":["a"]}'),
    "token for ever": _with_token(b'{"token":"x","expires_in":1e999}'),
    "token for many digits": _with_token(b'{"token":"x","expires_in":%s}' % _DIGITS.encode()),
    "token for text": _with_token(b'{"token":"x","expires_in":"soon"}'),
    "half a surrogate pair": _ping_or(Answer(body=b'{"tags":["\\ud800"],"repositories":["x"]}')),
    "long length": _headers(200, Docker_Content_Digest=str(_MANIFEST.digest), ETag=_DIGITS),
    "long limit": _headers(429, ratelimit_limit=_DIGITS, ratelimit_remaining="0"),
    "long window": _headers(
        429, ratelimit_limit=f"1;w={'9' * 400}", ratelimit_remaining="0", Retry_After=_DIGITS
    ),
    "date that there is not": _headers(503, Retry_After="Tue, 99 Nov 9999 99:99:99 +9999"),
    "long chunk": _headers(202, Location="/u", OCI_Chunk_Min_Length=_DIGITS, Range=f"0-{_DIGITS}"),
    "brackets": _headers(307, Location="http://[::1/x"),
    "no port": _headers(307, Location="http://127.0.0.1:99999/x"),
    "no letters": _headers(307, Location="http://\xe9\xff/"),
    "upload to no URL": _headers(202, Location="http://[::1/x"),
    "upload with control characters": _headers(202, Location="/u\x1b[31m"),
    "link to no URL": _ping_or(
        Answer(headers={"Link": '<http://[::1/x>; rel="next"'}, body=b'{"tags":["a"]}')
    ),
    "many links": _ping_or(Answer(headers={"Link": "<>;" * 20_000}, body=b'{"tags":["a"]}')),
    "challenge without end": _headers(401, WWW_Authenticate='Bearer realm="' + '\\"' * 30_000),
    "realm that is no URL": _headers(401, WWW_Authenticate='Bearer realm="http://[::1/token"'),
    "redirects for ever": _headers(302, Location="/v2/again"),
}


@pytest.mark.parametrize("serve", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_every_answer_is_a_value_or_an_error(serve: Serve) -> None:
    with ScriptedServer(serve) as server:
        Client(server, _ADA).everything()


def test_nested_indexes_are_not_followed_one_by_one() -> None:
    contents: dict[str, bytes] = {}
    target = _MANIFEST
    for _ in range(2000):
        content = encode_index(Index(manifests=(target,)))
        target = Descriptor(
            media_type=media_types.OCI_INDEX, digest=Digest.of(content), size=len(content)
        )
        contents[str(target.digest)] = content

    def serve(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        content = contents.get(str(target.digest) if name == "v1" else name, b"{}")
        digest = {"Docker-Content-Digest": str(Digest.of(content))}
        return Answer(headers={"Content-Type": media_types.OCI_INDEX, **digest}, body=content)

    with ScriptedServer(serve) as server:
        with pytest.raises(ImgError, match="more than 8 indexes in one another"):
            Client(server).pull()
        assert len(server.requests) < 15


def test_pages_end() -> None:
    def serve(request: Request) -> Answer:
        number = int(request.path.rpartition("=")[2]) if "=" in request.path else 0
        return Answer(headers={"Link": f'</v2/x?page={number + 1}>; rel="next"'}, body=b"{}")

    with ScriptedServer(serve) as server:
        client = Client(server)
        connection = client.connections.to(client.name)
        with pytest.raises(RegistryError, match="more than 5 pages"):
            list(pages(connection, reading("GET", client.name, "/v2/x", {}), most=5))
        assert len(server.asked("GET", "/v2/x")) == 5


def test_the_challenge_of_a_redirects_target_gets_no_password() -> None:
    def stranger(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(body=b'{"token":"x"}')
        realm = f'Bearer realm="http://{request.headers["Host"]}/token"'
        return Answer(status=401, headers={"WWW-Authenticate": realm})

    with ScriptedServer(stranger) as storage:
        redirect = _headers(307, Location=f"http://{storage.address}/blob")
        with ScriptedServer(redirect) as server, pytest.raises(RegistryError):
            Client(server, _ADA).blob()

        assert storage.asked("GET", "/blob")
        assert storage.asked("GET", "/token") == []
        assert [r for r in storage.requests if "Authorization" in r.headers] == []


@pytest.mark.parametrize(
    ("status", "headers"),
    [(301, {"Location": "/v2"}), (302, {"Location": "/login"}), (400, {}), (401, {}), (404, {})],
)
def test_http_on_loopback_is_known_by_every_answer(status: int, headers: dict[str, str]) -> None:
    def serve(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer(status=status, headers=headers)
        return Answer(body=b'{"tags":["one"]}')

    with ScriptedServer(serve) as server:
        assert Client(server).tags() == ["one"]


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[::1/", "file:///x"],
)
def test_a_download_is_not_led_astray(location: str) -> None:
    with ScriptedServer(_headers(302, Location=location)) as server:
        request = WebRequest(url=f"http://ada:lovelace@{server.address}/file")
        with (
            pytest.raises(WebError) as caught,
            RequestsWebFetcher().get(request, Event()) as answer,
        ):
            b"".join(answer.content)

    assert "lovelace" not in caught.value.message


# In a network of its own, where 9.9.9.9 is the address of a server that seems to be of the
# internet, and names have the addresses that an attacker gives them, another one each time.
_ELSEWHERE = """
import contextlib, itertools, socket, sys
sys.path.insert(0, {repository!r})
from tests.security.test_remote_input import Client
from img.adapters.registry.limits import Limits
from img.adapters.web.requests import RequestsWebFetcher
from img.application.ports.web import WebRequest
from img.domain.errors import ImgError
from tests.support.servers.scripted_server import Answer, ScriptedServer
from pathlib import Path
from threading import Event

real = socket.getaddrinfo
names = {{"public.test": ["9.9.9.9"], "inside.test": ["127.0.0.1"],
         "changing.test": itertools.chain(["9.9.9.9"], itertools.repeat("127.0.0.1"))}}
def lookup(host, *args, **options):
    found = names.get(host, [host])
    return real(next(found) if hasattr(found, "__next__") else found[0], *args, **options)
socket.getaddrinfo = lookup

inside = []
def private(request):
    inside.append(request.path)
    return Answer(body=b"secret of the network")

with ScriptedServer(private, host="127.0.0.1") as secret:
    port = secret.address.rpartition(":")[2]
    for target in ("127.0.0.1", "localhost", "inside.test", "changing.test", "[::ffff:127.0.0.1]",
                   "0x7f.1", "2130706433", "127.1"):
        redirect = lambda request: Answer(
            status=307, headers={{"Location": f"http://{{target}}:{{port}}/secret"}})
        with ScriptedServer(redirect, host="9.9.9.9") as public:
            where = public.address.rpartition(":")[2]
            if target == "changing.test":
                lookup("changing.test", None)
            fetcher = RequestsWebFetcher()
            try:
                request = WebRequest(url=f"http://public.test:{{where}}/file")
                with fetcher.get(request, Event()) as answer:
                    print("got", b"".join(answer.content))
            except ImgError as error:
                print(target, error.message)
    with ScriptedServer(lambda _: Answer(body=b"fine"), host="9.9.9.9") as public:
        where = public.address.rpartition(":")[2]
        request = WebRequest(url=f"http://public.test:{{where}}/")
        with RequestsWebFetcher().get(request, Event()) as answer:
            print("allowed", b"".join(answer.content))
print("inside", inside)
"""


def test_a_server_of_the_internet_does_not_reach_this_machine_through_us() -> None:
    script = textwrap.dedent(_ELSEWHERE).format(repository=str(REPOSITORY))
    network = 'ip link set lo up && ip addr add 9.9.9.9/32 dev lo && exec "$@"'
    command = ["unshare", "-n", *([] if os.geteuid() == 0 else ["-r"]), "sh", "-c", network, "sh"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        lacking("no network namespace can be made with an address of its own")

    done = subprocess.run(
        [*command, sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["allowed b'fine'", "inside []"], done.stdout
    assert len(lines) == 10
    assert all("an address of this machine" in line for line in lines[:-2]), done.stdout


def test_credentials_are_not_in_errors() -> None:
    with ScriptedServer(lambda _: Answer(status=404)) as server:
        basic = base64.b64encode(b"ada:lovelace").decode()
        request = WebRequest(url=f"http://ada:lovelace@{server.address}/x?a=1")
        with pytest.raises(WebError) as caught, RequestsWebFetcher().get(request, Event()):
            pass

        assert server.requests[0].headers["Authorization"] == f"Basic {basic}"
        assert server.requests[0].path == "/x?a=1"
    assert "lovelace" not in caught.value.message


@pytest.mark.parametrize("stdin", [b"p\xe9\n", b"\xff\xfe"])
def test_a_password_in_another_encoding_is_refused(stdin: bytes, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "img", "login", "-u", "ada", "--password-stdin", "127.0.0.1:1"],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env={"HOME": str(tmp_path), "IMG_STATE": str(tmp_path / "state"), "LANG": "C.UTF-8"},
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == b"Error: the user name or the password is not UTF-8\n"

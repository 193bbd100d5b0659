"""A registry in memory, on the loopback interface, for tests (distribution-spec 1.1)."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qs, urlsplit

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/(?P<reference>[\w.:+-]+)")
_BLOB = re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>[a-z0-9]+:[0-9a-f]+)")
_UPLOADS = re.compile(rf"/v2/{_NAME}/blobs/uploads/")
_UPLOAD = re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<number>\d+)")
_TAGS = re.compile(rf"/v2/{_NAME}/tags/list")
_REFERRERS = re.compile(rf"/v2/{_NAME}/referrers/(?P<digest>[a-z0-9]+:[0-9a-f]+)")
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest or index, as it was pushed."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The digest of the content."""
        return _digest_of(self.content)


@dataclass(slots=True)
class _Repository:
    manifests: dict[str, StoredManifest] = field(default_factory=dict)  # by digest
    tags: dict[str, str] = field(default_factory=dict)


class LoopbackRegistry:
    """A registry that keeps everything in memory; a context manager, or ``start`` and ``stop``.

    It accepts every push, has no credentials, and speaks plain HTTP, which img uses for loopback
    addresses. Requests are answered by threads.
    """

    def __init__(self) -> None:
        self._repositories: dict[str, _Repository] = {}
        self._blobs: dict[str, bytes] = {}
        self._uploads: dict[int, bytearray] = {}
        self._begun = 0
        self._turn = threading.Lock()
        self.requests: list[str] = []  # methods and paths, in the order of their arrival
        self._server = self._bound(0)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer requests; after ``stop`` at the same port, with the same contents.

        Raises RuntimeError if it has begun, OSError if another process has taken the port.
        """
        if self._thread is not None:
            raise RuntimeError("the registry has been started")
        if self._server.fileno() < 0:
            self._server = self._bound(self._server.server_port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="registry", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Answer no more requests, and close the port. Idempotent; ``start`` opens it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._server.shutdown()
            thread.join()
        self._server.server_close()

    def _bound(self, port: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"registry": self})
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        server.daemon_threads = True
        return server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def name(self, path: str) -> str:
        """Return the name of an image here: ``name("team/app:1")``."""
        return f"{self.address}/{path}"

    @property
    def repositories(self) -> list[str]:
        """The names of the repositories, sorted."""
        with self._turn:
            return sorted(self._repositories)

    def tags(self, repository: str) -> Mapping[str, str]:
        """Return the tags of a repository and their digests; none for an unknown repository."""
        with self._turn:
            found = self._repositories.get(repository)
            return dict(sorted(found.tags.items())) if found else {}

    def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return the manifest with a tag or a digest, None if there is none."""
        with self._turn:
            found = self._repositories.get(repository)
            if found is None:
                return None
            return found.manifests.get(found.tags.get(reference, reference))

    def set_tag(self, repository: str, tag: str, digest: str) -> None:
        """Move a tag to a manifest of the repository. Raises KeyError for an unknown one."""
        with self._turn:
            found = self._repositories[repository]
            found.tags[tag] = found.manifests[digest].digest

    def blob(self, digest: str) -> bytes | None:
        """Return the content of a blob, None if there is none."""
        return self._blobs.get(digest)

    def put_manifest(self, repository: str, reference: str, manifest: StoredManifest) -> bool:
        """Store a manifest under a tag or its digest; return False for another digest."""
        if ":" in reference and reference != manifest.digest:
            return False
        with self._turn:
            place = self._repositories.setdefault(repository, _Repository())
            place.manifests[manifest.digest] = manifest
            if ":" not in reference:
                place.tags[reference] = manifest.digest
        return True

    def referrers(self, repository: str, digest: str) -> list[dict[str, object]]:
        """Return the descriptors of the manifests with the subject ``digest``."""
        with self._turn:
            place = self._repositories.get(repository, _Repository())
            stored = list(place.manifests.values())
        found: list[dict[str, object]] = []
        for each in stored:
            document = json.loads(each.content)
            if document.get("subject", {}).get("digest") != digest:
                continue
            artifact_type = document.get("artifactType") or document["config"]["mediaType"]
            found.append(
                {
                    "mediaType": each.media_type,
                    "digest": each.digest,
                    "size": len(each.content),
                    "artifactType": artifact_type,
                    "annotations": document.get("annotations", {}),
                }
            )
        return found

    def begin_upload(self) -> int:
        """Return the number of a new upload."""
        with self._turn:
            self._begun += 1
            self._uploads[self._begun] = bytearray()
            return self._begun

    def received(self, number: int) -> bytearray | None:
        """Return the bytes of an upload so far, None if there is no such upload."""
        return self._uploads.get(number)

    def end_upload(self, number: int, digest: str) -> bool:
        """Store an upload as a blob; return False if its digest is another one."""
        content = bytes(self._uploads.pop(number))
        if _digest_of(content, digest.partition(":")[0]) != digest:
            return False
        self._blobs[digest] = content
        return True


class _Handler(BaseHTTPRequestHandler):
    """Answers to the requests of one connection."""

    protocol_version = "HTTP/1.1"
    registry: ClassVar[LoopbackRegistry]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.registry.requests.append(f"{self.command} {path}")
        if path == "/v2/":
            self._answer(HTTPStatus.OK, b"{}", {"Content-Type": "application/json"})
        elif path == "/v2/_catalog":
            self._json({"repositories": self.registry.repositories})
        elif found := _MANIFEST.fullmatch(path):
            self._send_manifest(found["name"], found["reference"])
        elif found := _BLOB.fullmatch(path):
            self._send_blob(found["digest"])
        elif found := _TAGS.fullmatch(path):
            tags = list(self.registry.tags(found["name"]))
            self._json({"name": found["name"], "tags": tags})
        elif found := _REFERRERS.fullmatch(path):
            manifests = self.registry.referrers(found["name"], found["digest"])
            document = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}
            self._json(document, _INDEX)
        elif found := _UPLOAD.fullmatch(path):
            self._accepted(found["name"], int(found["number"]), HTTPStatus.NO_CONTENT)
        else:
            self._fail(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")

    do_HEAD = do_GET  # noqa: N815 (the same, without the body)

    def do_POST(self) -> None:
        body = self._body()
        found = _UPLOADS.fullmatch(urlsplit(self.path).path)
        if found is None:
            self._fail(HTTPStatus.NOT_FOUND, "NAME_UNKNOWN")
            return
        query = self._query()
        if self.registry.blob(query.get("mount", "")) is not None:
            self._created(found["name"], query["mount"])
            return
        number = self.registry.begin_upload()
        if "digest" in query:
            self._extend(number, body)
            self._finish(found["name"], number, query["digest"])
        else:
            self._accepted(found["name"], number, HTTPStatus.ACCEPTED)

    def do_PATCH(self) -> None:
        body = self._body()
        found = _UPLOAD.fullmatch(urlsplit(self.path).path)
        if found is None or not self._extend(int(found["number"]), body):
            self._fail(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
            return
        self._accepted(found["name"], int(found["number"]), HTTPStatus.ACCEPTED)

    def do_PUT(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        if found := _MANIFEST.fullmatch(path):
            media_type = self.headers.get("Content-Type", "")
            manifest = StoredManifest(media_type, body)
            if self.registry.put_manifest(found["name"], found["reference"], manifest):
                self._created(found["name"], manifest.digest, "manifests")
            else:
                self._fail(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")
        elif (found := _UPLOAD.fullmatch(path)) and self._extend(int(found["number"]), body):
            self._finish(found["name"], int(found["number"]), self._query().get("digest", ""))
        else:
            self._fail(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")

    def log_message(self, *_: object) -> None:
        """Write no log: pytest would show it as output of the test."""

    def _send_manifest(self, repository: str, reference: str) -> None:
        manifest = self.registry.manifest(repository, reference)
        if manifest is None:
            self._fail(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN")
            return
        headers = {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": manifest.digest,
        }
        self._answer(HTTPStatus.OK, manifest.content, headers)

    def _send_blob(self, digest: str) -> None:
        content = self.registry.blob(digest)
        if content is None:
            self._fail(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
            return
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(HTTPStatus.OK, content, headers)
            return
        start, end = int(wanted[1]), int(wanted[2] or len(content) - 1)
        part = content[start : end + 1]
        if not part:
            self._fail(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "RANGE_INVALID")
            return
        last = start + len(part) - 1
        place = {"Content-Range": f"bytes {start}-{last}/{len(content)}"}
        self._answer(HTTPStatus.PARTIAL_CONTENT, part, headers | place)

    def _extend(self, number: int, body: bytes) -> bool:
        received = self.registry.received(number)
        start = re.match(r"(\d+)-", self.headers.get("Content-Range", ""))
        if received is None or (start is not None and int(start[1]) != len(received)):
            return False
        received += body
        return True

    def _finish(self, repository: str, number: int, digest: str) -> None:
        if self.registry.end_upload(number, digest):
            self._created(repository, digest)
        else:
            self._fail(HTTPStatus.BAD_REQUEST, "DIGEST_INVALID")

    def _created(self, repository: str, digest: str, kind: str = "blobs") -> None:
        place = f"/v2/{repository}/{kind}/{digest}"
        headers = {"Location": place, "Docker-Content-Digest": digest}
        self._answer(HTTPStatus.CREATED, b"", headers)

    def _accepted(self, repository: str, number: int, status: HTTPStatus) -> None:
        received = self.registry.received(number)
        if received is None:
            self._fail(HTTPStatus.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
            return
        place = f"/v2/{repository}/blobs/uploads/{number}"
        until = f"0-{max(len(received) - 1, 0)}"
        self._answer(status, b"", {"Location": place, "Range": until})

    def _json(self, document: object, media_type: str = "application/json") -> None:
        self._answer(HTTPStatus.OK, json.dumps(document).encode(), {"Content-Type": media_type})

    def _fail(self, status: HTTPStatus, code: str) -> None:
        document = {"errors": [{"code": code, "message": code.replace("_", " ").lower()}]}
        headers = {"Content-Type": "application/json"}
        self._answer(status, json.dumps(document).encode(), headers)

    def _answer(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _body(self) -> bytes:
        self.registry.requests.append(f"{self.command} {urlsplit(self.path).path}")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk


def _digest_of(content: bytes, algorithm: str = "sha256") -> str:
    if algorithm not in ("sha256", "sha384", "sha512"):
        return ""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"

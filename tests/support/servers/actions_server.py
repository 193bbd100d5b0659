"""A cache service as GitHub has it, both protocols, with the storage behind it.

Source: github.com/actions/toolkit, packages/cache; reference/10-caches.md, section 5.
"""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_TWIRP = "/twirp/github.actions.results.api.v1.CacheService/"
_REST = "/_apis/artifactcache/"
MAIN = "refs/heads/main"


def actions_token(*scopes: tuple[str, int], **claims: object) -> str:
    """Return a token for scopes and their permissions: bit 1 to read, 2 to write."""
    listed = [{"Scope": name, "Permission": bits} for name, bits in scopes or ((MAIN, 3),)]
    payload = json.dumps({"ac": json.dumps(listed), **claims}).encode()
    return f"e30.{urlsafe_b64encode(payload).rstrip(b'=').decode()}.c2ln"


@dataclass(slots=True)
class _Entry:
    number: int
    key: str
    version: str
    parts: dict[str, bytes] = field(default_factory=dict)  # version 2: blocks by their ids
    pieces: dict[int, bytes] = field(default_factory=dict)  # version 1: bytes by their offsets
    content: bytes = b""
    is_whole: bool = False


class ActionsServer:
    """``with ActionsServer() as server: server.url``; ``entries`` is what it holds.

    ``before`` may answer a request in place of the server.
    """

    def __init__(
        self, token: str = "", before: Callable[[Request], Answer | None] = lambda _: None
    ) -> None:
        self.token = token or actions_token()
        self.before = before
        self.entries: list[_Entry] = []
        self.links = 0  # signed URLs given out; only those of the last ``valid_links`` work
        self.revoked: set[int] = set()
        self._server = ScriptedServer(self._answer)
        self.url = f"http://{self._server.address}/"

    def __enter__(self) -> "ActionsServer":
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def requests(self) -> list[Request]:
        return self._server.requests

    def attributes(self, version: int, **more: object) -> str:
        """Return the attributes of ``--cache-to`` and ``--cache-from`` for this server."""
        url = "url_v2" if version == 2 else "url"
        rest = "".join(f",{name}={value}" for name, value in more.items())
        return f"type=gha,version={version},{url}={self.url},token={self.token}{rest}"

    def held(self) -> dict[str, bytes]:
        """Return the content of the whole entries, by key."""
        return {each.key: each.content for each in self.entries if each.is_whole}

    def revoke_links(self) -> None:
        """Let no signed URL given out so far work any more."""
        self.revoked.update(range(self.links))

    def _answer(self, request: Request) -> Answer:
        if (answer := self.before(request)) is not None:
            return answer
        path = urlsplit(request.path)
        if path.path.startswith("/storage/"):
            if request.headers.get("Authorization"):
                return Answer(status=400, body=b"two ways to authenticate")
            return self._storage(request, path.path, parse_qs(path.query))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _json(401, {"code": "unauthenticated", "msg": "invalid token"})
        if path.path.startswith(_TWIRP):
            return self._twirp(path.path.removeprefix(_TWIRP), json.loads(request.body))
        return self._rest(request, path.path.removeprefix(_REST), parse_qs(path.query))

    def _twirp(self, method: str, asked: dict[str, Any]) -> Answer:
        key, version = asked["key"], asked["version"]
        if method == "GetCacheEntryDownloadURL":
            entry = self._find(key, asked.get("restore_keys", ()), version)
            if entry is None:
                return _json(200, {"ok": False, "signed_download_url": "", "matched_key": ""})
            link = self._link(entry)
            return _json(200, {"ok": True, "signed_download_url": link, "matched_key": entry.key})
        if method == "CreateCacheEntry":
            entry = self._reserve(key, version)
            if entry is None:
                return _json(409, {"code": "already_exists", "msg": "cache entry exists"})
            return _json(200, {"ok": True, "signed_upload_url": self._link(entry), "message": ""})
        assert method == "FinalizeCacheEntryUpload"
        (entry,) = [each for each in self.entries if (each.key, each.version) == (key, version)]
        entry.is_whole = int(asked["size_bytes"]) == len(entry.content)
        return _json(200, {"ok": entry.is_whole, "entry_id": str(entry.number), "message": "size"})

    def _rest(self, request: Request, path: str, query: dict[str, list[str]]) -> Answer:
        if request.headers["Accept"] != "application/json;api-version=6.0-preview.1":
            return Answer(status=406)
        if path == "cache":
            keys = query["keys"][0].split(",")
            entry = self._find(keys[0], keys, query["version"][0])
            if entry is None:
                return Answer(status=204)
            location = self._link(entry)
            answer = {"cacheKey": entry.key, "archiveLocation": location, "scope": MAIN}
            return _json(200, answer)
        if path == "caches":
            asked = json.loads(request.body)
            entry = self._reserve(asked["key"], asked["version"])
            if entry is None:
                return _json(409, {"message": "Cache already exists"})
            return _json(201, {"cacheId": entry.number})
        entry = self._numbered(int(path.removeprefix("caches/")))
        assert entry is not None
        if request.method == "PATCH":
            start = re.fullmatch(r"bytes (\d+)-(\d+)/\*", request.headers["Content-Range"])
            assert start is not None
            assert int(start[2]) - int(start[1]) + 1 == len(request.body)
            entry.pieces[int(start[1])] = request.body
            return Answer(status=204)
        entry.content = b"".join(piece for _, piece in sorted(entry.pieces.items()))
        entry.is_whole = json.loads(request.body)["size"] == len(entry.content)
        return Answer(status=204 if entry.is_whole else 400)

    def _storage(self, request: Request, path: str, query: dict[str, list[str]]) -> Answer:
        entry = self._numbered(int(path.rpartition("/")[2]))
        if entry is None:
            return Answer(status=404, body=b"<Error><Code>BlobNotFound</Code></Error>")
        if int(query["sig"][0]) in self.revoked:
            return Answer(status=403, body=b"<Error><Code>AuthenticationFailed</Code></Error>")
        if request.method == "GET":
            start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "bytes=0-"))
            assert start is not None
            status = 206 if "Range" in request.headers else 200
            return Answer(status=status, body=entry.content[int(start[1]) :])
        assert request.method == "PUT"
        match query.get("comp"):
            case ["block"]:
                entry.parts[query["blockid"][0]] = request.body
            case ["blocklist"]:
                names = re.findall(r"<Latest>([^<]+)</Latest>", request.body.decode())
                entry.content = b"".join(entry.parts[name] for name in names)
            case _:
                assert request.headers["x-ms-blob-type"] == "BlockBlob"
                entry.content = request.body
        return Answer(status=201, headers={"ETag": '"1"', "x-ms-request-id": "1"})

    def _find(self, key: str, prefixes: Sequence[str], version: str) -> _Entry | None:
        whole = [e for e in reversed(self.entries) if e.is_whole and e.version == version]
        exact = [each for each in whole if each.key == key]
        begun = [each for prefix in prefixes for each in whole if each.key.startswith(prefix)]
        return next(iter(exact + begun), None)

    def _numbered(self, number: int) -> _Entry | None:
        return next((each for each in self.entries if each.number == number), None)

    def _reserve(self, key: str, version: str) -> _Entry | None:
        if any((each.key, each.version) == (key, version) for each in self.entries):
            return None
        # From 1: the client of GitHub takes the number 0 for a refusal.
        self.entries.append(_Entry(len(self.entries) + 1, key, version))
        return self.entries[-1]

    def _link(self, entry: _Entry) -> str:
        self.links += 1
        return f"{self.url}storage/caches/{entry.number}?sv=2024&sig={self.links - 1}"


def _json(status: int, document: object) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(status=status, headers=headers, body=json.dumps(document).encode())

"""The two protocols of GitHub's cache service: entries by key, immutable once they are whole.

Version 2 is Twirp with JSON, and uploads to a block blob of Azure; version 1 is REST, as GitHub
Enterprise Server and other servers have it (github.com/actions/toolkit, packages/cache).
"""

import json
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Iterator
from typing import BinaryIO, Protocol
from urllib.parse import urlencode

from img.adapters.remote_cache.actions_client import ActionsClient, Reply
from img.application.ports.remote_cache import RemoteCacheBusy, RemoteCacheError
from img.domain.actions_cache import ENTRY_VERSION
from img.domain.dataclass import dataclass

_BLOCK = 8 << 20  # bytes of one request; a blob of more goes in several
_TAKEN = frozenset({409})
_NOT_FOUND = frozenset({404})
_DENIED = ("cache read denied:", "cache write denied:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that was found, and where its content is."""

    key: str
    link: str


class ActionsService(Protocol):
    """Entries of a repository's cache. All raise RemoteCacheError, RemoteCacheBusy."""

    @abstractmethod
    def find(self, key: str) -> Entry | None:
        """Return the newest entry with the key ``key``, else with a key that begins so."""

    @abstractmethod
    def reserve(self, key: str) -> str | None:
        """Return the name of a new entry for ``upload``; None if there is an entry of that key."""

    @abstractmethod
    def upload(self, key: str, reserved: str, content: BinaryIO) -> None:
        """Send the content of a reserved entry, which is found from now on."""


class ActionsServiceV2(ActionsService):
    """Twirp, version 2 (github.actions.results.api.v1.CacheService)."""

    def __init__(self, client: ActionsClient) -> None:
        self._client = client

    def find(self, key: str) -> Entry | None:
        reply = self._call("GetCacheEntryDownloadURL", _NOT_FOUND, key=key, restore_keys=[key])
        answer = reply.json()
        if reply.status in _NOT_FOUND or not answer.get("ok"):
            return None
        matched = answer.get("matched_key") or key
        if not isinstance(matched, str) or not matched.startswith(key):
            raise RemoteCacheError("the cache service answers with an entry of another key")
        return Entry(key=matched, link=self._client.check_link(answer.get("signed_download_url")))

    def reserve(self, key: str) -> str | None:
        reply = self._call("CreateCacheEntry", _TAKEN, key=key)
        if reply.status in _TAKEN:
            return None
        answer = reply.json()
        if not answer.get("ok"):
            raise _refused(answer.get("message"))
        return self._client.check_link(answer.get("signed_upload_url"))

    def upload(self, key: str, reserved: str, content: BinaryIO) -> None:
        blocks = _blocks(content)
        first = next(blocks)
        size = len(first)
        if size < _BLOCK:
            headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
            self._client.send("PUT", reserved, headers=headers, data=first)
        else:
            size = self._upload_blocks(reserved, first, blocks)
        reply = self._call("FinalizeCacheEntryUpload", key=key, size_bytes=size)
        if not reply.json().get("ok"):
            raise _refused(reply.json().get("message"))

    def _upload_blocks(self, link: str, first: bytes, rest: Iterator[bytes]) -> int:
        """Send a block blob (Azure REST API, "Put Block" and "Put Block List"); return its size."""
        names: list[str] = []
        size = 0
        block = first
        while block:
            names.append(b64encode(f"{len(names):06}".encode()).decode())
            query = urlencode({"comp": "block", "blockid": names[-1]})
            self._client.send("PUT", f"{link}{_joint(link)}{query}", data=block)
            size += len(block)
            block = next(rest, b"")
        listed = "".join(f"<Latest>{name}</Latest>" for name in names)
        document = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
        self._client.send("PUT", f"{link}{_joint(link)}comp=blocklist", data=document.encode())
        return size

    def _call(self, name: str, accepted: frozenset[int] = frozenset(), **fields: object) -> Reply:
        return self._client.call(
            "POST",
            f"twirp/github.actions.results.api.v1.CacheService/{name}",
            headers={"Content-Type": "application/json"},
            data=json.dumps({**fields, "version": ENTRY_VERSION}).encode(),
            accepted=accepted,
        )


class ActionsServiceV1(ActionsService):
    """REST, version 1 (``_apis/artifactcache``)."""

    def __init__(self, client: ActionsClient) -> None:
        self._client = client

    def find(self, key: str) -> Entry | None:
        query = urlencode({"keys": key, "version": ENTRY_VERSION})
        reply = self._call("GET", f"cache?{query}", accepted=_NOT_FOUND)
        if reply.status in {204, *_NOT_FOUND}:
            return None
        answer = reply.json()
        matched = answer.get("cacheKey")
        if not isinstance(matched, str) or not matched.startswith(key):
            raise RemoteCacheError("the cache service answers with an entry of another key")
        return Entry(key=matched, link=self._client.check_link(answer.get("archiveLocation")))

    def reserve(self, key: str) -> str | None:
        body = json.dumps({"key": key, "version": ENTRY_VERSION}).encode()
        reply = self._call("POST", "caches", data=body, accepted=_TAKEN)
        if reply.status in _TAKEN:
            return None
        number = reply.json().get("cacheId")
        if not isinstance(number, int) or number < 0:
            raise RemoteCacheError("the cache service gives an entry no number")
        return str(number)

    def upload(self, key: str, reserved: str, content: BinaryIO) -> None:
        size = 0
        for block in _blocks(content):
            if block:
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"bytes {size}-{size + len(block) - 1}/*",
                }
                self._call("PATCH", f"caches/{reserved}", headers=headers, data=block)
            size += len(block)
        self._call("POST", f"caches/{reserved}", data=json.dumps({"size": size}).encode())

    def _call(self, method: str, path: str, **options: object) -> Reply:
        headers = {
            "Accept": "application/json;api-version=6.0-preview.1",
            "Content-Type": "application/json",
            **(options.pop("headers", None) or {}),  # type: ignore[dict-item]
        }
        return self._client.call(method, f"_apis/artifactcache/{path}", headers=headers, **options)


def _blocks(content: BinaryIO) -> Iterator[bytes]:
    """Yield the content in blocks, all but the last of them full; an empty one of no content."""
    block = content.read(_BLOCK)
    while True:
        yield block
        block = content.read(_BLOCK)
        if not block:
            return


def _joint(link: str) -> str:
    return "&" if "?" in link else "?"


def _refused(message: object) -> RemoteCacheError:
    text = str(message or "no reason given")[:300]
    error = RemoteCacheBusy if text.startswith(_DENIED) else RemoteCacheError
    return error(f"the cache service refuses: {text}")

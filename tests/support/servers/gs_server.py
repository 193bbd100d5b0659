"""A bucket of Google Cloud Storage: objects and uploads in parts, by its XML API.

Source: cloud.google.com/storage/docs/xml-api, "Object resources", "Multipart uploads".
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

BUCKET = "bucket"
_SMALLEST_PART = 5 << 20  # bytes, except of the last part
_PART = re.compile(r"<Part><ETag>([^<]+)</ETag><PartNumber>(\d+)</PartNumber></Part>")


class GoogleStorage:
    """The objects of one bucket, and how requests change them; ``address`` serves while entered.

    Uploads in parts that were not completed are in ``uploads``.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self._server = ScriptedServer(self._answer)
        self.address = self._server.address

    @contextmanager
    def serving(self, account: Path) -> Iterator[str]:
        """Enter with the attributes of a cache here; ``account`` becomes a file of credentials."""
        # Fields of obstore for emulators: without them it gets a token from Google.
        facts = {"gcs_base_url": f"http://{self.address}", "disable_oauth": True}
        empty = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        account.write_text(json.dumps({**facts, **empty}))
        with self._server:
            url = f"http://{self.address}"
            yield f"type=gs,bucket={BUCKET},endpoint_url={url},service_account={account}"

    @property
    def requests(self) -> list[Request]:
        return self._server.requests

    def _answer(self, request: Request) -> Answer:
        url = urlsplit(request.path)
        bucket, _, name = unquote(url.path).removeprefix("/").partition("/")
        query = parse_qs(url.query, keep_blank_values=True)
        if bucket != BUCKET:
            return _failure(404, "NoSuchBucket")
        if not name:
            return self._list(query)
        match request.method:
            case "POST" if "uploads" in query:
                return self._begin(name)
            case "POST":
                return self._complete(name, query["uploadId"][0], request.body.decode())
            case "PUT" if "uploadId" in query:
                return self._add_part(query, request)
            case "PUT":
                return self._put(name, request)
            case "DELETE" if "uploadId" in query:
                return Answer(status=204 if self.uploads.pop(query["uploadId"][0], None) else 404)
            case "DELETE":
                return Answer(status=204 if self.objects.pop(name, None) is not None else 404)
        return self._get(name, request)

    def _get(self, name: str, request: Request) -> Answer:
        if name not in self.objects:
            return _failure(404, "NoSuchKey")
        content, headers = self.objects[name], self._headers(name)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if asked is None:
            return Answer(headers=headers, body=content)
        start = int(asked[1])
        if start >= len(content):
            return _failure(416, "InvalidRange")
        part = content[start : int(asked[2] or len(content)) + 1]
        place = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
        return Answer(status=206, headers={**headers, "Content-Range": place}, body=part)

    def _put(self, name: str, request: Request) -> Answer:
        content = request.body
        if source := request.headers.get("x-goog-copy-source"):
            source = unquote(source).removeprefix("/").removeprefix(f"{BUCKET}/")
            if source not in self.objects:
                return _failure(404, "NoSuchKey")
            content = self.objects[source]
        elif not _is_whole(request):
            return _failure(400, "BadDigest")
        self.objects[name] = content
        return Answer(headers=self._headers(name), body=b"<CopyObjectResult/>" if source else b"")

    def _begin(self, name: str) -> Answer:
        id_ = f"upload-{len(self.uploads)}-{name.rpartition('/')[2]}"
        self.uploads[id_] = {}
        names = f"<Bucket>{BUCKET}</Bucket><Key>{escape(name)}</Key><UploadId>{id_}</UploadId>"
        return _document("InitiateMultipartUploadResult", names)

    def _add_part(self, query: dict[str, list[str]], request: Request) -> Answer:
        parts = self.uploads.get(query["uploadId"][0])
        if parts is None:
            return _failure(404, "NoSuchUpload")
        if not _is_whole(request):
            return _failure(400, "BadDigest")
        parts[int(query["partNumber"][0])] = request.body
        return Answer(headers={"ETag": _etag(request.body)})

    def _complete(self, name: str, id_: str, body: str) -> Answer:
        parts = self.uploads.get(id_)
        if parts is None:
            return _failure(404, "NoSuchUpload")
        listed = [
            (int(number), unescape(etag, {"&quot;": '"'})) for etag, number in _PART.findall(body)
        ]
        if not listed or any(_etag(parts.get(number, b"")) != etag for number, etag in listed):
            return _failure(400, "InvalidPart")
        contents = [parts[number] for number, _ in listed]
        if any(len(content) < _SMALLEST_PART for content in contents[:-1]):
            return _failure(400, "EntityTooSmall")
        del self.uploads[id_]
        self.objects[name] = b"".join(contents)
        etag = self._headers(name)["ETag"]
        return _document("CompleteMultipartUploadResult", f"<ETag>{escape(etag)}</ETag>")

    def _list(self, query: dict[str, list[str]]) -> Answer:
        prefix = query.get("prefix", [""])[0]
        names = sorted(name for name in self.objects if name.startswith(prefix))
        return _document(
            "ListBucketResult",
            "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(self.objects[name])}</Size>"
                "<LastModified>2023-11-14T22:13:20.000Z</LastModified></Contents>"
                for name in names
            ),
        )

    def _headers(self, name: str) -> dict[str, str]:
        return {"ETag": _etag(self.objects[name]), "Last-Modified": formatdate(usegmt=True)}


def _is_whole(request: Request) -> bool:
    """Tell whether the body has the digest and the length that the request promises."""
    promised = request.headers.get("Content-MD5")
    is_right = promised in (None, b64encode(hashlib.md5(request.body).digest()).decode())
    return is_right and len(request.body) == int(request.headers["Content-Length"])


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def _document(name: str, inside: str) -> Answer:
    return Answer(body=f"<?xml version='1.0' encoding='UTF-8'?><{name}>{inside}</{name}>".encode())


def _failure(status: int, code: str) -> Answer:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=body.encode())

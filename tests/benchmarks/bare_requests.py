"""The time of a registry and of tar alone: without start-up, lookups and verification."""

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

_TYPE = "application/vnd.oci.image.manifest.v1+json"
_BLOCK = 1 << 20


class BareRequests:
    """An image's blobs as files in ``directory``, each fetched and sent by one connection."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pull(self, registry: str, repository: str, tag: str) -> float:
        """Fetch all blobs at once, unpack the layers in turn; return the seconds."""
        start = time.monotonic()
        self._directory.mkdir()
        manifest = self._directory / "manifest"
        _fetch(registry, f"/v2/{repository}/manifests/{tag}", manifest)
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(self._get, registry, repository), self._digests()))
        files = self._directory / "files"
        files.mkdir()
        for layer in self._document()["layers"]:
            subprocess.run(["tar", "-xzf", self._blob(layer["digest"]), "-C", files], check=True)
        return time.monotonic() - start

    def push(self, registry: str, repository: str, tag: str) -> float:
        """Send all blobs at once, each in one request, then the manifest; return the seconds."""
        start = time.monotonic()
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(self._send, registry, repository), self._digests()))
        content = (self._directory / "manifest").read_bytes()
        connection = http.client.HTTPConnection(registry)
        headers = {"Content-Type": _TYPE}
        connection.request("PUT", f"/v2/{repository}/manifests/{tag}", content, headers)
        _answer(connection, 201)
        return time.monotonic() - start

    def forget(self) -> None:
        """Have nothing."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _document(self) -> Any:
        return json.loads((self._directory / "manifest").read_bytes())

    def _digests(self) -> Iterable[str]:
        document = self._document()
        return [blob["digest"] for blob in (document["config"], *document["layers"])]

    def _blob(self, digest: str) -> Path:
        return self._directory / digest.partition(":")[2]

    def _get(self, registry: str, repository: str, digest: str) -> None:
        _fetch(registry, f"/v2/{repository}/blobs/{digest}", self._blob(digest))

    def _send(self, registry: str, repository: str, digest: str) -> None:
        connection = http.client.HTTPConnection(registry)
        connection.request("POST", f"/v2/{repository}/blobs/uploads/")
        place = _answer(connection, 202).headers["Location"]
        with self._blob(digest).open("rb") as content:
            connection.putrequest("PUT", f"{place}&digest={digest}")
            connection.putheader("Content-Type", "application/octet-stream")
            connection.putheader("Content-Length", str(os.fstat(content.fileno()).st_size))
            connection.endheaders()
            connection.sock.sendfile(content)
        _answer(connection, 201)


def _fetch(registry: str, target: str, to: Path) -> None:
    connection = http.client.HTTPConnection(registry)
    connection.request("GET", target, headers={"Accept": _TYPE})
    response = connection.getresponse()
    if response.status != 200:
        raise http.client.HTTPException(f"{target}: {response.status}")
    with to.open("wb") as file:
        shutil.copyfileobj(response, file, _BLOCK)


def _answer(connection: http.client.HTTPConnection, wanted: int) -> http.client.HTTPResponse:
    response = connection.getresponse()
    response.read()
    if response.status != wanted:
        raise http.client.HTTPException(f"{response.status} in place of {wanted}")
    return response

"""The tests' cache service with GitHub's own client, @actions/cache, beside img's."""

import io
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from img.adapters.remote_cache.actions import ActionsRemoteCache
from img.domain.actions_cache import ENTRY_VERSION, blob_key
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ActionsCache
from tests.support.host.machine import SERVERS, lacking, program
from tests.support.servers import actions_server
from tests.support.servers.actions_server import ActionsServer

pytestmark = pytest.mark.all_tests
_PACKAGE = SERVERS / "node_modules" / "@actions" / "cache"
_DRIVER = Path(actions_server.__file__).with_name("actions_client.mjs")
_ONE_PUT = 128 << 20  # bytes that the client uploads in one request


class Client:
    """GitHub's client of one server; archives hold paths of the ``place``."""

    def __init__(self, server: ActionsServer, version: int, place: Path) -> None:
        if not _PACKAGE.is_dir():
            lacking("needs @actions/cache (sh tests/servers.sh)")
        self.place = place
        self._environment = {
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(place / "temporary"),
            "GITHUB_WORKSPACE": str(place),
            "RESULTS": str(place / "results.json"),
            "ACTIONS_RUNTIME_TOKEN": server.token,
            "ACTIONS_RESULTS_URL": server.url,
            "ACTIONS_CACHE_URL": server.url,
            **({"ACTIONS_CACHE_SERVICE_V2": "true"} if version == 2 else {}),
        }

    def __call__(self, *calls: Sequence[object]) -> list[object]:
        """Return the results of calls of the driver."""
        subprocess.run(
            [program("node"), _DRIVER, _PACKAGE, json.dumps(calls)],
            cwd=self.place,
            env=self._environment,
            check=True,
            timeout=120,
        )
        results: list[object] = json.loads((self.place / "results.json").read_text())
        return results


def a_blob(content: bytes) -> Descriptor:
    return Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(content), size=len(content))


def img_at(server: ActionsServer, version: int) -> ActionsRemoteCache:
    place = parse_cache_source(server.attributes(version))
    assert isinstance(place, ActionsCache)
    return ActionsRemoteCache(place)


@pytest.mark.parametrize("version", [1, 2])
def test_the_server_serves_githubs_client(version: int, tmp_path: Path) -> None:
    content = os.urandom(5 << 20)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(content)
    parts = {"uploadChunkSize": 1 << 20, "uploadConcurrency": 4}
    with ActionsServer() as server:
        client = Client(server, version, tmp_path)
        saved, again = client(["save", ["kept"], "key-1", parts], ["save", ["kept"], "key-1"])
        assert isinstance(saved, int)
        assert saved > 0  # -1: it was not saved
        (kept / "file").unlink()
        (restored,) = client(["restore", ["kept"], "key-1"])
        found = (kept / "file").read_bytes()
        (kept / "file").unlink()
        by_prefix, missed, other_paths = client(
            ["restore", ["kept"], "key-2", ["nothing", "key-"]],
            ["restore", ["kept"], "key-2"],
            ["restore", ["others"], "key-1"],
        )

    assert (again, restored, found == content) == (-1, "key-1", True)
    assert (by_prefix, missed, other_paths) == ("key-1", None, None)
    assert (kept / "file").read_bytes() == content


def test_img_and_githubs_client_read_the_blobs_of_each_other(tmp_path: Path) -> None:
    ours, small, large = os.urandom(3 << 20), os.urandom(100_000), os.urandom(_ONE_PUT + 1)
    (tmp_path / "small").write_bytes(small)
    (tmp_path / "large").write_bytes(large)
    with ActionsServer() as server:
        cache = img_at(server, 2)
        cache.add(a_blob(ours), io.BytesIO(ours))
        cache.publish(b"{1}")
        cache.publish(b"{2}")
        key = blob_key(Digest.of(ours))
        results = Client(server, 2, tmp_path)(
            ["download", key, ENTRY_VERSION, "ours"],
            ["download", "index-buildkit-1-f921bd05#", ENTRY_VERSION, "index"],
            ["download", key, "0" * 64, "nothing"],
            ["upload", blob_key(Digest.of(small)), ENTRY_VERSION, "small"],
            ["upload", blob_key(Digest.of(large)), ENTRY_VERSION, "large"],
        )

        for content in (small, large):
            with cache.open(a_blob(content), 0) as stream:
                assert stream.read() == content

    assert results == [key, "index-buildkit-1-f921bd05#2", None, True, True]
    assert (tmp_path / "ours").read_bytes() == ours
    assert (tmp_path / "index").read_bytes() == b"{2}"

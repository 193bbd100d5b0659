"""Interrupted transfers continue: only the missing bytes are sent."""

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.limits import Limits
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import open_container
from tests.support.servers.fault_proxy import Exchange, Fault, FaultProxy, Line, no_fault
from tests.support.servers.network_faults import CutBody, CutUpload, Say, Slow, WithoutRange, once
from tests.support.servers.registry_server import PROGRAM, RegistryServer
from tests.support.servers.scripted_server import ScriptedServer
from tests.support.servers.upload_server import Uploads

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed"),
]


def a_layer(size: int) -> bytes:
    """Return an archive of one file of ``size`` bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size = size
        tar.addfile(member, io.BytesIO(random.Random(1).randbytes(size)))
    return archive.getvalue()


BLOB = a_layer(6_000_000)
SIZE = len(BLOB)
TARGET = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(BLOB), size=SIZE)
PART = 2_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


@pytest.fixture
def proxy(server: RegistryServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.address) as running:
        yield running


def a_client(part: int = PART) -> OrasRegistry:
    return OrasRegistry(
        credentials=MemoryCredentials(), sleep=lambda _: None, limits=Limits(part=part)
    )


def a_name(proxy: FaultProxy | RegistryServer, path: str) -> ImageReference:
    return ImageReference(domain=proxy.address, path=path, tag="v1")


def in_registry(server: RegistryServer, path: str) -> bytes:
    with a_client().open_blob(a_name(server, path), TARGET) as blob:
        return blob.read()


@pytest.mark.parametrize("cut", [1, 65_536, 3_333_333, SIZE - 1])
def test_a_download_asks_for_the_rest_alone(
    server: RegistryServer, proxy: FaultProxy, cut: int
) -> None:
    a_client().push_blob(a_name(server, "down"), TARGET, io.BytesIO(BLOB))
    proxy.choose = once(CutBody(cut), "GET", "/blobs/")

    with a_client().open_blob(a_name(proxy, "down"), TARGET) as stream:
        assert stream.read() == BLOB

    assert proxy.bytes_received("/blobs/") == SIZE
    assert [each.headers.get("range") for each in proxy.exchanges[1:]] == [None, f"bytes={cut}-"]


def test_where_there_are_no_ranges_all_of_it_comes_again(
    server: RegistryServer, proxy: FaultProxy
) -> None:
    a_client().push_blob(a_name(server, "down"), TARGET, io.BytesIO(BLOB))
    faults: list[Fault] = [WithoutRange(), CutBody(1_000_000)]
    proxy.choose = lambda each: faults.pop() if faults and "/blobs/" in each.path else None

    with a_client().open_blob(a_name(proxy, "down"), TARGET) as stream:
        assert stream.read() == BLOB

    assert proxy.bytes_received("/blobs/") == SIZE + 1_000_000


@pytest.mark.parametrize("cut", [2, 700_000, PART - 1])
@pytest.mark.parametrize("part", [0, 1])
def test_an_upload_sends_the_rest_alone(cut: int, part: int) -> None:
    uploads = Uploads()
    with ScriptedServer(uploads) as registry, FaultProxy(registry.address) as proxy:
        proxy.choose = once(CutUpload(cut), "PATCH", "/u", skip=part)

        a_client().push_blob(a_name(proxy, "up"), TARGET, io.BytesIO(BLOB))

        assert uploads.stored == BLOB
        assert uploads.begun == 1
        assert proxy.bytes_sent() == SIZE


def test_an_upload_whose_last_request_breaks_sends_the_rest_alone() -> None:
    uploads = Uploads()
    with ScriptedServer(uploads) as registry, FaultProxy(registry.address) as proxy:
        proxy.choose = once(CutUpload(500_000), "PUT", "/u")

        a_client(part=SIZE).push_blob(a_name(proxy, "up"), TARGET, io.BytesIO(BLOB))

        assert uploads.stored == BLOB
        assert proxy.bytes_sent() == SIZE


def test_an_upload_goes_on_with_the_part_that_was_refused(
    server: RegistryServer, proxy: FaultProxy
) -> None:
    proxy.choose = once(Say(503), "PATCH", "/uploads/", skip=1)

    a_client().push_blob(a_name(proxy, "up/503"), TARGET, io.BytesIO(BLOB))

    assert in_registry(server, "up/503") == BLOB
    assert len([each for each in proxy.exchanges if each.method == "POST"]) == 1
    assert proxy.bytes_sent() == SIZE


@pytest.mark.parametrize("cut", [0, 1, 700_000])
def test_a_registry_that_forgets_a_broken_upload_gets_all_of_it_again(
    server: RegistryServer, proxy: FaultProxy, cut: int
) -> None:
    proxy.choose = once(CutUpload(cut), "PATCH", "/uploads/", skip=1)

    a_client().push_blob(a_name(proxy, f"up/cut/{cut}"), TARGET, io.BytesIO(BLOB))

    assert in_registry(server, f"up/cut/{cut}") == BLOB


def test_an_upload_whose_answer_is_lost_is_not_sent_again(
    server: RegistryServer, proxy: FaultProxy
) -> None:
    proxy.choose = once(Lost(), "PUT", "/uploads/")

    a_client(part=SIZE).push_blob(a_name(proxy, "up/lost"), TARGET, io.BytesIO(BLOB))

    assert in_registry(server, "up/lost") == BLOB
    assert proxy.bytes_sent() == SIZE


class Lost:
    """Let the registry do its work, and drop the response."""

    def __call__(self, line: Line) -> None:
        line.forward(answer_limit=0)


def test_an_upload_that_is_given_up_is_cancelled(server: RegistryServer, proxy: FaultProxy) -> None:
    def refuse(exchange: Exchange) -> Fault | None:
        return Say(403) if exchange.method == "PATCH" else None

    proxy.choose = refuse

    with pytest.raises(RegistryError, match="403"):
        a_client().push_blob(a_name(proxy, "up/refused"), TARGET, io.BytesIO(BLOB))

    last = proxy.exchanges[-1]
    assert (last.method, last.status) == ("DELETE", 204)


def publish(server: RegistryServer, path: str) -> ImageReference:
    """Have an image of that one layer in the registry."""
    reference = a_name(server, path)
    content = encode_config(
        ImageConfig(platform=host_platform(), diff_ids=(DiffID(TARGET.digest),))
    )
    config = Descriptor(
        media_type=media_types.OCI_CONFIG, digest=Digest.of(content), size=len(content)
    )
    client = a_client()
    client.push_blob(reference, config, io.BytesIO(content))
    client.push_blob(reference, TARGET, io.BytesIO(BLOB))
    manifest = encode_manifest(Manifest(config=config, layers=(TARGET,)))
    client.push_manifest(reference, manifest, media_types.OCI_MANIFEST)
    return reference


class Pulls:
    """``img pull`` of one image into one state, in processes of their own."""

    def __init__(self, root: Path, reference: ImageReference) -> None:
        self._root = root
        self._reference = reference
        self.store = FileBlobStore(root / "state")

    def start(self) -> "subprocess.Popen[bytes]":
        state = ("--state", str(self._root / "state"))
        return start(self._root, "-m", "img", *state, "pull", str(self._reference))

    def run(self) -> None:
        end(self.start())

    def is_whole(self) -> bool:
        with self.store.open(TARGET.digest) as blob:
            return blob.read() == BLOB


def start(home: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(home)},
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()


def test_a_pull_that_was_killed_goes_on_where_it_was(
    server: RegistryServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    publish(server, "killed")
    proxy.choose = lambda each: Slow(0.05) if str(TARGET.digest) in each.path else None
    pulls = Pulls(tmp_path, a_name(proxy, "killed"))

    first = pulls.start()
    while proxy.bytes_received(str(TARGET.digest)) < 3_000_000:
        assert first.poll() is None
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (part,) = (tmp_path / "state" / "incoming").iterdir()
    arrived = part.stat().st_size
    proxy.choose = no_fault
    proxy.exchanges.clear()
    pulls.run()

    assert pulls.is_whole()
    assert arrived > 1_000_000
    assert proxy.bytes_received(str(TARGET.digest)) == SIZE - arrived
    assert list((tmp_path / "state" / "incoming").iterdir()) == []


def test_a_part_that_is_damaged_costs_a_second_download_and_no_more(
    server: RegistryServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    publish(server, "damaged")
    pulls = Pulls(tmp_path, a_name(proxy, "damaged"))
    with pulls.store.incoming(TARGET.digest, lambda _: None) as blob:
        blob.write(b"\0" * 100_000)

    pulls.run()

    assert pulls.is_whole()
    assert proxy.bytes_received(str(TARGET.digest)) == 2 * SIZE - 100_000


def test_eight_pulls_at_once_fetch_it_once(
    server: RegistryServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    publish(server, "eight")
    proxy.choose = lambda each: Slow(0.005) if str(TARGET.digest) in each.path else None
    pulls = Pulls(tmp_path, a_name(proxy, "eight"))

    for process in [pulls.start() for _ in range(8)]:
        end(process)

    assert pulls.is_whole()
    assert proxy.bytes_received(str(TARGET.digest)) == SIZE


def test_a_base_that_only_goes_back_to_its_registry_is_never_downloaded(
    server: RegistryServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    publish(server, "lazy/base")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {proxy.address}/lazy/base:v1\nCOPY --link Dockerfile /app/\nENV a=b\n"
    )
    command = ["-m", "img", "--state", str(tmp_path / "state"), "build", "--push"]
    tag = f"--tag={proxy.address}/lazy/app:v1"

    end(start(tmp_path, *command, tag, str(tmp_path)))

    assert proxy.bytes_received(str(TARGET.digest)) == 0
    assert proxy.bytes_sent() < 10_000
    assert in_registry(server, "lazy/app") == BLOB
    assert a_client().resolve(a_name(server, "lazy/app"))


def test_eight_builds_at_once_fetch_their_base_once(
    server: RegistryServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    publish(server, "builds/base")
    proxy.choose = lambda each: Slow(0.005) if str(TARGET.digest) in each.path else None
    builds = []
    for number in range(8):
        context = tmp_path / f"context{number}"
        context.mkdir()
        (context / "own").write_text(f"{number}")
        dockerfile = f"FROM {proxy.address}/builds/base:v1\nCOPY own /\n"
        (context / "Dockerfile").write_text(dockerfile)
        command = ["-m", "img", "--state", str(tmp_path / "state"), "build", f"--tag=app{number}"]
        builds.append(start(tmp_path, *command, str(context)))

    for build in builds:
        end(build)

    assert proxy.bytes_received(str(TARGET.digest)) == SIZE
    settings = Settings(state=tmp_path / "state", platform=host_platform(), progress="quiet")
    container = open_container(settings, BuildHost(id_map=None))
    for number in range(8):
        stored = container.storage.images().get(ImageReference.parse(f"app{number}"))
        layers = container.images.catalog().image(stored.target, host_platform()).layers
        assert layers[0].descriptor.digest == TARGET.digest
        assert container.images.trees().read_file(layers, "own") == f"{number}".encode()
    container.storage.database().close()

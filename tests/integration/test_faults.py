"""Pulls and pushes over a network that does random wrong: 100; with IMG_TESTS_ALL 500.

Every one ends right, or with a clear error; never is a wrong image here or in the registry.
IMG_FAULT_SEED=N repeats the run that a failure names, and no other.
"""

import gzip
import hashlib
import io
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.limits import Limits
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import ManifestUnknown
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import decode_manifest, encode_config, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import Container, open_container
from tests.support.servers.fault_proxy import FaultProxy, no_fault
from tests.support.servers.random_faults import random_faults
from tests.support.servers.registry_server import PROGRAM, RegistryServer

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed"),
]

FIRST = 20_000
RUNS = 500 if "IMG_TESTS_ALL" in os.environ else 100
BATCH = 25
LAYERS = (1, 30_000, 60_000, 100_000, 150_000)  # bytes of the file in each
PART = 40_000
HASTY = Limits(connect_s=1, read_s=0.4, commit_s=0.8, part=PART)
PATIENT = Limits(part=PART)
ONLY = os.environ.get("IMG_FAULT_SEED")
SEEDS = (
    [[int(ONLY)]]
    if ONLY
    else [list(range(first, first + BATCH)) for first in range(FIRST, FIRST + RUNS, BATCH)]
)


def a_layer(number: int, size: int) -> bytes:
    """Return an archive of one file, packed, the same each time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(f"file{number}")
        member.size = size
        tar.addfile(member, io.BytesIO(random.Random(number).randbytes(size)))
    return gzip.compress(archive.getvalue(), mtime=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A registry with one image, a bad way to it, and states that have the image."""

    server: RegistryServer
    proxy: FaultProxy
    root: Path
    image: Descriptor
    contents: dict[Digest, bytes]  # of all blobs and the manifest
    diff_ids: tuple[DiffID, ...]

    def client(self, limits: Limits = PATIENT) -> OrasRegistry:
        return OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None, limits=limits)

    def container(self, state: Path, limits: Limits) -> Container:
        settings = Settings(state=state, platform=host_platform(), progress="quiet")
        container = open_container(settings, HOST)
        container.registries.registry.override(self.client(limits))
        return container

    def name(self, path: str, *, direct: bool = False) -> ImageReference:
        address = self.server.address if direct else self.proxy.address
        return ImageReference(domain=address, path=path, tag="v1")


HOST = BuildHost(id_map=None)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    in_memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp("faults", dir=in_memory if in_memory.is_dir() else None))
    try:
        with RegistryServer() as server, FaultProxy(server.address) as proxy:
            yield a_world(server, proxy, root)
    finally:
        shutil.rmtree(root)


def a_world(server: RegistryServer, proxy: FaultProxy, root: Path) -> World:
    layers = [a_layer(number, size) for number, size in enumerate(LAYERS)]
    diff_ids = tuple(DiffID(Digest.of(gzip.decompress(layer))) for layer in layers)
    config = encode_config(ImageConfig(platform=host_platform(), diff_ids=diff_ids))
    manifest = encode_manifest(
        Manifest(
            config=described(config, media_types.OCI_CONFIG),
            layers=tuple(described(layer, media_types.OCI_LAYER_GZIP) for layer in layers),
        )
    )
    contents = {Digest.of(each): each for each in (*layers, config, manifest)}
    image = described(manifest, media_types.OCI_MANIFEST)
    world = World(
        server=server, proxy=proxy, root=root, image=image, contents=contents, diff_ids=diff_ids
    )
    name = world.name("base", direct=True)
    for content in (*layers, config):
        world.client().push_blob(name, described(content, "x"), io.BytesIO(content))
    world.client().push_manifest(name, manifest, media_types.OCI_MANIFEST)
    for direct in (True, False):
        state = root / f"has-it-{direct}"
        pull(world, state, world.name("base", direct=direct), PATIENT)
    return world


def described(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


def pull(world: World, state: Path, name: ImageReference, limits: Limits) -> None:
    container = world.container(state, limits)
    try:
        container.images.pull_image()(name, host_platform())
    finally:
        container.close()


def push(world: World, state: Path, name: ImageReference, limits: Limits) -> None:
    container = world.container(state, limits)
    try:
        container.images.publish()(world.image, name)
    finally:
        container.close()


def is_whole_here(world: World, state: Path, name: ImageReference) -> bool:
    """Return whether the image has its name; all stored data must be right in any case."""
    container = world.container(state, PATIENT)
    try:
        for digest in container.storage.blobs().digests():
            assert (state / "blobs" / "sha256" / digest.encoded).read_bytes() == (
                world.contents[digest]
            )
        for diff_id in container.storage.indexes().diff_ids():
            assert diff_id in world.diff_ids
        try:
            found = container.storage.images().get(name).target
        except ImageNotFound:
            return False
        assert found.digest == world.image.digest
        assert set(container.storage.blobs().digests()) == set(world.contents)
        return True
    finally:
        container.close()


def is_whole_there(world: World, path: str) -> bool:
    """Tell whether the registry has the image; if it has anything, that must be right."""
    name, client = world.name(path, direct=True), world.client()
    try:
        found = client.resolve(name)
    except ManifestUnknown:
        return False
    assert found.digest == world.image.digest
    for blob in decode_manifest(client.manifest(name, found)).blobs:
        with client.open_blob(name, blob) as content:
            assert hashlib.sha256(content.read()).hexdigest() == blob.digest.encoded
    return True


def try_pull(world: World, seed: int) -> bool:
    state, name = world.root / str(seed), world.name("base")
    world.proxy.choose = random_faults(seed, requests=10)
    try:
        pull(world, state, name, HASTY)
        went_well = True
    except ImgError as error:
        assert_clear(error)
        went_well = False
    world.proxy.choose = no_fault
    assert is_whole_here(world, state, name) is went_well
    if not went_well:
        pull(world, state, name, PATIENT)
        assert is_whole_here(world, state, name)
    shutil.rmtree(state)
    return went_well


def try_push(world: World, seed: int) -> bool:
    state, path = world.root / str(seed), f"run/{seed}"
    shutil.copytree(world.root / f"has-it-{seed % 3 > 0}", state)  # else its blobs can be mounted
    world.proxy.choose = random_faults(seed, requests=30)
    try:
        push(world, state, world.name(path), HASTY)
        went_well = True
    except ImgError as error:
        assert_clear(error)
        went_well = False
    world.proxy.choose = no_fault
    if not is_whole_there(world, path):
        assert not went_well
        push(world, state, world.name(path), PATIENT)
        assert is_whole_there(world, path)
    shutil.rmtree(state)
    return went_well


def assert_clear(error: ImgError) -> None:
    assert error.message
    assert "\n" not in error.message
    assert len(error.message) < 500, error.message


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"from-{seeds[0]}")
def test_whatever_the_network_does_no_image_is_wrong(world: World, seeds: list[int]) -> None:
    ended_well = 0
    for seed in seeds:
        world.proxy.exchanges.clear()
        try:
            ended_well += (try_push if seed % 2 else try_pull)(world, seed)
        except Exception as error:
            error.add_note(f"IMG_FAULT_SEED={seed}")
            for each in world.proxy.exchanges:
                error.add_note(f"  {each.method} {each.path[:70]} {each.status} {each.fault}")
            raise

    # Nearly all faults pass: a client that always gives up would be right, and of no use.
    assert ONLY or len(seeds) * 0.3 < ended_well < len(seeds)

"""Contract tests of shared stores."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.registry.oras import OrasRegistry
from img.adapters.remote_cache.memory import MemoryRemoteCaches
from img.adapters.remote_cache.opened import OpenedRemoteCaches
from img.adapters.shared_blobs.directory import DirectorySharedBlobs
from img.adapters.shared_blobs.memory import MemorySharedBlobStores
from img.adapters.shared_blobs.opened import OpenedSharedBlobStores
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.registry import Registry
from img.application.ports.shared_blobs import (
    SharedBlobNotFound,
    SharedBlobs,
    SharedBlobsError,
)
from img.domain.options.attributes import Attributes
from img.domain.options.cluster_store import DirectoryStore, parse_cluster_store
from img.testing.loopback_registry import LoopbackRegistry
from img.testing.shared_blobs import CONTENT, SharedBlobsContract, descriptor_of
from tests.support.host.machine import need_root
from tests.support.servers.object_stores import object_store

BLOB = descriptor_of(CONTENT)


def opened(text: str, registry: Registry | None = None) -> SharedBlobs:
    """Return the store of ``--cluster-store TEXT``."""
    stores = OpenedSharedBlobStores(registry or MemoryRegistry(), OpenedRemoteCaches({}))
    return stores.open(parse_cluster_store(text))


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], SharedBlobs]]:
    """Return a function that opens an empty store in a server; that of buckets is started once."""
    addresses: dict[str, str] = {}
    with ExitStack() as started:

        def in_bucket() -> SharedBlobs:
            if "s3" not in addresses:
                addresses["s3"] = started.enter_context(object_store("s3"))
            given = Attributes.parse("--cache-from", addresses["s3"])
            query = f"region=eu-central-1&endpoint_url={given['endpoint_url']}&use_path_style=true"
            keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
            with pytest.MonkeyPatch.context() as patch:
                for key, value in keys.items():
                    patch.setenv(key, value)
                return opened(f"s3://{given['bucket']}/{uuid4().hex}?{query}")

        def in_registry() -> SharedBlobs:
            # One for each store: it has the same blobs in all repositories.
            address = started.enter_context(LoopbackRegistry()).address
            registry = OrasRegistry(credentials=MemoryCredentials())
            return opened(f"registry:{address}/cluster", registry)

        yield lambda kind: in_bucket() if kind == "s3" else in_registry()


@pytest.fixture(params=["memory", "directory", "memory-registry", "memory-cache", "registry", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], SharedBlobs]
) -> SharedBlobs:
    match request.param:
        case "memory":
            return MemorySharedBlobStores().open(DirectoryStore("/x"))
        case "directory":
            return opened(f"dir:{tmp_path}")
        case "memory-registry":
            return opened("registry:registry.test/cluster")
        case "memory-cache":
            stores = OpenedSharedBlobStores(MemoryRegistry(), MemoryRemoteCaches())
            return stores.open(parse_cluster_store("s3://b/p?region=r"))
        case kind:
            return servers(kind)


class TestSharedBlobs(SharedBlobsContract):
    pass


def folder_in(directory: Path) -> Path:
    """Return the only folder of a user in the directory of a store."""
    (folder,) = directory.iterdir()
    return folder


def test_a_store_is_opened_once(tmp_path: Path) -> None:
    stores = OpenedSharedBlobStores(MemoryRegistry(), MemoryRemoteCaches())
    place = DirectoryStore(str(tmp_path))

    assert stores.open(place) is stores.open(place)


def test_a_directory_that_is_missing_is_an_error() -> None:
    with pytest.raises(SharedBlobsError, match="there is no /nowhere/store"):
        opened("dir:/nowhere/store")


def test_all_processes_of_a_user_write_to_one_folder(tmp_path: Path) -> None:
    opened(f"dir:{tmp_path}").add(BLOB, BytesIO(CONTENT))
    other = descriptor_of(b"other")
    opened(f"dir:{tmp_path}").add(other, BytesIO(b"other"))

    files = {path.name for path in folder_in(tmp_path).rglob("*") if path.is_file()}
    assert files == {BLOB.digest.encoded, other.digest.encoded}
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {0o755, 0o444}


def test_nothing_is_left_of_a_blob_that_could_not_be_read(tmp_path: Path) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("broken")

    with pytest.raises(SharedBlobsError, match="broken"):
        opened(f"dir:{tmp_path}").add(BLOB, Broken())

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_abandoned_file_is_removed(tmp_path: Path) -> None:
    store = opened(f"dir:{tmp_path}")
    store.add(BLOB, BytesIO(CONTENT))
    (path,) = folder_in(tmp_path).rglob(BLOB.digest.encoded)
    path.unlink()
    old, new = path.with_name(".incomplete-old"), path.with_name(".incomplete-new")
    old.touch()
    new.touch()
    os.utime(old, (0, 0))

    store.add(BLOB, BytesIO(CONTENT))

    assert {each.name for each in path.parent.iterdir()} == {path.name, new.name}


def as_folder_of_another_user(directory: Path, content: bytes) -> Path:
    """Put a folder in ``directory`` that no user of this process takes for its own."""
    folder = directory / "0000"  # before the names of other folders
    path = folder / "sha256" / BLOB.digest.encoded[:2] / BLOB.digest.encoded
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    folder.chmod(0o777)  # a folder that others can write to is nobody's
    return path


def test_a_blob_of_another_user_is_read_and_added_again(tmp_path: Path) -> None:
    as_folder_of_another_user(tmp_path, CONTENT)
    store = opened(f"dir:{tmp_path}")

    assert store.has(BLOB.digest)
    with store.open(BLOB, 0) as stream:
        assert stream.read() == CONTENT
    store.add(BLOB, BytesIO(CONTENT))

    assert len(list(tmp_path.rglob(BLOB.digest.encoded))) == 2


def test_after_a_copy_with_other_bytes_another_one_is_read(tmp_path: Path) -> None:
    opened(f"dir:{tmp_path}").add(BLOB, BytesIO(CONTENT))
    as_folder_of_another_user(tmp_path, CONTENT[:-1] + b"x")
    store = DirectorySharedBlobs(DirectoryStore(str(tmp_path)))  # it does not know its folder yet

    with pytest.raises(BlobMismatch), store.open(BLOB, 0) as stream:
        stream.read()

    with store.open(BLOB, 0) as stream:
        assert stream.read() == CONTENT


def test_a_damaged_copy_of_this_user_is_replaced(tmp_path: Path) -> None:
    store = opened(f"dir:{tmp_path}")
    store.add(BLOB, BytesIO(CONTENT))
    (path,) = folder_in(tmp_path).rglob(BLOB.digest.encoded)
    path.chmod(0o600)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(BlobMismatch), store.open(BLOB, 0) as stream:
        stream.read()
    assert not store.has(BLOB.digest)

    opened(f"dir:{tmp_path}").add(BLOB, BytesIO(CONTENT))  # by another process

    with opened(f"dir:{tmp_path}").open(BLOB, 0) as stream:
        assert stream.read() == CONTENT


def test_a_damaged_copy_of_another_user_is_not_deleted(tmp_path: Path) -> None:
    need_root()
    path = as_folder_of_another_user(tmp_path, CONTENT[:-1] + b"x")
    os.chown(path, 65534, 65534)

    with pytest.raises(BlobMismatch), opened(f"dir:{tmp_path}").open(BLOB, 0) as stream:
        stream.read()

    assert path.exists()


def add_as(uid: int, directory: Path, content: bytes) -> int:
    """Add a blob as another user, in a process of its own; return the exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.umask(0o077)
            store = opened(f"dir:{directory}")
            store.add(descriptor_of(content), BytesIO(content))
            with store.open(BLOB, 0) as stream:
                code = 0 if stream.read() == CONTENT else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def for_all() -> Iterator[Path]:
    """Return a directory in which all users may write, as in /tmp."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o1777)
        yield directory


def test_users_read_blobs_of_each_other_in_a_directory_for_all(for_all: Path) -> None:
    need_root()
    opened(f"dir:{for_all}").add(BLOB, BytesIO(CONTENT))
    other = b"of another user"

    assert add_as(65534, for_all, other) == 0
    assert add_as(65533, for_all, other) == 0

    with opened(f"dir:{for_all}").open(descriptor_of(other), 0) as stream:
        assert stream.read() == other
    assert {path.stat().st_uid for path in for_all.iterdir()} == {0, 65533, 65534}


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def fifo(path: Path, _target: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [link, fifo])
def test_only_regular_files_are_blobs(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    directory, target = tmp_path / "store", tmp_path / "target"
    directory.mkdir()
    target.write_bytes(CONTENT)
    path = as_folder_of_another_user(directory, b"")
    path.unlink()
    make(path, target)
    store = opened(f"dir:{directory}")

    assert not store.has(BLOB.digest)
    with pytest.raises(SharedBlobNotFound):
        store.open(BLOB, 0)


def test_a_link_among_the_folders_does_not_become_the_folder_of_this_user(tmp_path: Path) -> None:
    directory, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    directory.mkdir()
    elsewhere.mkdir()
    (directory / "0000").symlink_to(elsewhere)

    opened(f"dir:{directory}").add(BLOB, BytesIO(CONTENT))

    assert not list(elsewhere.iterdir())

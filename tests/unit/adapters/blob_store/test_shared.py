"""Blobs of a store of another user: used without a copy, never trusted, never changed."""

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from img.adapters.blob_store import shared
from img.adapters.blob_store.checked_file import checked_file
from img.adapters.blob_store.files import FileBlobStore
from img.adapters.blob_store.shared import SharedBlobs, WithSharedBlobs
from img.application.ports.blob_store import BlobDamaged, BlobNotFound
from img.domain.digest import Digest

CONTENT = b"content of the site"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return the file of the blob in the shared store."""
    directory = tmp_path / "site/blobs/sha256"
    directory.mkdir(parents=True)
    (directory / DIGEST.encoded).write_bytes(CONTENT)
    return directory / DIGEST.encoded


@pytest.fixture
def own(tmp_path: Path) -> FileBlobStore:
    return FileBlobStore(tmp_path / "own")


@pytest.fixture
def blobs(own: FileBlobStore, tmp_path: Path) -> WithSharedBlobs:
    return WithSharedBlobs(own, [SharedBlobs(tmp_path / "none"), SharedBlobs(tmp_path / "site")])


def read(blobs: WithSharedBlobs) -> bytes:
    with blobs.open(DIGEST) as file:
        return file.read()


@pytest.mark.usefixtures("site")
def test_a_shared_blob_is_used_where_it_is_and_is_not_the_users(
    blobs: WithSharedBlobs, own: FileBlobStore
) -> None:
    assert read(blobs) == CONTENT
    assert blobs.size(DIGEST) == len(CONTENT)
    assert list(blobs.digests()) == []
    assert blobs.facts(DIGEST) is None
    blobs.mark_for_deletion(DIGEST, 1)
    assert own.size(DIGEST) is None


@pytest.mark.usefixtures("site")
def test_an_adopted_blob_stays_without_the_shared_store(
    blobs: WithSharedBlobs, own: FileBlobStore
) -> None:
    blobs.adopt(DIGEST)
    blobs.adopt(DIGEST)

    assert own.size(DIGEST) == len(CONTENT)
    assert list(blobs.digests()) == [DIGEST]


def test_no_byte_of_a_blob_with_another_digest_is_used(blobs: WithSharedBlobs, site: Path) -> None:
    site.write_bytes(CONTENT[:-1] + b"!")

    with pytest.raises(BlobDamaged):
        blobs.open(DIGEST)


def test_the_file_that_is_verified_is_the_one_that_is_read(
    blobs: WithSharedBlobs, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_bytes(CONTENT[:-1] + b"!")

    def replaced(path: str, digest: Digest) -> BinaryIO:
        opened = checked_file(path, digest)
        site.unlink()
        site.write_bytes(CONTENT)
        return opened

    monkeypatch.setattr(shared, "checked_file", replaced)

    with pytest.raises(BlobDamaged):
        blobs.open(DIGEST)


def test_a_blob_that_is_changed_after_it_was_verified_is_verified_again(
    blobs: WithSharedBlobs, site: Path
) -> None:
    assert read(blobs) == CONTENT
    before = site.stat()

    site.write_bytes(CONTENT[:-1] + b"!")
    os.utime(site, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(BlobDamaged):
        blobs.open(DIGEST)


def test_a_damaged_blob_is_refused_for_good_and_not_deleted(
    blobs: WithSharedBlobs, site: Path
) -> None:
    site.write_bytes(b"damaged")

    blobs.remove(DIGEST)

    assert site.exists()
    assert blobs.size(DIGEST) is None
    with pytest.raises(BlobDamaged):
        blobs.open(DIGEST)
    writer = blobs.writer()
    writer.write(CONTENT)
    writer.commit(DIGEST)
    assert read(blobs) == CONTENT


def test_what_is_no_readable_file_is_not_there(blobs: WithSharedBlobs, site: Path) -> None:
    site.unlink()
    for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)):
        make(site)
        assert blobs.size(DIGEST) is None
        with pytest.raises(BlobNotFound):
            blobs.open(DIGEST)
        site.rmdir() if site.is_dir() else site.unlink()


@pytest.mark.usefixtures("site")
def test_the_users_own_blob_counts_first(
    blobs: WithSharedBlobs, own: FileBlobStore, site: Path
) -> None:
    blobs.adopt(DIGEST)
    site.write_bytes(b"damaged")

    assert read(blobs) == CONTENT
    assert own.size(DIGEST)

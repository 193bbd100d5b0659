"""Contract suite of stores of file digests."""

import hashlib

from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile

STAMP = FileStamp(64769, 12, 3, 1_700_000_000_123_456_789, 1_700_000_000_000_000_001)
PLAIN = KnownFile(STAMP, hashlib.sha256(b"a").hexdigest(), ())
OTHER = KnownFile(STAMP._replace(inode=13), hashlib.sha256(b"b").hexdigest(), (("user.x", b"\0"),))


class FileDigestStoreContract:
    """Promises of every FileDigestStore.

    Fixtures: ``store``, an empty store.
    """

    def test_known_files_come_back_as_they_were(self, store: FileDigestStore) -> None:
        store.save("/context", {"a": PLAIN, "dir/ü": OTHER}.items())

        assert store.load("/context") == {"a": PLAIN, "dir/ü": OTHER}
        assert isinstance(store.load("/context")["a"], KnownFile)
        assert isinstance(store.load("/context")["a"].stamp, FileStamp)

    def test_each_context_knows_its_own_files(self, store: FileDigestStore) -> None:
        store.save("/one", {"a": PLAIN}.items())
        store.save("/two", {"a": OTHER}.items())

        assert store.load("/one") == {"a": PLAIN}
        assert store.load("/two") == {"a": OTHER}
        assert store.load("/three") == {}

    def test_saving_adds_replaces_and_forgets_and_leaves_the_rest(
        self, store: FileDigestStore
    ) -> None:
        store.save("/context", {"a": PLAIN, "b": PLAIN, "c": PLAIN}.items())
        store.save("/context", {"b": OTHER, "d": OTHER}.items(), gone=iter(["c", "never"]))

        assert store.load("/context") == {"a": PLAIN, "b": OTHER, "d": OTHER}

    def test_a_context_whose_name_is_no_text_is_one_too(self, store: FileDigestStore) -> None:
        store.save("/\udcff", {"a": PLAIN}.items())

        assert store.load("/\udcff") == {"a": PLAIN}

    def test_the_largest_inode_is_one_too(self, store: FileDigestStore) -> None:
        large = PLAIN._replace(stamp=STAMP._replace(inode=2**64 - 1, mtime_ns=-1, device=2**64 - 2))
        store.save("/context", {"a": large}.items())

        assert store.load("/context") == {"a": large}

    def test_a_path_that_is_no_text_is_kept_too(self, store: FileDigestStore) -> None:
        store.save("/context", {"a": PLAIN, "b/\udcff": OTHER}.items())
        store.save("/context", {"c": PLAIN}.items(), gone=["a", "\udcfe"])

        assert store.load("/context") == {"b/\udcff": OTHER, "c": PLAIN}

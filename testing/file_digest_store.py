"""Contract suite of stores of file digests."""

import hashlib

from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile

STAMP = FileStamp(64769, 12, 3, 1_700_000_000_123_456_789, 1_700_000_000_000_000_001)
PLAIN = KnownFile(STAMP, hashlib.sha256(b"a").hexdigest(), ())
OTHER = KnownFile(STAMP._replace(inode=13), hashlib.sha256(b"b").hexdigest(), (("user.x", b"\0"),))


def known_in(store: FileDigestStore, context: str) -> dict[str, KnownFile]:
    """Return the known files of a context by path."""
    found: dict[str, KnownFile] = {}
    for path, known in store.load(context):
        if known is None:
            found.pop(path, None)
        else:
            found[path] = known
    return found


class FileDigestStoreContract:
    """Promises of every FileDigestStore.

    Fixtures: ``store``, an empty store.
    """

    def test_known_files_come_back_as_they_were(self, store: FileDigestStore) -> None:
        store.save("/context", {"a": PLAIN, "dir/ü": OTHER}.items())

        assert known_in(store, "/context") == {"a": PLAIN, "dir/ü": OTHER}
        known = known_in(store, "/context")["a"]
        assert (type(known), type(known.stamp)) == (KnownFile, FileStamp)

    def test_each_context_knows_its_own_files(self, store: FileDigestStore) -> None:
        store.save("/one", {"a": PLAIN}.items())
        store.save("/two", {"a": OTHER}.items())

        assert known_in(store, "/one") == {"a": PLAIN}
        assert known_in(store, "/two") == {"a": OTHER}
        assert known_in(store, "/three") == {}

    def test_saving_adds_replaces_and_forgets_and_leaves_the_rest(
        self, store: FileDigestStore
    ) -> None:
        store.save("/context", {"a": PLAIN, "b": PLAIN, "c": PLAIN}.items())
        store.save("/context", {"b": OTHER, "d": OTHER}.items(), gone=iter(["c", "never"]))

        assert known_in(store, "/context") == {"a": PLAIN, "b": OTHER, "d": OTHER}

    def test_a_context_whose_name_is_no_text_is_one_too(self, store: FileDigestStore) -> None:
        store.save("/\udcff", {"a": PLAIN}.items())

        assert known_in(store, "/\udcff") == {"a": PLAIN}

    def test_the_largest_inode_is_one_too(self, store: FileDigestStore) -> None:
        large = PLAIN._replace(stamp=STAMP._replace(inode=2**64 - 1, mtime_ns=-1, device=2**64 - 2))
        store.save("/context", {"a": large}.items())

        assert known_in(store, "/context") == {"a": large}

    def test_a_path_that_is_no_text_is_kept_too(self, store: FileDigestStore) -> None:
        store.save("/context", {"a": PLAIN, "b/\udcff": OTHER}.items())
        store.save("/context", {"c": PLAIN}.items(), gone=["a", "\udcfe"])

        assert known_in(store, "/context") == {"b/\udcff": OTHER, "c": PLAIN}

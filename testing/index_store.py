"""Contract suite of stores of file indexes."""

from img.application.ports.index_store import IndexStore
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.member_table import Member, MemberTable
from img.domain.oci.chain import DiffID

A = DiffID(Digest.of(b"a"))
B = DiffID(Digest("sha512", "ab" * 64))
ENTRIES = FileIndex.of(
    [
        Entry("etc", DIRECTORY, 0o755),
        Entry("etc/passwd", "f", 0o644, size=3, digest="00", xattrs=(("user.a", b"\0"),), offset=9),
        Entry("etc/\udcff", "l", link="\udcfe"),
    ]
)


class IndexStoreContract:
    """Promises of every IndexStore.

    Fixtures: ``store``, an empty store.
    """

    def test_an_index_comes_back_as_it_was(self, store: IndexStore) -> None:
        store.put(A, ENTRIES)

        assert store.get(A) == ENTRIES
        assert store.get(B) is None

    def test_an_index_may_be_put_again_and_be_replaced(self, store: IndexStore) -> None:
        store.put(A, FileIndex(()))
        store.put(A, ENTRIES)
        store.put(A, ENTRIES)

        assert store.get(A) == ENTRIES
        assert list(store.diff_ids()) == [A]

    def test_layers_with_an_index_are_listed(self, store: IndexStore) -> None:
        assert list(store.diff_ids()) == []

        store.put(A, ENTRIES)
        store.put(B, ENTRIES)

        assert set(store.diff_ids()) == {A, B}

    def test_a_removed_index_is_gone_and_may_be_removed_again(self, store: IndexStore) -> None:
        store.put(A, ENTRIES)
        store.remove(A)
        store.remove(A)

        assert store.get(A) is None
        assert list(store.diff_ids()) == []

    def test_the_size_of_an_index_is_known(self, store: IndexStore) -> None:
        store.put(A, ENTRIES)

        assert store.size(A) > 0
        assert store.size(B) == 0

    def test_a_table_of_members_comes_back_with_and_without_the_entries(
        self, store: IndexStore
    ) -> None:
        table = MemberTable(Digest.of(b"blob"), [Member(3, 5), Member(4, 6, b"k" * 32, b"\1")])
        store.put(A, ENTRIES)
        assert store.members(A) is None

        store.put(A, FileIndex.of(ENTRIES, table))

        assert store.members(A) == table
        found = store.get(A)
        assert found == ENTRIES
        assert found is not None
        assert found.members == table
        assert store.members(B) is None

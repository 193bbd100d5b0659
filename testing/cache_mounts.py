"""Contract suite of cache mounts."""

import os
from pathlib import Path

import pytest

from img.application.ports.cache_mounts import CacheDirectory, CacheMounts
from img.domain.filesystem.entry import DIRECTORY, FILE

OWNER = (os.getuid(), os.getgid())


def used(mounts: CacheMounts, name: str, sharing: str = "shared") -> CacheDirectory:
    with mounts.use(name, sharing=sharing, mode=0o755, owner=OWNER) as directory:
        return directory


class CacheMountsContract:
    """Promises of every CacheMounts.

    Fixtures: ``mounts``, without a directory.
    """

    def test_a_directory_is_fresh_once(self, mounts: CacheMounts) -> None:
        assert [used(mounts, "a").fresh, used(mounts, "a").fresh] == [True, False]

    def test_a_directory_keeps_what_is_in_it(self, mounts: CacheMounts) -> None:
        (Path(used(mounts, "a").path) / "f").write_text("kept")

        assert (Path(used(mounts, "a").path) / "f").read_text() == "kept"
        assert not (Path(used(mounts, "b").path) / "f").exists()

    def test_files_come_with_their_contents_parents_first(self, mounts: CacheMounts) -> None:
        root = Path(used(mounts, "a").path)
        (root / "d").mkdir()
        (root / "d/full").write_bytes(b"x" * 9)
        (root / "d/empty").touch()
        (root / "d.f").write_bytes(b"y")

        with mounts.files("a") as files:
            found = [(f.entry, f.open().read() if f.open else b"") for f in files]

        assert {entry.path: (entry.kind, content) for entry, content in found} == {
            "d": (DIRECTORY, b""),
            "d/full": (FILE, b"x" * 9),
            "d/empty": (FILE, b""),
            "d.f": (FILE, b"y"),
        }
        paths = [entry.path for entry, _ in found]
        assert paths.index("d") < paths.index("d/full")

    def test_a_directory_that_nobody_used_has_no_files(self, mounts: CacheMounts) -> None:
        with mounts.files("a") as files:
            assert list(files) == []
        assert used(mounts, "a").fresh

    def test_what_is_kept_is_listed_by_the_name_it_was_given(self, mounts: CacheMounts) -> None:
        assert list(mounts.kept()) == []
        used(mounts, "a")
        used(mounts, "b")

        assert sorted(each.name for each in mounts.kept()) == ["a", "b"]
        assert not any(each.in_use for each in mounts.kept())

    def test_what_is_removed_is_fresh_again(self, mounts: CacheMounts) -> None:
        (Path(used(mounts, "a").path) / "f").write_text("gone")
        (kept,) = mounts.kept()

        assert mounts.remove(kept.id)
        assert not mounts.remove(kept.id)
        assert not mounts.remove("../a")

        again = used(mounts, "a")
        assert again.fresh
        assert list(Path(again.path).iterdir()) == []

    @pytest.mark.parametrize("sharing", ["shared", "locked", "private"])
    def test_what_is_in_use_is_not_removed(self, mounts: CacheMounts, sharing: str) -> None:
        with mounts.use("a", sharing=sharing, mode=0o755, owner=OWNER) as directory:
            (kept,) = mounts.kept()
            assert kept.in_use
            assert not mounts.remove(kept.id)
            assert Path(directory.path).is_dir()

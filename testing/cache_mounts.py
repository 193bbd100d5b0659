"""Contract suite of cache mounts."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest

from img.application.ports.blob_store import StoreFull
from img.application.ports.cache_mounts import CacheMounts
from img.domain.filesystem.entry import DIRECTORY, FILE

OWNER = (os.getuid(), os.getgid())


def _nothing(_directory: str) -> None:
    """Leave the directory empty."""


def use(
    mounts: CacheMounts, name: str, sharing: str = "shared", fill: Callable[[str], None] = _nothing
) -> AbstractContextManager[str]:
    """Return a use of the directory of ``name``."""
    return mounts.use(name, sharing=sharing, mode=0o755, owner=OWNER, fill=fill)


def used(mounts: CacheMounts, name: str, sharing: str = "shared") -> Path:
    """Return the directory of ``name``, which has been used once."""
    with use(mounts, name, sharing) as directory:
        return Path(directory)


class CacheMountsContract:
    """Promises of every CacheMounts.

    Fixtures: ``mounts``, without a directory.
    """

    def test_a_directory_is_filled_once(self, mounts: CacheMounts) -> None:
        filled: list[str] = []
        for _ in range(2):
            with use(mounts, "a", fill=filled.append) as directory:
                assert filled == [directory]

    def test_a_directory_is_empty_again_when_filling_failed(self, mounts: CacheMounts) -> None:
        def fill(directory: str) -> None:
            (Path(directory) / "half").mkdir()
            raise StoreFull("the disk is full")

        with pytest.raises(StoreFull), use(mounts, "a", fill=fill):
            pass
        with mounts.files("a") as files:
            assert list(files) == []
        assert list(used(mounts, "a").iterdir()) == []

    def test_other_steps_wait_until_a_directory_is_filled(self, mounts: CacheMounts) -> None:
        begun, end = Event(), Event()

        def fill(directory: str) -> None:
            begun.set()
            assert end.wait(30)
            (Path(directory) / "f").touch()

        def first() -> None:
            with use(mounts, "a", fill=fill):
                pass

        with ThreadPoolExecutor(2) as pool:
            filling = pool.submit(first)
            assert begun.wait(30)
            waiting = pool.submit(used, mounts, "a")
            assert not waiting.done()
            end.set()
            filling.result(30)
            assert (waiting.result(30) / "f").exists()

    def test_a_directory_keeps_what_is_in_it(self, mounts: CacheMounts) -> None:
        (used(mounts, "a") / "f").write_text("kept")

        assert (used(mounts, "a") / "f").read_text() == "kept"
        assert not (used(mounts, "b") / "f").exists()

    def test_files_come_with_their_contents_parents_first(self, mounts: CacheMounts) -> None:
        root = used(mounts, "a")
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
        assert list(used(mounts, "a").iterdir()) == []

    def test_what_is_kept_is_listed_by_the_name_it_was_given(self, mounts: CacheMounts) -> None:
        assert list(mounts.kept()) == []
        used(mounts, "a")
        used(mounts, "b")

        assert sorted(each.name for each in mounts.kept()) == ["a", "b"]
        assert not any(each.in_use for each in mounts.kept())

    def test_what_is_removed_is_fresh_again(self, mounts: CacheMounts) -> None:
        (used(mounts, "a") / "f").write_text("gone")
        (kept,) = mounts.kept()

        assert mounts.remove(kept.id)
        assert not mounts.remove(kept.id)
        assert not mounts.remove("../a")

        assert list(used(mounts, "a").iterdir()) == []

    @pytest.mark.parametrize("sharing", ["shared", "locked", "private"])
    def test_what_is_in_use_is_not_removed(self, mounts: CacheMounts, sharing: str) -> None:
        with use(mounts, "a", sharing) as directory:
            (kept,) = mounts.kept()
            assert kept.in_use
            assert not mounts.remove(kept.id)
            assert Path(directory).is_dir()

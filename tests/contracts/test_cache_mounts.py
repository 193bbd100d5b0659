"""What every keeper of cache mounts promises."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.cache_mounts.directories import DirectoryCacheMounts
from img.adapters.cache_mounts.memory import MemoryCacheMounts
from img.application.ports.cache_mounts import CacheDirectory, CacheMounts
from img.domain.errors import ContextError
from img.domain.filesystem.entry import DIRECTORY, FILE

OWNER = (os.getuid(), os.getgid())
Make = Callable[[Path], CacheMounts]


@pytest.fixture(params=[DirectoryCacheMounts, lambda _: MemoryCacheMounts()])
def mounts(request: pytest.FixtureRequest, tmp_path: Path) -> CacheMounts:
    make: Make = request.param
    return make(tmp_path / "mounts")


def used(mounts: CacheMounts, name: str, sharing: str = "shared") -> CacheDirectory:
    with mounts.use(name, sharing=sharing, mode=0o755, owner=OWNER) as directory:
        return directory


def test_a_directory_is_fresh_once(mounts: CacheMounts) -> None:
    assert [used(mounts, "a").fresh, used(mounts, "a").fresh] == [True, False]


def test_a_directory_keeps_what_is_in_it(mounts: CacheMounts) -> None:
    (Path(used(mounts, "a").path) / "f").write_text("kept")

    assert (Path(used(mounts, "a").path) / "f").read_text() == "kept"
    assert not (Path(used(mounts, "b").path) / "f").exists()


def test_files_come_with_their_contents_parents_first(mounts: CacheMounts) -> None:
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


def test_a_directory_that_nobody_used_has_no_files(mounts: CacheMounts) -> None:
    with mounts.files("a") as files:
        assert list(files) == []
    assert used(mounts, "a").fresh


def test_a_private_directory_is_another_while_one_is_in_use(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    with mounts.use("a", sharing="private", mode=0o755, owner=OWNER) as first:
        assert used(mounts, "a", "private").path != first.path


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    (Path(used(mounts, "a").path) / "f").write_bytes(b"x")

    with mounts.files("a") as files:
        (file,) = files
        (Path(used(mounts, "a").path) / "f").unlink()
        with pytest.raises(ContextError, match="changed while it was read"):
            assert file.open and file.open()

"""Contract tests of cache mounts."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from img.adapters.cache_mounts.directories import DirectoryCacheMounts
from img.adapters.cache_mounts.memory import MemoryCacheMounts
from img.adapters.storage.ownership import journal_of
from img.application.cancellation import StepCanceled, cancelled_by
from img.application.ports.cache_mounts import CacheMounts
from img.domain.errors import ContextError
from img.testing.cache_mounts import CacheMountsContract, use, used

Make = Callable[[Path], CacheMounts]


@pytest.fixture(params=[DirectoryCacheMounts, lambda _: MemoryCacheMounts()])
def mounts(request: pytest.FixtureRequest, tmp_path: Path) -> CacheMounts:
    make: Make = request.param
    return make(tmp_path / "mounts")


class TestCacheMounts(CacheMountsContract):
    pass


def test_a_private_directory_is_another_while_one_is_in_use(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    with use(mounts, "a", "private") as first:
        assert used(mounts, "a", "private") != Path(first)


@pytest.mark.parametrize("sharing", ["locked", "shared"])
def test_a_wait_for_a_directory_ends_when_the_step_is_cancelled(
    tmp_path: Path, sharing: str
) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    cancelled = Event()
    cancelled.set()

    with (
        use(mounts, "a", "locked"),
        cancelled_by(cancelled),
        pytest.raises(StepCanceled),
    ):
        used(mounts, "a", sharing)


def test_what_a_killed_process_was_removing_is_removed(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    data = used(mounts, "a")
    (data / "f").write_bytes(b"x")
    gone = data.parent / "gone"
    gone.mkdir()
    data.rename(gone / "1")
    (data.parent / "new").touch()
    Path(journal_of(str(data))).touch()

    assert not [*used(mounts, "a").iterdir()]
    assert {file.name for file in data.parent.iterdir()} == {"data", "name"}


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    (used(mounts, "a") / "f").write_bytes(b"x")

    with mounts.files("a") as files:
        (file,) = files
        (used(mounts, "a") / "f").unlink()
        with pytest.raises(ContextError, match="changed while it was read"):
            assert file.open and file.open()


def test_sizes_are_those_on_disk_and_may_be_of_before(tmp_path: Path) -> None:
    mounts = DirectoryCacheMounts(tmp_path)
    (used(mounts, "a") / "f").write_bytes(bytes(100_000))
    (first,) = mounts.kept()
    (used(mounts, "a") / "g").write_bytes(bytes(500_000))

    (noted,) = mounts.kept(measured=False)
    (measured,) = mounts.kept()

    assert 100_000 <= first.size < 130_000
    assert noted.size == first.size
    assert measured.size > 600_000
    assert measured.used >= first.used

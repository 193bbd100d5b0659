"""Cache mounts as layers in the store of a cluster."""

import shutil
from pathlib import Path
from threading import Event

import pytest

from img.adapters.shared_blobs.memory import MemorySharedBlobs
from img.application.cancellation import StepCanceled
from img.application.layers.mount_records import MOST_LAYERS
from img.application.layers.shared import SharedLayers
from img.application.solver.share_mounts import ShareMounts, shared_names
from img.domain.graph.operations import Exec, ExecMount
from img.domain.graph.task import KeptMount
from img.domain.options.cluster_store import DirectoryStore
from img.testing.cache_mounts import use
from tests.support.in_memory_app import InMemoryApp

NAME = "go\0None:0:0:"
PLACE = DirectoryStore("/srv/blobs")
MUCH = 1 << 20


class Machine:
    """A worker with a cache mount; ``store`` is the store that it shares with others."""

    def __init__(self, store: MemorySharedBlobs) -> None:
        self.app = InMemoryApp()
        self.app.container.images.shared_stores.override(_Opened(store))
        self.shared: SharedLayers = self.app.container.images.share_layers()(PLACE)
        self.mounts: ShareMounts = self.app.container.steps.solve_task().mounts
        caches = self.app.container.execution.cache_mounts()
        with use(caches, NAME) as directory:
            self.directory = Path(directory)

    def keep(self, limit: int = MUCH) -> KeptMount | None:
        return self.mounts.keep(NAME, self.shared, limit, Event())

    def take(self, mount: KeptMount) -> dict[str, str]:
        """Return the files that a new directory begins with."""
        steps = self.app.container.building.prepare_mounts()
        for layer in self.mounts.given(str(PLACE), [mount])(NAME):
            with self.app.blobs.open(layer.descriptor.digest) as blob:
                steps.copy.archive.unpack(
                    blob,
                    str(self.directory),
                    overlay=False,
                    place=lambda path: path,
                    implied=lambda _path: None,
                )
        return self.files()

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.directory)): path.read_text()
            for path in self.directory.rglob("*")
            if path.is_file()
        }


class _Opened:
    def __init__(self, store: MemorySharedBlobs) -> None:
        self._store = store

    def open(self, place: object) -> MemorySharedBlobs:
        return self._store


@pytest.fixture
def store() -> MemorySharedBlobs:
    return MemorySharedBlobs()


@pytest.fixture
def machine(store: MemorySharedBlobs) -> Machine:
    made = Machine(store)
    (made.directory / "mod").mkdir()
    (made.directory / "mod/a").write_text("a" * 1000)
    (made.directory / "b").write_text("b")
    return made


def test_only_changes_are_packed_again(store: MemorySharedBlobs, machine: Machine) -> None:
    first = machine.keep()
    assert first is not None
    assert machine.keep() == first
    (machine.directory / "b").write_text("c")  # of the same size, at the same time
    (machine.directory / "mod/new").write_text("new")

    second = machine.keep()

    assert second is not None
    assert second.layers[:-1] == first.layers
    assert [len(each.layers) for each in (first, second)] == [1, 2]
    taken = Machine(store).take(second)
    assert taken == {"mod/a": "a" * 1000, "b": "c", "mod/new": "new"}


def test_deleted_files_are_not_taken_over(store: MemorySharedBlobs, machine: Machine) -> None:
    for number in range(9):
        (machine.directory / f"more{number}").write_text("more" * 99)
    machine.keep()
    shutil.rmtree(machine.directory / "mod")

    kept = machine.keep()

    assert kept is not None
    assert len(kept.layers) == 2
    assert "mod/a" not in Machine(store).take(kept)


def test_a_worker_that_took_a_mount_over_adds_its_changes(
    store: MemorySharedBlobs, machine: Machine
) -> None:
    first = machine.keep()
    assert first is not None
    other = Machine(store)
    other.take(first)
    (other.directory / "later").write_text("later")

    second = other.keep()

    assert second is not None
    assert second.layers[0] == first.layers[0]
    assert Machine(store).take(second) == other.files()


def test_all_files_are_packed_again_after_some_changes(machine: Machine) -> None:
    counts = []
    for number in range(MOST_LAYERS + 1):
        (machine.directory / f"n{number}").write_text("n")
        kept = machine.keep()
        assert kept is not None
        counts.append(len(kept.layers))

    assert counts == [*range(1, MOST_LAYERS + 1), 1]


def test_all_files_are_packed_again_where_most_have_changed(machine: Machine) -> None:
    machine.keep()
    (machine.directory / "mod/a").write_text("x" * 1001)

    kept = machine.keep()

    assert kept is not None
    assert len(kept.layers) == 1


def test_large_and_empty_mounts_are_not_kept(store: MemorySharedBlobs, machine: Machine) -> None:
    assert machine.keep(limit=1000) is None
    assert Machine(store).keep() is None
    assert store.blobs == {}


def test_a_step_that_begins_stops_it(store: MemorySharedBlobs, machine: Machine) -> None:
    begun = Event()
    begun.set()

    with pytest.raises(StepCanceled):
        machine.mounts.keep(NAME, machine.shared, MUCH, begun)
    assert store.blobs == {}


def test_a_step_that_begins_stops_the_comparison_of_a_file(
    store: MemorySharedBlobs, machine: Machine
) -> None:
    kept = machine.keep()
    blobs = dict(store.blobs)
    begun = _After(len(machine.files()) + 2)  # it is asked once for each entry, and then for chunks

    with pytest.raises(StepCanceled):
        machine.mounts.keep(NAME, machine.shared, MUCH, begun)

    assert store.blobs == blobs
    assert machine.keep() == kept


class _After(Event):
    """An event that is set when it is asked another time than ``count`` times."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_all_files_are_packed_again_when_the_store_has_lost_some(
    store: MemorySharedBlobs, machine: Machine
) -> None:
    first = machine.keep()
    store.blobs.clear()
    (machine.directory / "b").write_text("c")

    second = machine.keep()

    assert first is not None and second is not None
    assert len(second.layers) == 1
    assert Machine(store).take(second) == machine.files()


def test_a_mount_that_the_store_has_lost_begins_empty(
    store: MemorySharedBlobs, machine: Machine
) -> None:
    kept = machine.keep()
    assert kept is not None
    store.blobs.clear()

    assert Machine(store).take(kept) == {}


def test_mounts_that_begin_with_files_and_read_only_ones_are_left_out() -> None:
    mounts = (
        ExecMount(type="cache", target="/a", id="a", read_only=False),
        ExecMount(type="cache", target="/b", id="b", read_only=False, input=1),
        ExecMount(type="cache", target="/c", id="c"),
        ExecMount(type="tmpfs", target="/d"),
    )

    assert shared_names(Exec(argv=("make",), mounts=mounts)) == ["a\0None:0:0:"]

"""Builds with steps on other machines, all in memory: what each machine does and fetches."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import get_args

import pytest
from dependency_injector import providers

from img.adapters.cluster.scripted import ScriptedCluster, ScriptedWorker, a_worker
from img.adapters.shared_blobs.memory import MemorySharedBlobs
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.planning.plan_platforms import ForeignStep
from img.application.ports.blob_store import StoreFull
from img.application.ports.cluster import NoWorker, TaskWatch
from img.application.ports.executor import Cancellation
from img.application.ports.shared_blobs import SharedBlobs, SharedBlobStores
from img.application.solver.cluster_use import ClusterUse
from img.application.solver.cluster_workers import ClusterWorkers
from img.application.usecases.solve_task import SolveTask
from img.domain.dockerfile.instructions import MountType
from img.domain.errors import BuildError
from img.domain.graph.operations import Exec, ExecMount
from img.domain.graph.task import VertexAnswer, VertexTask
from img.domain.options.cluster_store import DirectoryStore
from img.domain.process import BindMount, Volume
from img.domain.progress import VertexOutput, VertexStarted
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, a_request, image_of
from tests.unit.application.test_build_image import DOCKERFILE, FILES, PASSWD

PLACE = DirectoryStore("/srv/blobs")
SECRET = b"a long secret value"


class Stores(SharedBlobStores):
    """One store under every name."""

    def __init__(self, store: SharedBlobs) -> None:
        self.store = store

    def open(self, place: object) -> SharedBlobs:
        return self.store


class Machines:
    """A client and workers with states of their own, one registry, and one shared store."""

    def __init__(
        self, *names: str, secrets: bool = False, of_client: Mapping[str, bytes] | None = None
    ) -> None:
        self.store = MemorySharedBlobs()
        self.client = self._machine(InMemoryApp(secrets={"s": SECRET, **(of_client or {})}))
        self.client.publish("compiler", {"bin/cc": b"cc"})
        self.client.publish("runtime", {"etc/passwd": PASSWD})
        self.workers = {name: self._machine(InMemoryApp()) for name in names}
        for app in self.workers.values():
            app.container.registries.registry.override(self.client.registry)
            app.commands["cc -O$LEVEL"] = lambda root: root.write("src/main", b"program")
            app.commands["pandoc"] = lambda root: root.write("manual.html", b"<h1>")
        self.cluster = ScriptedCluster([self._worker(name) for name in names])
        self.join(self.client, secrets=secrets)

    def join(self, app: InMemoryApp, *, secrets: bool = False) -> None:
        """Let an app build on the cluster."""
        building, images = app.container.building, app.container.images
        use = ClusterUse(
            shared=images.share_layers()(PLACE),
            layers=images.layers(),
            platform=HERE,
            secrets=secrets,
            mounts=images.mount_records(),
            mount_limit=1 << 20,
        )
        building.cluster_use.override(providers.Object(use))
        building.workers.override(
            providers.Object(ClusterWorkers(lambda: self.cluster, print, patience_s=0))
        )

    def processes(self) -> list[str]:
        """Return the commands of all workers."""
        apps = self.workers.values()
        return sorted(each.argv[-1] for app in apps for each in app.executor.processes)

    def _machine(self, app: InMemoryApp) -> InMemoryApp:
        app.container.images.shared_stores.override(Stores(self.store))
        return app

    def _worker(self, name: str) -> ScriptedWorker:
        def perform(task: VertexTask, watch: TaskWatch, cancelled: Cancellation) -> VertexAnswer:
            solve: SolveTask = self.workers[name].container.steps.solve_task()
            answer = solve(task, watch, Event())
            if answer.keeps:
                watch.kept(solve.keep(task, Event()))
            return answer

        return a_worker(name, perform, HERE, slots=4)


def titles(app: InMemoryApp) -> list[str]:
    """Return the steps that were run as the progress shows them, with their workers."""
    return [each.title for each in app.progress.events if isinstance(each, VertexStarted)]


def local_files() -> dict[str, bytes]:
    """Return the files of the same image, built by one machine."""
    app = InMemoryApp()
    app.publish("compiler", {"bin/cc": b"cc"})
    app.publish("runtime", {"etc/passwd": PASSWD})
    app.commands["cc -O$LEVEL"] = lambda root: root.write("src/main", b"program")
    app.commands["pandoc"] = lambda root: root.write("manual.html", b"<h1>")
    return app.files_of(app.build(DOCKERFILE, FILES))


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_workers_run_the_steps_and_the_client_packs_its_context(names: list[str]) -> None:
    machines = Machines(*names)

    built = machines.client.build(DOCKERFILE, FILES)

    assert machines.client.files_of(built) == local_files()
    assert machines.processes() == ["cc -O$LEVEL", "pandoc"]
    assert not machines.client.executor.processes
    done = titles(machines.client)
    assert any("RUN cc -O2 (on " in each for each in done)
    assert any("COPY --from=build --chown=app /src/main /bin/main (on " in each for each in done)
    assert any(each.endswith("COPY main.c .") for each in done)


def test_what_is_done_is_found_by_the_next_build_and_by_another_client() -> None:
    machines = Machines("a")
    first = machines.client.build(DOCKERFILE, FILES)
    machines.client.forget_progress()
    other = machines._machine(InMemoryApp())
    other.container.registries.registry.override(machines.client.registry)
    machines.join(other)

    again = machines.client.build(DOCKERFILE, FILES)
    elsewhere = other.build(DOCKERFILE, FILES)

    assert not [each for each in titles(machines.client) if "(on" in each]
    assert image_of(again).layers == image_of(first).layers == image_of(elsewhere).layers
    assert machines.processes() == ["cc -O$LEVEL", "pandoc"]
    assert any("RUN pandoc" in each for each in other.found)


def test_without_a_cache_a_worker_runs_the_step_again() -> None:
    machines = Machines("a")
    machines.client.build("FROM compiler\nRUN pandoc\n", {})

    machines.client.build(
        "FROM compiler\nRUN pandoc\n", {}, request=replace(a_request(), no_cache=True)
    )

    assert machines.processes() == ["pandoc", "pandoc"]


def test_the_client_gives_workers_what_they_cannot_fetch() -> None:
    machines = Machines("a")
    local = InMemoryApp()  # a registry that the worker does not reach
    machines.workers["a"].container.registries.registry.override(local.registry)

    built = machines.client.build("FROM runtime\nRUN pandoc\n", {})

    assert machines.client.files_of(built) == {"etc/passwd": PASSWD, "manual.html": b"<h1>"}
    assert machines.processes() == ["pandoc"]


CACHED = "FROM runtime\nRUN --mount=type=cache,id=c,target=/c pandoc\n"


def counting(app: InMemoryApp) -> Callable[[MemoryWorkspace], None]:
    """Return a command that adds a file to its cache mount, and makes one with their number."""

    def count(root: MemoryWorkspace) -> None:
        (mount,) = app.executor.processes[-1].mounts
        assert isinstance(mount, BindMount)
        number = len(list(Path(mount.source).iterdir()))
        (Path(mount.source) / f"file{number}").write_text(str(number))
        root.write("count", str(number).encode())

    return count


def counted(machines: Machines) -> str:
    built = machines.client.build(CACHED, {}, request=replace(a_request(), no_cache=True))
    return machines.client.files_of(built)["count"].decode()


def test_a_cache_mount_is_taken_over_when_its_worker_is_gone() -> None:
    machines = Machines("a", "b", "c")
    for app in machines.workers.values():
        app.commands["pandoc"] = counting(app)
    names = ["0", "1"]
    assert [counted(machines), counted(machines)] == names
    (holder,) = (name for name, app in machines.workers.items() if app.executor.processes)

    machines.cluster.leave(holder)

    assert counted(machines) == "2"
    machines.join(machines.client)  # a later build
    assert counted(machines) == "3"
    others = [name for name in machines.workers if name != holder]
    (second,) = (name for name in others if machines.workers[name].executor.processes)
    machines.cluster.leave(second)
    machines.store.blobs.clear()
    assert counted(machines) == "0"  # a cache that is lost is no fault of a build


def test_the_error_of_a_step_is_as_at_home() -> None:
    machines = Machines("a")
    machines.workers["a"].statuses["pandoc"] = 3

    with pytest.raises(BuildError, match="did not complete successfully: exit code: 3") as caught:
        machines.client.build("FROM runtime\nRUN pandoc\n", {})

    assert caught.value.lines == (2, 2)
    assert "RUN pandoc" in caught.value.excerpt
    assert caught.value.exit_code == BuildError.exit_code


def test_a_full_disk_of_a_worker_moves_its_steps() -> None:
    machines = Machines("a", "b")

    def full(*_: object) -> None:
        raise StoreFull("no space left")

    machines.workers["a"].commands["pandoc"] = full
    built = [
        machines.client.build(f"FROM runtime\nENV A={number}\nRUN pandoc\n", {})
        for number in range(3)
    ]

    assert machines.client.files_of(built[-1])["manual.html"] == b"<h1>"
    assert machines.workers["b"].executor.processes


def test_a_mounted_context_is_sent_as_a_layer() -> None:
    machines = Machines("a")
    machines.workers["a"].commands["pandoc"] = lambda root: root.write("done", b"")

    machines.client.build("FROM runtime\nRUN --mount=source=manual.md,target=/m pandoc\n", FILES)

    (process,) = machines.workers["a"].executor.processes
    assert [mount.target for mount in process.mounts] == ["/m"]


def test_steps_with_secrets_stay_here_unless_they_may_leave() -> None:
    text = "FROM runtime\nRUN --mount=type=secret,id=s,required pandoc\n"
    for leave in (False, True):
        machines = Machines("a", secrets=leave)
        machines.client.commands["pandoc"] = machines.workers["a"].commands["pandoc"]

        machines.client.build(text, {})

        place = machines.workers["a"] if leave else machines.client
        (process,) = place.executor.processes
        assert SECRET in repr([getattr(each, "content", b"") for each in process.mounts]).encode()
        assert len(machines.processes()) == leave


@pytest.mark.parametrize("leave", [False, True])
def test_an_agent_stays_here_and_progress_says_so_if_secrets_leave(leave: bool) -> None:
    machines = Machines("a", secrets=leave)
    machines.client.commands["pandoc"] = machines.workers["a"].commands["pandoc"]

    machines.client.build("FROM runtime\nRUN --mount=type=ssh pandoc\n", {})

    assert machines.processes() == []
    events = machines.client.progress.events
    said = b"".join(each.data for each in events if isinstance(each, VertexOutput))
    assert (b"SSH agents are not forwarded" in said) == leave


def test_a_step_with_files_of_this_machine_stays_here() -> None:
    machines = Machines("a")
    machines.client.commands["pandoc"] = machines.workers["a"].commands["pandoc"]
    volume = Volume(source="/etc", target="/host", read_only=True, device=1, inode=1)

    machines.client.build("FROM runtime\nRUN pandoc\n", {}, request=a_request(volumes=(volume,)))

    assert machines.processes() == []
    assert machines.client.executor.processes


def test_platforms_are_built_at_the_same_time() -> None:
    machines = Machines("a")

    built = machines.client.build(
        "FROM scratch\nCOPY manual.md /m\nWORKDIR /w\n", FILES, platforms=[HERE, ELSEWHERE]
    )

    assert [each.config.platform for each in built.images] == [HERE, ELSEWHERE]


def test_a_foreign_step_needs_a_worker_that_may_run_it() -> None:
    machines = Machines("a")
    machines.client.publish("far", {"f": b""}, platforms=[ELSEWHERE])
    text = f"FROM --platform={ELSEWHERE} far\nRUN {{}} pandoc\n"

    with pytest.raises(NoWorker, match=f"runs programs for {ELSEWHERE}"):
        machines.client.build(text.format(""), {})
    with pytest.raises(ForeignStep):
        machines.client.build(text.format("--mount=type=ssh"), {})


@pytest.mark.parametrize("secrets", [False, True])
def test_a_run_with_something_of_the_client_is_not_sent(secrets: bool) -> None:
    use = Machines("a", secrets=secrets).client.container.building.cluster_use()
    assert use is not None
    sent = Exec(argv=("make",), hosts=(("a", "1.2.3.4"),), hidden_env=(("HTTP_PROXY", "http://p"),))
    mounts = {kind: ExecMount(type=kind, target="/m") for kind in get_args(MountType)}
    of_client = {"ssh"} if secrets else {"ssh", "secret"}

    assert use.sends(sent)
    assert not use.sends(replace(sent, devices=("gpu",)))
    assert not use.sends(
        replace(
            sent, volumes=(Volume(source="/a", target="/b", read_only=True, device=1, inode=2),)
        )
    )
    assert {
        kind for kind, mount in mounts.items() if not use.sends(replace(sent, mounts=(mount,)))
    } == of_client

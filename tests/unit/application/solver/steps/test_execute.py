"""RUN: what the command gets, what its changes become, what finds it again."""

from threading import Event

import pytest

from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.solver.steps.execute import ProcessFailed, ProcessTooSlow
from img.domain.errors import BuildError
from img.domain.graph.codec import encode_operation
from img.domain.graph.operations import Exec
from img.domain.process import (
    Network,
    Volume,
)
from img.domain.progress import VertexOutput
from tests.support.in_memory_app import InMemoryApp, a_request, image_of

BASE = {"etc/conf": b"old", "etc/gone": b"x"}


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", BASE)
    return app


def test_changes_and_deletions_become_a_layer() -> None:
    app = an_app()

    def change(root: MemoryWorkspace) -> None:
        root.write("etc/conf", b"new")
        root.remove("etc/gone")

    app.commands["change"] = change

    built = app.build("FROM base\nRUN change\n")

    assert app.files_of(built) == {"etc/conf": b"new"}
    index = app.container.images.trees().index_of(image_of(built).layers[-1])
    assert {entry.path for entry in index} >= {"etc/.wh.gone", "etc/conf"}


def test_a_command_that_changes_nothing_gives_an_empty_layer_as_in_buildkit() -> None:
    app = an_app()

    image = image_of(app.build("FROM base\nRUN true\n"))

    assert len(image.layers) == 2
    assert len(app.container.images.trees().index_of(image.layers[-1])) == 0


def test_a_command_that_fails_is_tried_again_with_the_files_from_before() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(retries=2)
    tries: list[None] = []

    def fail_once(root: MemoryWorkspace) -> None:
        tries.append(None)
        root.write(f"try-{len(tries)}")
        app.statuses["flaky"] = int(len(tries) == 1)

    app.commands["flaky"] = fail_once

    built = app.build("FROM base\nRUN flaky\n")

    assert app.files_of(built).keys() == {*BASE, "try-2"}
    shown = [event.data for event in app.progress.events if isinstance(event, VertexOutput)]
    assert shown == [
        b'process "/bin/sh -c flaky" did not complete successfully: exit code: 1; retry 1 of 2\n'
    ]


def test_after_the_last_retry_the_step_fails() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(retries=2)
    tries: list[None] = []
    app.commands["broken"] = lambda _: tries.append(None)
    app.statuses["broken"] = 7

    with pytest.raises(ProcessFailed) as failed:
        app.build("FROM base\nRUN broken\n")

    assert (failed.value.status, len(tries)) == (7, 3)


def test_a_command_that_takes_too_long_is_stopped() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(limit_s=0.01)
    app.commands["slow"] = lambda _: Event().wait(0.02)

    with pytest.raises(ProcessTooSlow) as stopped:
        app.build("FROM base\nRUN slow\n")

    assert stopped.value.message == 'process "/bin/sh -c slow" did not end within 0.01 s'


def test_a_command_that_ends_in_time_is_not_stopped() -> None:
    app = an_app()
    app.container.building.execute.add_kwargs(limit_s=60.0)
    app.commands["quick"] = lambda root: root.write("made", b"1")

    assert app.files_of(app.build("FROM base\nRUN quick\n"))["made"] == b"1"


def test_what_it_wrote_is_kept_as_a_snapshot_for_the_next() -> None:
    app = an_app()

    image = image_of(app.build("FROM base\nRUN true\n"))

    assert len(app.snapshotter.chain_ids()) == 1
    assert image.layers


def test_the_same_command_on_the_same_files_is_found_again() -> None:
    app = an_app()
    app.build("FROM base\nCOPY a /\nRUN make\n", {"a": b"1"})
    app.publish("renamed", BASE)
    app.forget_progress()

    app.build("FROM renamed\nCOPY a /\nRUN make\n")

    assert "[3/3] RUN make" in app.found


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM base\nRUN make\n",
        "FROM base\nENV A=1\nRUN make\n",
        "FROM base\nARG A=1\nRUN make\n",
        "FROM base\nUSER 7\nRUN make\n",
        "FROM base\nRUN --network=none make\n",
        "FROM base\nRUN --mount=type=tmpfs,target=/t make\n",
        'FROM base\nSHELL ["/bin/bash", "-c"]\nRUN make\n',
        'FROM base\nRUN ["make"]\n',
    ],
)
def test_whatever_decides_is_in_its_key(dockerfile: str) -> None:
    app = an_app()
    app.build("FROM base\nWORKDIR /x\nRUN make\n")

    app.build(dockerfile)
    app.build(dockerfile)

    assert len(app.executor.processes) == 2


def test_proxies_are_seen_and_decide_nothing() -> None:
    app = an_app()
    app.build("FROM base\nRUN make\n", request=a_request(build_args={"HTTP_PROXY": "http://a"}))

    app.build("FROM base\nRUN make\n", request=a_request(build_args={"HTTP_PROXY": "http://b"}))

    (process,) = app.executor.processes
    assert process.env["HTTP_PROXY"] == "http://a"


def test_a_heredoc_is_run_as_a_script() -> None:
    app = an_app()

    app.build("FROM base\nRUN <<EOF\necho one\necho two\nEOF\n")

    (process,) = app.executor.processes
    assert "echo one\necho two\n" in process.argv[-1]


def test_options_of_the_build_reach_the_command() -> None:
    app = an_app()
    request = a_request(hosts=(("db", "10.0.0.1"),), shm_size=1 << 20, network=Network.NONE)

    app.build("FROM base\nRUN make\n", request=request)

    (process,) = app.executor.processes
    assert process.hosts == (("db", "10.0.0.1"),)
    assert process.shm_size == 1 << 20
    assert process.network is Network.NONE


def test_a_failure_tells_command_and_status_and_keeps_nothing() -> None:
    app = an_app()
    app.statuses["make"] = 137

    with pytest.raises(ProcessFailed) as failed:
        app.build("FROM base\nRUN make\n")

    assert failed.value.status == 137
    assert failed.value.argv == ("/bin/sh", "-c", "make")
    assert all(each.discarded for each in app.snapshotter.workspaces.values())
    assert app.snapshotter.chain_ids() == []


@pytest.mark.parametrize(
    "flag",
    ["--security=insecure", "--device=vendor.com/gpu=all", "--mount=type=bind,source=no,target=/x"],
)
def test_what_cannot_be_given_is_refused_by_name(flag: str) -> None:
    app = an_app()

    with pytest.raises(BuildError) as refused:
        app.build(f"FROM base\nRUN {flag} make\n", {})

    assert refused.value.lines == (2, 2)
    assert app.executor.processes == ()


def steps_run(app: InMemoryApp, *volumes: Volume) -> int:
    """Build with the volumes; return the number of commands that were run."""
    before = len(app.executor.processes)
    app.build("FROM base\nRUN true\nRUN other\n", request=a_request(volumes=volumes))
    return len(app.executor.processes) - before


def a_volume(state: str = "", *, read_only: bool = True) -> Volume:
    return Volume(
        source="/srv", target="/data", read_only=read_only, device=1, inode=2, state=state
    )


def test_a_result_is_found_again_while_the_files_of_its_volumes_are_the_same() -> None:
    app = an_app()

    assert [steps_run(app, a_volume(state)) for state in ("a", "a", "b", "a")] == [2, 0, 2, 0]
    assert [steps_run(app) for _ in range(2)] == [2, 0]
    assert app.executor.processes[0].mounts == (a_volume("a"),)


def test_results_with_files_that_may_change_are_neither_found_nor_kept() -> None:
    app = an_app()

    assert [steps_run(app, a_volume(read_only=False)) for _ in range(2)] == [2, 2]
    assert {record.description for _, record in app.cache.records()} == {"image"}


def test_keys_of_steps_without_volumes_are_what_they_were() -> None:
    assert "volumes" not in encode_operation(Exec(argv=("true",)))

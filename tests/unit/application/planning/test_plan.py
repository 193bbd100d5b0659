"""From Dockerfile text to a plan."""

from collections.abc import Callable

import pytest

from img.application.planning.plan import Planned, plan_build
from img.application.planning.resolve import BaseUnavailable
from img.application.ports.build_context import DockerfileText
from img.domain.build import BuildRequest
from img.domain.errors import DockerfileError
from img.domain.graph.operations import CopyFiles, Exec, PullBase
from img.domain.oci.config import RunConfig
from tests.support.in_memory_app import InMemoryApp, a_request


def planner(app: InMemoryApp) -> Callable[[bytes, BuildRequest], Planned]:
    analyse = app.container.building.build_image().analyse

    def plan(dockerfile: bytes, request: BuildRequest) -> Planned:
        parsed = analyse.parse(DockerfileText(name="Dockerfile", content=dockerfile))
        return plan_build(analyse(parsed, request))

    return plan


def test_only_bases_that_the_target_needs_are_looked_up() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})

    planned = planner(app)(b"FROM missing AS unused\nFROM base\n", a_request())

    assert [name.text for name in planned.bases] == ["docker.io/library/base:latest"]
    graph, target = planned.plan.graph, planned.plan.target
    assert isinstance(graph.vertices[target].operation, PullBase)


def test_triggers_of_a_base_may_name_further_images() -> None:
    app = InMemoryApp()
    app.publish("tools", {"bin/tool": b"1"})
    app.publish(
        "base", {"a": b"1"}, run=RunConfig(on_build=("COPY --from=tools /bin/tool /", "RUN it"))
    )

    planned = planner(app)(b"FROM base\n", a_request())

    assert {name.text for name in planned.bases} == {
        "docker.io/library/base:latest",
        "docker.io/library/tools:latest",
    }
    operations = [type(vertex.operation) for vertex in planned.plan.graph.vertices]
    assert operations.count(CopyFiles) == operations.count(Exec) == 1


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        (b"", "no build stage|empty"),
        (b"RUN x\n", "no build stage|FROM"),
        (b"FROM scratch\nNOSUCH\n", "unknown instruction: NOSUCH"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_fetched(
    dockerfile: bytes, message: str
) -> None:
    app = InMemoryApp()

    with pytest.raises(DockerfileError, match=message):
        planner(app)(dockerfile, a_request())

    assert app.registry.fetched == []


@pytest.mark.parametrize(
    ("dockerfile", "hint"),
    [
        ("FROM scratch AS build\nFROM scratch\nCOPY --from=biuld / /\n", "the stage build?"),
        ("FROM scratch AS build\nFROM bulid\n", "the stage build?"),
        ("FROM scratch AS build\nFROM scratch\nCOPY --from=asets / /\n", "the context assets?"),
    ],
)
def test_where_there_is_no_such_image_a_stage_may_be_meant(dockerfile: str, hint: str) -> None:
    app = InMemoryApp()

    with pytest.raises(BaseUnavailable) as failed:
        planner(app)(dockerfile.encode(), a_request(contexts={"assets": "."}))

    assert failed.value.hint is not None
    assert failed.value.hint.endswith(hint)


def test_of_names_that_are_far_from_all_others_none_is_proposed() -> None:
    app = InMemoryApp()

    with pytest.raises(BaseUnavailable) as failed:
        planner(app)(b"FROM scratch AS build\nFROM debian\n", a_request())

    assert "stage" not in (failed.value.hint or "")

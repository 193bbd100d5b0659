import pytest

from img.domain.build import BaseName
from img.domain.errors import DockerfileError
from img.domain.graph.lower import MissingBases, lower
from img.domain.graph.operations import CopyFiles, Exec, PullBase, ReadContext, Scratch
from img.domain.graph.stage_plan import plan_stages
from img.domain.oci.config import RunConfig
from tests.support.plans import (
    AMD64,
    ARM64,
    a_base,
    a_dockerfile,
    a_request,
    history_of,
    names_of,
    operation_of,
    plan_of,
)

OF_OLD_DOCKER = RunConfig(user="5", unknown={"Hostname": "0f3c", "Tty": False})
TWO_STAGES = """\
FROM golang:1.22 AS build
WORKDIR /src
COPY . .
RUN make "all"
FROM scratch
COPY --from=build /app /
"""


def test_vertices_are_named_as_buildkit_names_them() -> None:
    digest = a_base("docker.io/library/golang:1.22").manifest
    assert names_of(plan_of(TWO_STAGES)) == [
        f"[build 1/4] FROM docker.io/library/golang:1.22@{digest}",
        "[build 2/4] WORKDIR /src",
        "[internal] load build context",
        "[build 3/4] COPY . .",
        '[build 4/4] RUN make "all"',
        "FROM scratch",
        "[stage-1 1/1] COPY --from=build /app /",
    ]


def test_the_only_stage_of_a_file_has_no_name_in_progress() -> None:
    assert names_of(plan_of("FROM scratch AS only\ncopy a b"))[-1] == "[1/1] COPY a b"


def test_step_numbers_are_as_wide_as_the_largest() -> None:
    names = names_of(plan_of("FROM scratch\n" + "".join(f"COPY {n} /\n" for n in range(12))))
    assert names[2] == "[ 1/12] COPY 0 /"


def test_progress_shows_values_of_variables_but_leaves_those_of_the_shell() -> None:
    plan = plan_of("FROM busybox\nARG V=1\nRUN echo $V '$V' \"$HOME\"")
    assert names_of(plan)[-1] == "[2/2] RUN echo 1 '$V' \"$HOME\""


def test_progress_never_shows_what_a_secret_variable_holds() -> None:
    plan = plan_of("FROM busybox\nENV T=x\nRUN --mount=type=secret,id=t,env=T echo $T")
    assert names_of(plan)[-1].endswith("echo ****")


def test_builds_of_several_platforms_tell_the_platform() -> None:
    request = a_request(platform=ARM64, multi_platform=True)
    text = "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nRUN x\nFROM b\nRUN y"
    names = names_of(plan_of(text, request))
    assert names[1:] == [
        "[linux/amd64->arm64 b 2/2] RUN x",
        "[linux/amd64->arm64 stage-1 1/1] RUN y",
    ]


def test_vertices_know_the_lines_of_their_instruction() -> None:
    vertex = plan_of("FROM busybox\n\nRUN a \\\n  b\n").graph.vertices[-1]
    assert vertex.lines == (3, 4)


def test_a_stage_that_the_target_does_not_need_is_left_out() -> None:
    plan = plan_of("FROM golang AS a\nRUN x\nFROM scratch\nCOPY f /")
    assert not any(isinstance(vertex.operation, PullBase) for vertex in plan.graph.vertices)


def test_inputs_come_before_what_uses_them() -> None:
    for position, vertex in enumerate(plan_of(TWO_STAGES).graph.vertices):
        assert all(each < position for each in vertex.inputs)


def test_steps_that_two_stages_have_in_common_are_done_once() -> None:
    text = """\
FROM busybox AS a
RUN same
FROM busybox AS b
RUN same
FROM scratch
COPY --from=a /x /
COPY --from=b /y /
"""
    plan = plan_of(text)
    assert sum(isinstance(vertex.operation, Exec) for vertex in plan.graph.vertices) == 1


def test_history_continues_that_of_the_base_stage() -> None:
    plan = plan_of("FROM busybox AS a\nENV A=1\nFROM a\nRUN x")
    assert history_of(plan) == ["ENV A=1", "RUN /bin/sh -c x # buildkit"]
    assert [item.created_by for item in plan.config.history] == ["base"]
    assert [item.vertex is None for item in plan.history] == [True, False]


def test_unknown_fields_of_a_base_are_not_those_of_the_image() -> None:
    plan = plan_of("FROM busybox", runs={"docker.io/library/busybox:latest": OF_OLD_DOCKER})
    assert (plan.config.unknown, plan.config.run.unknown, plan.config.run.user) == ({}, {}, "5")


def test_arguments_in_scope_stand_in_the_history_of_run() -> None:
    plan = plan_of(
        "ARG A=0\nFROM busybox\nARG A\nARG B=2\nRUN make", a_request(build_args={"A": "1"})
    )
    assert history_of(plan)[-1] == "RUN |2 A=1 B=2 /bin/sh -c make # buildkit"


def test_proxies_are_seen_by_run_but_leave_no_trace() -> None:
    request = a_request(build_args={"HTTP_PROXY": "http://p", "no_proxy": "x"})
    plan = plan_of("FROM busybox\nRUN make", request)
    run = operation_of(plan)
    assert isinstance(run, Exec)
    assert run.hidden_env == (
        ("HTTP_PROXY", "http://p"),
        ("http_proxy", "http://p"),
        ("NO_PROXY", "x"),
        ("no_proxy", "x"),
    )
    assert "p" not in dict(run.env)
    assert "PROXY" not in history_of(plan)[-1]


def test_triggers_of_a_base_image_run_first_and_are_gone_from_the_result() -> None:
    runs = {"docker.io/library/ob:latest": RunConfig(on_build=("ENV T=1", "RUN first"))}
    plan = plan_of("FROM ob\nRUN second", runs=runs)
    assert history_of(plan) == [
        "ENV T=1",
        "RUN /bin/sh -c first # buildkit",
        "RUN /bin/sh -c second # buildkit",
    ]
    assert plan.config.run.on_build == ()
    assert names_of(plan)[1] == "[2/4] ONBUILD RUN first"


def test_triggers_of_a_stage_run_in_its_child_only() -> None:
    plan = plan_of("FROM busybox AS a\nONBUILD RUN x\nFROM a AS b\nFROM b\nRUN y")
    assert history_of(plan) == ["RUN /bin/sh -c x # buildkit", "RUN /bin/sh -c y # buildkit"]


def test_triggers_may_ask_for_further_images() -> None:
    dockerfile, request = a_dockerfile("FROM ob"), a_request()
    first = plan_stages(dockerfile, request, {}).bases
    known = {first[0]: a_base(first[0].text, RunConfig(on_build=("COPY --from=alpine /a /b",)))}
    further = plan_stages(dockerfile, request, known)
    assert further.bases == (*first, BaseName("docker.io/library/alpine:latest", AMD64))
    with pytest.raises(MissingBases):
        lower(further, request, known)


def test_an_image_is_looked_up_once_for_each_platform() -> None:
    text = "FROM --platform=linux/arm64 alpine AS a\nFROM alpine:latest\nCOPY --from=a / /\n"
    dockerfile = a_dockerfile(text + "COPY --from=alpine / /")
    assert plan_stages(dockerfile, a_request(), {}).bases == (
        BaseName("docker.io/library/alpine:latest", ARM64),
        BaseName("docker.io/library/alpine:latest", AMD64),
    )


def test_from_takes_a_stage_as_it_is_called_and_the_others_in_any_case() -> None:
    text = "FROM scratch AS Base\nCOPY a /\nFROM base\nCOPY --from=BASE /a /b\n"
    plan = plan_of(f"{text}RUN --mount=from=Base,target=/m x")
    assert not any(isinstance(vertex.operation, PullBase) for vertex in plan.graph.vertices)
    with pytest.raises(DockerfileError, match="must be lowercase") as refusal:
        plan_of("FROM scratch AS Base\nFROM Base")
    assert refusal.value.lines == (2, 2)
    assert refusal.value.hint == "write FROM base, for names of stages are lower case"


def test_a_named_context_replaces_a_stage() -> None:
    request = a_request(contexts={"build": "docker-image://alpine"})
    plan = plan_of("FROM golang AS build\nRUN x\nFROM scratch\nCOPY --from=build /a /", request)
    pulled = [v.operation for v in plan.graph.vertices if isinstance(v.operation, PullBase)]
    assert [base.reference for base in pulled] == ["docker.io/library/alpine:latest"]
    assert not any(isinstance(vertex.operation, Exec) for vertex in plan.graph.vertices)


def test_a_named_context_replaces_an_image_whatever_way_its_name_is_written() -> None:
    request = a_request(contexts={"alpine": "./rootfs"})
    plan = plan_of("FROM docker.io/library/alpine:latest\nRUN x", request)
    operations = [vertex.operation for vertex in plan.graph.vertices]
    assert operations[:3] == [
        Scratch(),
        ReadContext(name="alpine"),
        CopyFiles(sources=("",), destination="/"),
    ]


def test_a_name_with_capitals_is_no_name_of_a_context() -> None:
    request = a_request(contexts={"alpine": "./rootfs"})
    for text in ("FROM Alpine", "FROM scratch\nCOPY --from=Alpine /a /"):
        with pytest.raises(DockerfileError, match='failed to parse stage name "Alpine"'):
            plan_of(text, request)


def test_no_cache_can_be_for_some_stages_only() -> None:
    text = "FROM busybox AS a\nRUN x\nFROM a AS b\nRUN y"
    for request, ignored in (
        (a_request(no_cache=True), ["RUN x", "RUN y"]),
        (a_request(no_cache_filter=("B",)), ["RUN y"]),
        (a_request(), []),
    ):
        plan = plan_of(text, request)
        names = [vertex.name for vertex in plan.graph.vertices if vertex.ignore_cache]
        assert [name.partition("] ")[2] for name in names] == ignored


def test_a_step_that_two_stages_do_alike_is_done_anew_if_one_of_them_wants_that() -> None:
    text = "FROM busybox AS a\nRUN x\nFROM busybox AS b\nRUN x\nCOPY --from=a /a /b"

    for stage in ("a", "b"):
        plan = plan_of(text, a_request(no_cache_filter=(stage,)))
        (step,) = [v for v in plan.graph.vertices if isinstance(v.operation, Exec)]
        assert step.ignore_cache


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("FROM $X", "base name ($X) should not be blank", 1),
        ("FROM a AS b\nCOPY --from=b x y", "circular dependency detected on stage: b", 2),
        (
            "FROM a AS b\nCOPY --from=c x y\nFROM a AS c\nCOPY --from=b x y",
            "circular dependency detected on stage: b",
            2,
        ),
        ("FROM a AS b\nCOPY --from=7 x y", "invalid stage index 7", 2),
        ("FROM a\nCOPY --from=$b x y", "variable expansion is not supported for --from", 2),
        ("FROM a AS b_\nFROM b_", "invalid context name b_: invalid reference format", 1),
        ("FROM a\nFROM a AS b.-c", "invalid context name b.-c: invalid reference format", 2),
        (f"FROM a AS {'d' * 64}", "cannot specify 64-byte hexadecimal strings", 1),
        ("FROM b:", 'failed to parse stage name "b:"', 1),
        ("FROM --platform=$P a", "empty platform value from expression $P", 1),
        ("FROM a AS b\nCOPY --from=c x y\nFROM b AS c", "cannot copy from stage", 2),
        ("FROM a AS b\nRUN --mount=from=c x\nFROM b AS c", "cannot mount from stage", 2),
        ("FROM a AS b\nONBUILD COPY --from=s<t x y\nFROM b", 'failed to parse stage name "s<t"', 3),
    ],
)
def test_what_no_stage_can_be_built_from_is_refused_at_its_line(
    text: str, message: str, line: int
) -> None:
    with pytest.raises(DockerfileError) as refusal:
        plan_of(text)
    assert message in refusal.value.message
    assert refusal.value.lines == (line, line)


def test_of_two_stages_of_one_name_the_nearest_above_is_meant() -> None:
    plan = plan_of("FROM a AS x\nRUN one\nFROM b AS x\nRUN two\nFROM x\nCOPY --from=x /f /")

    made = [v.operation.argv[-1] for v in plan.graph.vertices if isinstance(v.operation, Exec)]
    assert made == ["two"]


def test_a_chain_of_many_stages_is_no_trouble() -> None:
    text = "FROM scratch AS s0\n" + "".join(
        f"FROM s{n} AS s{n + 1}\nCOPY --from=s{n} / /\n" for n in range(1500)
    )
    assert len(plan_of(text).graph.vertices) == 1501

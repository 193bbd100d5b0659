import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from img.domain.errors import DockerfileError
from img.domain.oci.config import RunConfig
from img.domain.platform import Platform
from img.domain.process import DEFAULT_PATH
from tests.support.plans import a_request, history_of, plan_of

BASE = "docker.io/library/busybox:latest"
DOUBLED = "\n".join(["ARG A=$A$A"] * 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ENV a=1 b='x y'", "ENV a=1 b=x y"),
        ("LABEL a=1 b=2", "LABEL a=1 b=2"),
        ("ARG a=1 b", "ARG a=1 b"),
        ("USER u", "USER u"),
        ('SHELL ["/s", "-c"]', "SHELL [/s -c]"),
        ('CMD ["a", "b\\"c"]', 'CMD ["a" "b\\"c"]'),
        ("CMD a b", 'CMD ["/bin/sh" "-c" "a b"]'),
        ('ENTRYPOINT ["a"]', 'ENTRYPOINT ["a"]'),
        ("EXPOSE 100 99/udp", "EXPOSE [100/tcp 99/udp]"),
        ("EXPOSE 80 443", "EXPOSE [443/tcp 80/tcp]"),
        ("EXPOSE 80 80/tcp 80", "EXPOSE [80/tcp 80/tcp 80/tcp]"),
        ("EXPOSE 9-11 8", "EXPOSE [8/tcp 9/tcp 10/tcp 11/tcp]"),
        ("EXPOSE 5 ${A:-9}", "EXPOSE [9/tcp 5/tcp]"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ("STOPSIGNAL SIGINT", "STOPSIGNAL SIGINT"),
        ("MAINTAINER me", "MAINTAINER me"),
        (
            "HEALTHCHECK --interval=90s --timeout=1500ms --retries=3 CMD x",
            (
                "HEALTHCHECK {Test:[CMD-SHELL x] Interval:1m30s Timeout:1.5s StartPeriod:0s "
                "StartInterval:0s Retries:3}"
            ),
        ),
    ],
)
def test_history_is_buildkits(text: str, line: str) -> None:
    assert history_of(plan_of(f"FROM busybox\n{text}")) == [line]


def test_an_instruction_sees_variables_as_they_were_before_it() -> None:
    plan = plan_of("FROM busybox\nENV a=hello\nENV a=bye d=$a\nENV g=$a")
    assert plan.config.run.env == (("PATH", "/bin"), ("a", "bye"), ("d", "hello"), ("g", "bye"))


def test_arguments_do_not_reach_the_image() -> None:
    plan = plan_of("FROM busybox\nARG A=1\nENV B=$A")
    assert plan.config.run.env == (("PATH", "/bin"), ("B", "1"))


def test_an_argument_takes_the_global_value_only_when_it_is_named() -> None:
    plan = plan_of("ARG A=1\nFROM busybox\nENV x=$A\nARG A\nENV y=$A")
    assert dict(plan.config.run.env) == {"PATH": "/bin", "x": "", "y": "1"}


def test_platforms_are_arguments() -> None:
    request = a_request(platform=Platform("linux", "arm", "v7"))
    plan = plan_of(
        "FROM busybox\nARG TARGETPLATFORM TARGETVARIANT BUILDARCH\n"
        "LABEL t=$TARGETPLATFORM$TARGETVARIANT b=$BUILDARCH",
        request,
    )
    assert plan.config.run.labels == {"t": "linux/arm/v7v7", "b": "amd64"}


def test_entrypoint_takes_away_the_command_of_the_base_but_not_of_the_stage() -> None:
    runs = {BASE: RunConfig(cmd=("c",))}
    assert plan_of('FROM busybox\nENTRYPOINT ["e"]', runs=runs).config.run.cmd is None
    own = plan_of('FROM busybox\nCMD ["d"]\nENTRYPOINT ["e"]', runs=runs)
    assert own.config.run.cmd == ("d",)


def test_ports_and_volumes_join_those_of_the_base() -> None:
    runs = {BASE: RunConfig(exposed_ports=("80/tcp",), volumes=("/v",))}
    run = plan_of("FROM busybox\nEXPOSE 80 53/udp\nVOLUME /a", runs=runs).config.run
    assert run.exposed_ports == ("53/udp", "80/tcp")
    assert run.volumes == ("/a", "/v")


def test_path_is_always_set() -> None:
    runs = {BASE: RunConfig(env=(("A", "1"),))}
    plan = plan_of("FROM busybox", runs=runs)
    assert plan.config.run.env == (("A", "1"), ("PATH", DEFAULT_PATH))
    assert plan_of("FROM scratch").config.run.env == (("PATH", DEFAULT_PATH),)


def test_labels_of_the_request_win() -> None:
    request = replace(a_request(), labels={"a": "2"})
    assert plan_of("FROM busybox\nLABEL a=1 b=1", request).config.run.labels == {
        "a": "2",
        "b": "1",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("VOLUME $EMPTY", "VOLUME specified can not be an empty string"),
        ("STOPSIGNAL NOPE", "invalid signal: NOPE"),
        ("EXPOSE 80/nope", "invalid proto: nope"),
        ("ENV a=${b", "missing '}'"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as refusal:
        plan_of(f"FROM busybox\n{text}")
    assert message in refusal.value.message
    assert refusal.value.lines == (2, 2)


@pytest.mark.parametrize("line", ["LABEL l{}=x$A", "RUN x{}", "COPY a /$A/{}"])
def test_variables_do_not_fill_the_memory_line_by_line(line: str) -> None:
    lines = "\n".join(line.format(number) for number in range(40))

    with pytest.raises(DockerfileError, match="longer than 16777216 characters"):
        plan_of(f"FROM busybox\nARG A={'a' * 1_000}\n{DOUBLED}\n{lines}")


def test_the_first_of_several_variables_of_one_name_is_changed() -> None:
    run = RunConfig(env=(("A", "1"), ("B", "2"), ("A", "3")))

    changed = run.with_env([("A", "4"), ("C", "5"), ("A", "6")])

    assert changed.env == (("A", "6"), ("B", "2"), ("A", "3"), ("C", "5"))


@pytest.mark.parametrize("line", ["ENV A{}=1", "ARG A{}=1", "ENV A=1 B{}=$A", "ENV A=1"])
def test_an_instruction_takes_no_more_calls_for_the_variables_before_it(line: str) -> None:
    def calls(count: int) -> int:
        text = "\n".join(["FROM busybox", *(line.format(number) for number in range(count))])
        return _calls(lambda: plan_of(text))

    calls(1)  # regular expressions are compiled once
    assert calls(200) - calls(100) < 1.2 * (calls(100) - calls(0))


def _calls(act: Callable[[], object]) -> int:
    count = 0

    def note(_frame: object, event: str, _: object) -> None:
        nonlocal count
        count += event == "call"  # so does each step of a generator

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count

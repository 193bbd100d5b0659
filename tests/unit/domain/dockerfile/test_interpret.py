"""Raw instructions and what they mean."""

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.instructions import Copy, Dockerfile, OnBuild, Run, RunMount
from img.domain.dockerfile.interpret import interpret, interpret_onbuild
from img.domain.dockerfile.mounts import expand_mounts
from img.domain.errors import DockerfileError

_NO_NAME = "name can't start with a number or contain symbols"
_NO_DESTINATION = (
    "COPY requires at least two arguments, but only one was provided. Destination could not be "
    "determined"
)


def understood(text: str) -> Dockerfile:
    return interpret(DockerfileParseParser().parse(text.encode()))


def test_arguments_before_the_first_stage_are_global() -> None:
    dockerfile = understood("ARG A=1 B\nFROM a\nARG C\nFROM b AS Two\n")
    assert [each.name for arg in dockerfile.meta_args for each in arg.arguments] == ["A", "B"]
    assert [stage.start.name for stage in dockerfile.stages] == ["", "two"]
    assert dockerfile.stages[1].index == 1


def test_mounts_wait_for_their_variables() -> None:
    run = understood("FROM a\nRUN --mount=type=$t,target=/$d true\n").stages[0].instructions[0]
    assert isinstance(run, Run)
    values = {"$t": "cache", "/$d": "/c"}
    expanded = expand_mounts(run, lambda value: values.get(value, value))
    assert expanded == (RunMount(type="cache", target="/c"),)


def test_a_trigger_keeps_its_heredocs_and_gives_them_back() -> None:
    text = "FROM a\nONBUILD COPY <<-E /x\n\ty\n\tE\n"
    onbuild = understood(text).stages[0].instructions[0]
    assert isinstance(onbuild, OnBuild)
    assert onbuild.expression == "COPY <<-E /x\n\ty\nE"
    copy = interpret_onbuild(onbuild.expression, lines=(7, 9))
    assert isinstance(copy, Copy)
    assert copy.heredocs[0].content == "y\n"
    assert copy.lines == (7, 9)


def test_a_trigger_keeps_the_blanks_at_its_end() -> None:
    texts = ["FROM a\nONBUILD RUN x \\\n", "FROM a\nONBUILD RUN x \r\n"]
    stages = [understood(text).stages[0].instructions[0] for text in texts]
    assert [each.expression for each in stages if isinstance(each, OnBuild)] == ["RUN x "] * 2


@pytest.mark.parametrize("trigger", ["FROM x", "ONBUILD RUN y", "MAINTAINER z", "RUN a\nRUN b", ""])
def test_bad_triggers_are_refused(trigger: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        interpret_onbuild(trigger, lines=(2, 2))
    assert raised.value.lines == (2, 2)


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("FNTRYPOINT x", "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)"),
        ("RUN --mont=x y", "unknown flag: --mont (did you mean mount?)"),
        ("COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"),
        ("COPY --link= a b", "missing a value on flag: --link"),
        ("COPY --from=a --from=b c d", "duplicate flag specified: --from"),
        ("RUN --network=x y", 'invalid network mode "x"'),
        ("COPY a <<E", "COPY cannot accept a heredoc as a destination"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK X", 'Unknown type "X" in HEALTHCHECK (try CMD)'),
        ('HEALTHCHECK "X', r'Unknown type "\"X" in HEALTHCHECK (try CMD)'),
        ('FROM b AS "c', rf'invalid name for build stage: "\"c", {_NO_NAME}'),
        ("HEALTHCHECK --interval=5 CMD x", 'time: missing unit in duration "5"'),
        ("COPY --nope", _NO_DESTINATION),
        ("WORKDIR --nope", "WORKDIR requires exactly one argument"),
        ("VOLUME --nope", "VOLUME requires at least one argument"),
        ("FROM --nope a b", "FROM requires either one or three arguments"),
        ("ENV --nope", "unknown flag: --nope"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
    ],
)
def test_errors_are_buildkits(instruction: str, message: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        understood(f"FROM a\n{instruction}\nE\n")
    assert raised.value.message == f"dockerfile parse error on line 2: {message}"
    assert raised.value.lines is not None
    assert raised.value.lines[0] == 2


def test_only_arguments_make_no_image() -> None:
    with pytest.raises(DockerfileError, match="dockerfile contains no stages to build"):
        understood("ARG a\n")

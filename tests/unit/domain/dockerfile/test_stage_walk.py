"""Checks and builds see the same variables in each stage."""

from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.application.planning.analyse import Analysis
from img.application.planning.warnings import known_stages, walk_of
from img.domain.dockerfile.instructions import Label
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.stage_walk import walk_stages
from img.domain.graph.stage_plan import plan_stages
from tests.support.plans import a_request, plan_of

_NAMES = st.sampled_from("abc")
_VALUES = st.builds("{}${}".format, st.sampled_from("123"), _NAMES)
_LINES = st.one_of(
    st.builds("ARG {}".format, _NAMES),
    st.builds("ARG {}={}".format, _NAMES, _VALUES),
    st.builds("ENV {}={}".format, _NAMES, _VALUES),
)
_LABEL = "LABEL seen=$a/$b/$c"


def _seen_by_checks(text: str) -> list[str]:
    """Return the value of the label in each stage, by the walk that checks and outlines use."""
    raw = DockerfileParseParser().parse(text.encode())
    dockerfile, request = interpret(raw), a_request()
    stages = plan_stages(dockerfile, request, {})
    analysis = Analysis(
        raw=raw, dockerfile=dockerfile, ignore=(), request=request, stages=stages, bases={}
    )
    return [
        step.expand(step.instruction.pairs[0].value).text
        for step in walk_stages(known_stages(analysis), walk_of(analysis))
        if isinstance(step.instruction, Label)
    ]


@settings(max_examples=60)
@given(st.lists(_LINES, max_size=2), st.lists(st.lists(_LINES, max_size=4), min_size=1, max_size=3))
def test_checks_expand_words_as_a_build_does(above: list[str], stages: list[list[str]]) -> None:
    texts = [line for line in above if line.startswith("ARG")]
    for number, lines in enumerate(stages):
        base = f"s{number - 1}" if number else "scratch"
        texts += [f"FROM {base} AS s{number}", *lines, _LABEL]
    text = "\n".join(texts)

    built = dict(plan_of(text).config.run.labels)

    assert _seen_by_checks(text)[-1] == built["seen"]


def test_env_of_a_base_stage_wins_over_its_arguments() -> None:
    text = f"FROM scratch AS s\nENV a=1\nARG a=2\nFROM s\n{_LABEL}"

    assert _seen_by_checks(text) == ["1//"]
    assert dict(plan_of(text).config.run.labels)["seen"] == "1//"

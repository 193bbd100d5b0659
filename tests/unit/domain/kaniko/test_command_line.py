"""Command lines of kaniko, parsed as Go's pflag does."""

import pytest

from img.domain.errors import UsageError
from img.domain.kaniko.command_line import Flag, Kind, parse
from img.domain.kaniko.flags import EXECUTOR, LOGIN, PUSH, WARMER

_FLAGS = (
    Flag(name="context", short="c", default="/workspace/", says=""),
    Flag(name="destination", short="d", kind=Kind.TEXTS, says=""),
    Flag(name="target", kind=Kind.LIST, says=""),
    Flag(name="cache", short="k", kind=Kind.SWITCH, default="false", says=""),
    Flag(name="retry", kind=Kind.INTEGER, default="0", says=""),
    Flag(name="ttl", kind=Kind.DURATION, default="1h", says="", ignored="no entry ages"),
    Flag(name="oldContext", says="", old_name_of="context"),
)


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ([], "/workspace/"),
        (["--context", "a"], "a"),
        (["--context=a=b"], "a=b"),
        (["-c", "a"], "a"),
        (["-ca"], "a"),
        (["-c=a"], "a"),
        (["-kc", "a"], "a"),
        (["-c", "a", "--context", "b"], "b"),
        (["--oldContext", "a"], "a"),
        (["--context", "--cache"], "--cache"),
        (["--context="], ""),
    ],
)
def test_a_text_is_the_last_one_given(words: list[str], context: str) -> None:
    assert parse(words, _FLAGS).text("context") == context


@pytest.mark.parametrize(
    ("words", "on"),
    [
        ([], False),
        (["--cache"], True),
        (["--cache=true"], True),
        (["--cache=0"], False),
        (["-k"], True),
        (["-k=F"], False),
    ],
)
def test_a_switch_takes_a_value_behind_equals_only(words: list[str], on: bool) -> None:
    assert parse(words, _FLAGS).switch("cache") is on


def test_words_that_are_no_flags_are_kept() -> None:
    given = parse(["--cache", "true", "-d", "x", "-", "--", "--cache"], _FLAGS)

    assert given.words == ("true", "-", "--cache")
    assert given.switch("cache")


def test_lists_are_split_at_commas_and_texts_are_not() -> None:
    given = parse(["-d", "a,b", "--destination=c", "--target=a,b", "--target", "c"], _FLAGS)

    assert given.texts("destination") == ("a,b", "c")
    assert given.texts("target") == ("a", "b", "c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--context"], "flag needs an argument: --context"),
        (["-c"], "flag needs an argument: -c"),
        (["--cache=maybe"], 'invalid argument "maybe" for "--cache" flag: it is not a boolean'),
        (["--retry", "x"], 'invalid argument "x" for "--retry" flag: it is not a number'),
        (
            ["--ttl", "6"],
            'invalid argument "6" for "--ttl" flag: time: missing unit in duration "6"',
        ),
    ],
)
def test_bad_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(words, _FLAGS)

    assert refused.value.message == message


def test_a_flag_without_effect_gives_a_notice_unless_it_asks_for_the_default() -> None:
    assert [*parse(["--ttl=6h"], _FLAGS).notices()] == ["--ttl has no effect: no entry ages"]
    assert [*parse(["--ttl=1h", "--cache"], _FLAGS).notices()] == []


@pytest.mark.parametrize("flags", [EXECUTOR, LOGIN, PUSH, WARMER])
def test_each_flag_of_kaniko_has_one_name_and_either_an_effect_or_a_reason(
    flags: tuple[Flag, ...],
) -> None:
    names = [flag.name for flag in flags]
    shorts = [flag.short for flag in flags if flag.short]

    assert len(names) == len(set(names))
    assert len(shorts) == len(set(shorts))
    assert [f.name for f in flags if not (f.says or f.ignored or f.old_name_of)] == []

"""Variables in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.variables import (
    MOST_ADDED,
    ExpansionFailed,
    expand,
    expand_word,
    expand_words,
)

ENV = {"name": "value", "empty": "", "two": "b c", "path": "/usr/lib/x.tar.gz"}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("$name-${name}", "value-value"),
        ("$unset|", "|"),
        ("'$name' \"$name\" \\$name", "$name value $name"),
        ("${unset:-${name}}", "value"),
        ("${empty-x}${empty:-x}", "x"),
        ("${name:+yes}${empty:+no}", "yes"),
        ("${path##*/} ${path%%.*} ${path#/*/}", "x.tar.gz /usr/lib/x lib/x.tar.gz"),
        ("${path//r/_} ${path/./,}", "/us_/lib/x.ta_.gz /usr/lib/x,tar.gz"),
    ],
)
def test_a_word_is_expanded(word: str, text: str) -> None:
    assert expand_word(word, ENV).text == text


def test_unquoted_values_are_split_and_quoted_are_not() -> None:
    assert expand_words('$two "$two" x', ENV) == ["b", "c", "b c", "x"]


def test_what_was_looked_up_is_told() -> None:
    found = expand_word("$name ${nope:-$two}", ENV)
    assert (found.matched, found.unmatched) == (
        frozenset({"name", "two"}),
        frozenset({"nope"}),
    )


def test_unset_variables_may_stay() -> None:
    assert expand_word("$nope ${nope} $name", ENV, skip_unset=True).text == "$nope ${nope} value"


def test_heredoc_bodies_keep_their_quotes() -> None:
    assert expand_word('it\'s "$name"', ENV, ignore_quotes=True).text == 'it\'s "value"'


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("${name", "missing '}'"),
        ("${}", "bad substitution"),
        ("'x", "matching single-quote"),
        ('"x', "matching double-quote"),
        ("${nope:?say why}", "nope: say why"),
        ("${nope?}", "nope: is not allowed to be unset"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${name:#x}", r"unsupported modifier \(:#\)"),
        ("${name/x}", "missing '/' in"),
    ],
)
def test_bad_words_are_refused_where_they_stand(word: str, problem: str) -> None:
    with pytest.raises(ExpansionFailed, match=problem) as raised:
        expand_word(word, ENV, lines=(3, 4))
    assert raised.value.lines == (3, 4)


def test_no_depth_of_braces_breaks_it() -> None:
    with pytest.raises(ExpansionFailed):
        expand_word("${a:-" * 100_000, {})


@given(st.text(alphabet="ab${}:-+?#%/\\'\"* ", max_size=24), st.sampled_from("\\`"))
def test_any_word_expands_or_is_refused(word: str, escape: str) -> None:
    try:
        expanded = expand(word, {"a": "x y", "b": ""}, escape)
    except ExpansionFailed:
        return
    assert all(each and each in expanded.text for each in expanded.words)


@pytest.mark.parametrize(
    "word",
    ["$A$A", '"$A$A"', "${A}${A:-x}", "${B:-$A$A}", "${A//a/bb}", "${A//a*a/$A$A}", "${N//n/$A$A}"],
)
def test_variables_do_not_fill_the_memory(word: str) -> None:
    half = "a" * (MOST_ADDED // 2 + 1)

    with pytest.raises(ExpansionFailed, match=f"longer than {MOST_ADDED} characters"):
        expand_word(word, {"A": half, "N": "n"})


def test_what_is_long_and_not_too_long_is_replaced() -> None:
    value = "ab" * (MOST_ADDED // 4)

    assert expand_word("${A//b/c}", {"A": value}).text == value.replace("b", "c")


@pytest.mark.parametrize("operator", ["#", "##", "%", "%%", "/", "//"])
def test_no_pattern_of_a_variable_takes_long(operator: str) -> None:
    pattern = f"{'*a' * 40}b" + "/x" * operator.startswith("/")

    assert expand_word(f"${{A{operator}{pattern}}}", {"A": "a" * 200}).text == "a" * 200

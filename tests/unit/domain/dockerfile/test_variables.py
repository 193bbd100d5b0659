"""Variables in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.variables import ExpansionFailed, expand, expand_word, expand_words

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

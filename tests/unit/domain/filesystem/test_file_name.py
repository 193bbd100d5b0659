import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.file_name import (
    FileName,
    InvalidFileName,
    are_tree_paths,
    is_file_name,
    is_tree_path,
)

# Texts that are near the rule more often than chance has them.
PARTS = st.sampled_from(
    ["", ".", "..", "...", "a", ".a", "a.", "\0", "\ud800", "\udcff", "n" * 255]
)
TEXTS = st.text() | st.lists(PARTS | st.text(max_size=3), max_size=5).map("/".join)


@pytest.mark.parametrize("text", ["a", "...", ".a", "a b", "-", "\\", "\n", "\udcff", "é" * 127])
def test_a_name_is_the_text_it_was_made_of(text: str) -> None:
    assert FileName(text) == text
    assert hash(FileName(text)) == hash(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (".", "it means a directory"),
        ("..", "it means a directory"),
        ("a/b", "it holds a slash"),
        ("../x", "it holds a slash"),
        ("a\0", "it holds a NUL character"),
        ("\ud800", "it holds half of a surrogate pair"),
        ("é" * 128, "it has 256 bytes, and 255 is the most"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(InvalidFileName) as caught:
        FileName(text)
    assert caught.value.problem == problem
    assert caught.value.message.endswith(f" cannot be the name of a file: {problem}")
    assert caught.value.message.isascii()


@given(TEXTS)
def test_a_name_leads_into_the_directory_it_is_joined_to(text: str) -> None:
    try:
        name = FileName(text)
    except InvalidFileName:
        return
    assert os.path.normpath(f"/top/{name}") == f"/top/{text}"
    assert os.path.dirname(f"/top/{name}") == "/top"
    assert len(os.fsencode(name)) <= 255
    assert is_file_name(name)


@given(TEXTS)
def test_a_path_is_names_or_the_root(text: str) -> None:
    expected = not text or all(is_file_name(part) for part in text.split("/"))
    assert is_tree_path(text) == expected


@given(st.lists(TEXTS, max_size=4))
def test_many_paths_are_judged_as_each_of_them_is(texts: list[str]) -> None:
    joined = "\0".join(texts)
    assert are_tree_paths(joined) == all(map(is_tree_path, joined.split("\0")))

"""Paths as Go cleans them."""

import pytest

from img.domain.go.file_paths import clean_path


@pytest.mark.parametrize(
    ("path", "cleaned"),  # most of them from Go's path/filepath, path_test.go, "cleantests"
    [
        ("", "."),
        ("abc", "abc"),
        ("abc/", "abc"),
        ("//abc//def//", "/abc/def"),
        ("./abc/./def", "abc/def"),
        ("abc/def/../../..", ".."),
        ("/abc/def/../../..", "/"),
        ("../../abc", "../../abc"),
        ("abc/..", "."),
    ],
)
def test_paths_are_cleaned_as_in_go(path: str, cleaned: str) -> None:
    assert clean_path(path) == cleaned

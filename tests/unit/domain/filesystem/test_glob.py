"""Patterns for the files of a tree."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.glob import matching
from img.domain.filesystem.tree import FileTree

TREE = FileTree.of_files(
    [
        Entry("etc", DIRECTORY),
        Entry("etc/.hidden", FILE),
        Entry("etc/passwd", FILE),
        Entry("etc/ssl", DIRECTORY),
        Entry("etc/ssl/a.pem", FILE),
        Entry("etc/ssl/[x]", FILE),
        Entry("lib", SYMLINK, link="usr/lib"),
        Entry("usr", DIRECTORY),
        Entry("usr/lib", DIRECTORY),
        Entry("usr/lib/a.pem", FILE),
    ]
)
ALL = [entry.path for entry in TREE.walk("")]


def found(pattern: str) -> list[str]:
    return [entry.path for entry in matching(TREE, pattern)]


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("/etc/passwd", ["etc/passwd"]),
        ("etc/./passwd/", ["etc/passwd"]),
        ("etc/*", ["etc/.hidden", "etc/passwd", "etc/ssl"]),
        ("*/ssl/?.pem", ["etc/ssl/a.pem"]),
        ("etc/ssl/[[]x]", ["etc/ssl/[x]"]),
        ("**/*.pem", ["etc/ssl/a.pem", "usr/lib/a.pem"]),
        ("**/**/a.pem", ["etc/ssl/a.pem", "usr/lib/a.pem"]),
        ("etc/**", ["etc", "etc/.hidden", "etc/passwd", "etc/ssl", "etc/ssl/[x]", "etc/ssl/a.pem"]),
        ("lib/*", []),
        ("", [""]),
        ("*.PEM", []),
        ("etc/passwd/*", []),
    ],
)
def test_patterns_are_those_of_pathlib(pattern: str, paths: list[str]) -> None:
    assert sorted(found(pattern)) == sorted(paths)


@given(st.lists(st.sampled_from(["**", "*", "etc", "a.pem", "?sl", "[a-z]*"]), max_size=4))
def test_each_match_is_found_once_and_in_order(parts: list[str]) -> None:
    paths = found("/".join(parts))

    assert len(set(paths)) == len(paths)
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    assert set(paths) <= set(ALL)
    if "**" not in parts and parts:
        pattern = "/".join(parts)
        expected = [path for path in ALL if path and _same_depth(path, pattern)]
        assert sorted(paths) == sorted(
            path for path in expected if PurePosixPath(path).match(pattern)
        )


def _same_depth(path: str, pattern: str) -> bool:
    return len(re.findall("/", path)) == len(re.findall("/", pattern))

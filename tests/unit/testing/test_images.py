"""Assertions on images: what they compare, and what they say."""

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from img import FileKind, Image
from img.domain.oci.config import ImageConfig, RunConfig
from img.domain.platform import Platform
from img.testing.images import assert_config, assert_file, assert_no_file, assert_size

CONFIG = ImageConfig(
    platform=Platform("linux", "amd64"),
    run=RunConfig(
        user="1000",
        env=(("PATH", "/bin"), ("A", "b")),
        cmd=("run",),
        labels={"l": "1"},
        exposed_ports=("80/tcp",),
    ),
)


class OneFile:
    """The files of an image that has one."""

    file = SimpleNamespace(
        path="/etc/app",
        kind=FileKind.FILE,
        mode=0o640,
        uid=1,
        gid=2,
        size=3,
        link="",
        read_bytes=lambda: b"a=1",
    )

    def get(self, path: str) -> Any:
        return self.file if path == "/etc/app" else None

    def glob(self, pattern: str) -> list[Any]:
        return [self.file] if pattern == "etc/*" else []


class OneImage:
    """An image with one file and ``CONFIG``."""

    files = OneFile()
    config = CONFIG
    size = 2000

    def __repr__(self) -> str:
        return "<Image>"


IMAGE = cast(Image, OneImage())


def test_what_is_equal_passes() -> None:
    file = assert_file(
        IMAGE, "/etc/app", content="a=1", mode=0o640, owner=(1, 2), kind="file", link="", size=3
    )
    assert file.path == "/etc/app"
    assert_file(IMAGE, "/etc/app", content=b"a=1")
    assert_file(IMAGE, "/etc/app", content=re.compile("^a="))
    assert_no_file(IMAGE, "usr/*")
    assert_config(
        IMAGE,
        user="1000",
        workdir="",
        cmd=["run"],
        entrypoint=None,
        env={"A": "b", "B": None},
        labels={"l": "1"},
        ports=["80/tcp"],
        volumes=[],
        architecture="amd64",
    )
    assert_size(IMAGE, at_most=2000)
    assert_size(IMAGE, at_most="2KB")
    assert_size(IMAGE, at_most="1.96 KiB")


def test_all_differences_are_listed() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_file(IMAGE, "/etc/app", mode=0o644, owner=(0, 0), content=re.compile("b="))

    assert str(caught.value).splitlines() == [
        "/etc/app of <Image>:",
        "  mode is '0640', not '0644'",
        "  owner is (1, 2), not (0, 0)",
        "  content 'a=1' has no match of 'b='",
    ]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"user": ""}, "user is '1000', not ''"),
        ({"cmd": None}, "cmd is ['run'], not None"),
        ({"entrypoint": ["x"]}, "entrypoint is None, not ['x']"),
        ({"env": {"A": None}}, "env['A'] is 'b', not None"),
        ({"env": {"B": "c"}}, "env['B'] is None, not 'c'"),
        ({"labels": {"l": "2"}}, "labels['l'] is '1', not '2'"),
        ({"ports": []}, "ports is ['80/tcp'], not []"),
    ],
)
def test_a_difference_of_the_config_says_which(given: Any, line: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(line)):
        assert_config(IMAGE, **given)


def test_missing_files_and_unwanted_files_are_named() -> None:
    with pytest.raises(AssertionError, match="has no file /etc/other"):
        assert_file(IMAGE, "/etc/other")
    with pytest.raises(AssertionError, match=r"has 1 files that match etc/[*]: /etc/app"):
        assert_no_file(IMAGE, "etc/*")


@pytest.mark.parametrize("most", [1999, "1.9KB", "1 KiB"])
def test_a_larger_image_fails(most: int | str) -> None:
    with pytest.raises(AssertionError, match=f"has 2000 bytes, more than {most}"):
        assert_size(IMAGE, at_most=most)


def test_a_size_with_another_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="is no size"):
        assert_size(IMAGE, at_most="20 apples")

"""Files at paths that other people control."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.linux.regular_files import (
    LinkLeadsOut,
    open_regular,
    read_at_most,
    read_inside,
    read_regular,
)

MOST = 100


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root" / "below").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    descriptor = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def planted(tmp_path: Path, name: str, content: str = "text") -> Path:
    path = tmp_path / "root" / name
    path.write_text(content)
    return path


def test_a_file_is_read_through_links_that_stay_inside(tmp_path: Path, root: int) -> None:
    planted(tmp_path, "below/file")
    for name, link in {
        "relative": "below/file",
        "absolute": "/below/file",
        "chain": "relative",
        "below/up": "../below/./file",
        "below/over": "../../../below/file",  # as if "root" were the root directory
    }.items():
        (tmp_path / "root" / name).symlink_to(link)
        assert read_inside(root, name, MOST) == b"text"
    (tmp_path / "root" / "directory").symlink_to("below")
    assert read_inside(root, "directory/../directory/file", MOST) == b"text"


@pytest.mark.parametrize("link", ["../outside", "/outside", "below/../../outside", "/etc/hostname"])
def test_a_link_that_leads_out_is_told_and_not_followed(
    tmp_path: Path, root: int, link: str
) -> None:
    (tmp_path / "root" / "link").symlink_to(link)
    with pytest.raises(LinkLeadsOut) as caught:
        read_inside(root, "link", MOST)
    assert caught.value.link == link


def test_a_directory_that_is_a_link_out_is_not_entered(tmp_path: Path, root: int) -> None:
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    with pytest.raises(LinkLeadsOut):
        read_inside(root, "link/outside", MOST)


def test_links_without_end_are_refused(tmp_path: Path, root: int) -> None:
    (tmp_path / "root" / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        read_inside(root, "loop", MOST)


def test_what_is_not_there_is_said_as_such(tmp_path: Path, root: int) -> None:
    planted(tmp_path, "file")
    (tmp_path / "root" / "dangling").symlink_to("nothing")
    for name in ("nothing", "dangling", "nothing/below"):
        with pytest.raises(FileNotFoundError):
            read_inside(root, name, MOST)
    with pytest.raises(NotADirectoryError):
        read_inside(root, "file/below", MOST)


@pytest.mark.parametrize("name", ["below", "", ".", "..", "below/.."])
def test_a_directory_is_no_file(root: int, name: str) -> None:
    with pytest.raises(IsADirectoryError):
        read_inside(root, name, MOST)


def test_fifos_and_sockets_are_refused_at_once(tmp_path: Path, root: int) -> None:
    os.mkfifo(tmp_path / "root" / "fifo")
    (tmp_path / "root" / "link").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "root" / "socket"))
        for name, kind in (("fifo", "a FIFO"), ("link", "a FIFO"), ("socket", "a socket")):
            with pytest.raises(OSError, match=f"{kind}, not a regular file"):
                read_inside(root, name, MOST)


def test_a_device_is_refused_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in ("/dev/zero", str(tmp_path / "link")):
        with pytest.raises(OSError, match="a character device, not a regular file"):
            open_regular(path)


def test_no_more_is_read_than_allowed(tmp_path: Path, root: int) -> None:
    planted(tmp_path, "just", "x" * MOST)
    assert len(read_inside(root, "just", MOST)) == MOST
    path = planted(tmp_path, "more", "x" * (MOST + 1))
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_inside(root, "more", MOST)
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_regular(str(path), MOST)


def test_a_pipe_is_read_to_its_end_within_the_limit() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a" * MOST)
    os.close(writing)
    assert len(read_at_most(reading, MOST)) == MOST
    os.close(reading)

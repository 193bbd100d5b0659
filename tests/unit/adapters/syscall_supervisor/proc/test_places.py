"""Paths that lead to /proc, by their text alone."""

import pytest

from img.adapters.syscall_supervisor.proc.places import (
    Place,
    is_in_dev,
    may_lead_to_proc,
    place_of,
)

PROCESS, THREAD = 7, 8


def place(text: str, *, follow: bool = True) -> Place | None:
    return place_of(text.encode(), PROCESS, THREAD, follow=follow)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/proc", Place(None, b"")),
        ("//proc/./", Place(None, b"")),
        ("/proc/meminfo", Place(None, b"meminfo")),
        ("/proc/sys/kernel/ostype", Place(None, b"sys/kernel/ostype")),
        ("/proc/mounts", Place(7, b"mounts")),
        ("/proc/net/tcp", Place(7, b"net/tcp")),
        ("/proc/self", Place(7, b"")),
        ("/proc/self/status", Place(7, b"status")),
        ("/proc/12/status", Place(12, b"status")),
        ("/proc/thread-self/comm", Place(7, b"task/8/comm")),
        ("/proc/self/../9/stat", Place(9, b"stat")),
        ("/proc/self/fd/3", Place(7, b"fd/3", link=True)),
        ("/proc/self/fd/3/a/../b", Place(7, b"fd/3", link=True, rest=b"a/../b")),
        ("/proc/self/root/proc/1", Place(7, b"root", link=True, rest=b"proc/1")),
        ("/proc/12/task/13/cwd/..", Place(12, b"task/13/cwd", link=True, rest=b"..")),
        ("/dev/fd", Place(7, b"fd")),
        ("/dev/fd/63", Place(7, b"fd/63", link=True)),
        ("/dev/stdout", Place(7, b"fd/1", link=True)),
        ("/etc/mtab", Place(7, b"mounts")),
    ],
)
def test_what_a_path_means(text: str, expected: Place) -> None:
    assert may_lead_to_proc(text.encode())
    assert place(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/proc/self", Place(None, b"self")),
        ("/proc/mounts", Place(None, b"mounts")),
        ("/proc/self/", Place(7, b"")),
        ("/proc/self/exe", Place(7, b"exe")),
        ("/proc/self/fd/3", Place(7, b"fd/3")),
        ("/proc/self/cwd/x", Place(7, b"cwd", link=True, rest=b"x")),
        ("/dev/stdout", None),
        ("/dev/fd", None),
        ("/etc/mtab", None),
    ],
)
def test_what_it_means_if_a_link_at_its_end_is_meant(text: str, expected: Place | None) -> None:
    assert place(text, follow=False) == expected


@pytest.mark.parametrize(
    "text",
    ["/", "/etc/passwd", "/proc/..", "/proc/../etc", "/process", "/usr/proc/self", "/dev/null"],
)
def test_what_is_not_in_proc(text: str) -> None:
    assert place(text) is None


def test_a_device_is_known_by_the_text_of_its_path() -> None:
    named = (b"/dev/null", b"//dev/./null", b"/dev//null")
    others = (b"/dev/null/x", b"/dev/zero", b"/srv/dev/null", b"/dev/x/../null", b"/null")

    assert [path for path in (*named, *others) if is_in_dev(path, b"null")] == list(named)

"""The files that callers get in the place of files of /proc."""

import os

import pytest

from img.adapters.syscall_supervisor.proc.calls import _open_patiently


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY, os.O_PATH | os.O_DIRECTORY])
def test_no_descriptor_is_left_by_one_that_only_names_a_file(flags: int) -> None:
    before = os.listdir("/proc/self/fd")

    os.close(_open_patiently(b".", flags))

    assert len(os.listdir("/proc/self/fd")) == len(before)

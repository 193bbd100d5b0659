"""The files that callers get in the place of files of /proc."""

import os

import pytest

from img.adapters.syscall_supervisor.proc.calls import _open_patiently
from tests.support.host.descriptors import open_files, opened_since


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY, os.O_PATH | os.O_DIRECTORY])
def test_no_descriptor_is_left_by_one_that_only_names_a_file(flags: int) -> None:
    before = open_files()

    os.close(_open_patiently(b".", flags))

    assert opened_since(before) == []

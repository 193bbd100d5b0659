"""``img`` waits for all its processes: the first process of a container may wait for none."""

from dataclasses import replace

import pytest

from tests.support.host.img_command import ImgFor, WriteContext

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_REAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
code = subprocess.run(sys.argv[1:]).returncode
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    sys.exit(code)
sys.exit(99)
"""


@pytest.mark.parametrize("who", ["root", "user", "one-id"])
def test_a_command_that_has_ended_leaves_no_process(
    who: str, img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for(who)
    img = replace(img, command=(img.python, "-c", _REAPER, *img.command), quick=None)
    context = write_context(f"FROM {busybox}\nRUN echo a > /a\nRUN test ! -e /fail\nCOPY f /\n", {})

    img("build", "-t", "app", "/nowhere", code=5)
    img("build", "-t", "app", context, code=4)  # there is no f
    (context / "f").write_text("f")
    img("build", "-t", "app", context)
    img("build", "-t", "app", context)
    img("rm", "nosuch", code=7)
    img("prune", "--all")

"""Runs ``true`` in steps of one executor: a child of executors.py.

one_executor.py EXECUTOR TIMES DIRECTORY: works in the empty DIRECTORY, and leaves there, in the
file "took", two JSON lists: the milliseconds of each step, and those of processor time of one.
"""

import json
import resource
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img.domain.process import Root

_WARM_UP = 2  # steps that are not counted: they import


def main(name: str, times: int, directory: Path) -> None:
    """Enter as a build does, and run the steps."""
    from img.entrypoints.rootless import enter_for_build

    host = enter_for_build(name)
    executor = host.executor()
    import img.entrypoints.wiring.root  # noqa: F401 (by then a build is as large as that)
    from img.domain.process import Process

    _make_image(directory / "image")
    process = Process(argv=("/bin/true",), env={})
    took = []
    before = _processor_time()
    for number in range(_WARM_UP + times):
        root = _root(directory, number, mounts=host.snapshotter("auto") != "naive")
        start = time.perf_counter()
        status = executor.run(process, root, lambda *_: None, threading.Event())
        took.append((time.perf_counter() - start) * 1000)
        assert status.success, status
    executor.close()  # what is waited for counts: the fork server, with all that it waited for
    busy = (_processor_time() - before) * 1000 / len(took)
    (directory / "took").write_text(json.dumps((took[_WARM_UP:], [busy])))


def _processor_time() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _make_image(image: Path) -> None:
    # Besides, what every base image has, and a file that debootstrap leaves.
    for directory in ("bin", "dev", "etc", "proc", "sys"):
        (image / directory).mkdir(parents=True)
    (image / "etc/resolv.conf").touch()
    shutil.copy(shutil.which("busybox") or "/bin/busybox", image / "bin/busybox")
    (image / "bin/true").symlink_to("busybox")


def _root(directory: Path, number: int, *, mounts: bool) -> "Root":
    from img.domain.process import DirectoryRoot, OverlayRoot

    if not mounts:
        return DirectoryRoot(path=str(directory / "image"))
    upper, work, target = (directory / f"{name}{number}" for name in ("upper", "work", "target"))
    for place in (upper, work, target):
        place.mkdir()
    lowers = (str(directory / "image"),)
    return OverlayRoot(lowers=lowers, upper=str(upper), work=str(work), target=str(target))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

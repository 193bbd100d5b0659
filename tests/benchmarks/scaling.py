#!/usr/bin/env python3
"""Measurements of the time and memory of growing builds, and their plots as SVG.

    tests/benchmarks/scaling.py [--img PROGRAM] [--most-files 1000000] [--repeat 3] [--only NAME]
                                [--directory DIR] [--busy] [--out docs/pictures/scaling.svg]

Each build is a process of its own with an empty state, unless the plot says otherwise. The least of
``--repeat`` runs counts. Printed is a line for each point; nothing else is left behind. Elapsed
times are useless on a machine with other work: ``--busy`` leaves them out of the plots.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks.scaling_plot import Curve, Point, svg_of  # noqa: E402

_FILE_SIZE = 1000  # bytes
_FILES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_STEPS = (10, 30, 100, 300, 1_000)
_LAYERS = (1, 10, 50, 200, 500)
_BUILDS = (1, 2, 4, 8)
_PROCESSORS = (1, 2, 4)
_FILES_OF_SOME = 10_000  # of builds where another number varies


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A directory for contexts and states, and the program to measure."""

    img: Sequence[str]
    root: Path
    repeat: int
    most_files: int

    def build(self, context: Path, state: str = "state", tag: str = "scaling") -> Point:
        """Return the cost of one build. Raises CalledProcessError."""
        return self._cost(self._start(context, state, tag), time.monotonic())

    def least(self, prepare: Callable[[], object], context: Path) -> Point:
        """Return the quickest of some builds, each after ``prepare``."""
        points = []
        for _ in range(self.repeat):
            prepare()
            points.append(self.build(context))
        return min(points)

    def at_once(self, contexts: Sequence[Path]) -> Point:
        """Return the cost of builds at the same time, all in one state; memory is their sum."""
        start = time.monotonic()
        running = [self._start(each, "state", each.name) for each in contexts]
        points = [self._cost(each, start) for each in running]
        return Point(
            seconds=max(point.seconds for point in points),
            processor=sum(point.processor for point in points),
            megabytes=sum(point.megabytes for point in points),
        )

    def forget(self) -> None:
        """Delete the state."""
        shutil.rmtree(self.root / "state", ignore_errors=True)

    def context(self, name: str, dockerfile: Sequence[str], files: int) -> Path:
        """Return a new context with that many small files, in directories of 100."""
        path = self.root / name
        shutil.rmtree(path, ignore_errors=True)
        for number in range(files):
            if number % 100 == 0:
                (path / f"tree/{number // 100:05}").mkdir(parents=True)
            file = path / f"tree/{number // 100:05}/file{number % 100}"
            file.write_bytes((b"%d of %s\n" % (number, name.encode()) * 200)[:_FILE_SIZE])
        path.mkdir(exist_ok=True)
        (path / "Dockerfile").write_text("".join(f"{line}\n" for line in dockerfile))
        return path

    def _start(self, context: Path, state: str, tag: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"IMG_STATE": str(self.root / state), "HOME": str(self.root)}
        command = [*self.img, "build", "-q", "-t", tag, str(context)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    @staticmethod
    def _cost(process: "subprocess.Popen[bytes]", start: float) -> Point:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        return Point(
            seconds=time.monotonic() - start,
            processor=usage.ru_utime + usage.ru_stime,
            megabytes=usage.ru_maxrss * 1024 / 1e6,
        )


class Change:
    """A change of one file with each call, which waits until its times are trusted."""

    def __init__(self, context: Path) -> None:
        self._file = context / "tree/00000/file0"
        self._numbers = itertools.count()

    def __call__(self) -> None:
        self._file.write_text(f"{next(self._numbers)}\n")
        time.sleep(0.1)


Measured = Iterator[tuple[str, int, Point]]
"""The name of a curve, a number on its x axis, and the cost there."""


def of_files(lab: Lab) -> Measured:
    """Yield the costs of a COPY of many files: new, unchanged, and with one changed file."""
    for files in _FILES:
        if files > lab.most_files:
            return
        context = lab.context("files", ["FROM scratch", "COPY tree /tree/"], files)
        yield "nothing cached", files, lab.least(lab.forget, context)
        time.sleep(0.1)  # until the times of the files are trusted
        lab.build(context)
        yield "no change", files, lab.least(lambda: None, context)
        yield "one file changed", files, lab.least(Change(context), context)


def of_steps(lab: Lab) -> Measured:
    """Yield the costs of many steps, each a COPY of one file."""
    for steps in _STEPS:
        lines = [f"COPY tree/00000/file{n % 100} /copy{n}/" for n in range(steps)]
        context = lab.context("steps", ["FROM scratch", *lines], 100)
        time.sleep(0.1)
        yield "nothing cached", steps, lab.least(lab.forget, context)
        lab.build(context)
        yield "no change", steps, lab.least(lambda: None, context)


def of_layers(lab: Lab) -> Measured:
    """Yield the costs of a COPY onto a base of many layers."""
    for layers in _LAYERS:
        lab.forget()
        lines = [f"COPY tree/00000/file{n % 100} /copy{n}/" for n in range(layers)]
        lab.build(lab.context("base", ["FROM scratch", *lines], 100), tag="base")
        context = lab.context("layers", ["FROM base", "COPY tree /copy0/"], 100)
        yield "COPY of 100 files", layers, lab.least(Change(context), context)


def of_builds(lab: Lab) -> Measured:
    """Yield the costs of several builds at the same time."""
    lines = ["FROM scratch", "COPY tree /tree/"]
    contexts = [lab.context(f"build{n}", lines, _FILES_OF_SOME) for n in range(max(_BUILDS))]
    for builds in _BUILDS:
        lab.forget()
        yield f"COPY of {_FILES_OF_SOME:,} files", builds, lab.at_once(contexts[:builds])


def of_processors(lab: Lab) -> Measured:
    """Yield the costs of a build on some of the processors."""
    here = sorted(os.sched_getaffinity(0))
    context = lab.context("processors", ["FROM scratch", "COPY tree /tree/"], _FILES_OF_SOME)
    for count in _PROCESSORS:
        if count > len(here):
            return
        os.sched_setaffinity(0, here[:count])
        try:
            yield f"COPY of {_FILES_OF_SOME:,} files", count, lab.least(lab.forget, context)
        finally:
            os.sched_setaffinity(0, here)


SERIES: dict[str, tuple[str, Callable[[Lab], Measured]]] = {
    "files": ("files of 1 kB in a COPY", of_files),
    "steps": ("steps", of_steps),
    "layers": ("layers below a COPY", of_layers),
    "builds": ("builds at the same time", of_builds),
    "processors": ("processors", of_processors),
}


def measured(lab: Lab, names: Sequence[str]) -> Iterator[tuple[str, Sequence[Curve]]]:
    """Yield the label of each x axis with its curves, and print each point."""
    for name in names:
        label, series = SERIES[name]
        curves: dict[str, Curve] = {}
        for curve, number, point in series(lab):
            sys.stdout.write(f"{name:10} {number:>9,} {curve:20} {point}\n")
            sys.stdout.flush()
            curves.setdefault(curve, Curve(curve, []))
            curves[curve].points.append((number, point))
        yield label, list(curves.values())


def main() -> None:
    """Measure, and write the plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--img", default="img")
    parser.add_argument("--most-files", type=int, default=_FILES[-1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SERIES)
    parser.add_argument("--directory")
    parser.add_argument("--busy", action="store_true", help="plot no elapsed time")
    parser.add_argument("--out", default="docs/pictures/scaling.svg")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        lab = Lab(
            img=arguments.img.split(),
            root=Path(directory),
            repeat=arguments.repeat,
            most_files=arguments.most_files,
        )
        plots = list(measured(lab, arguments.only or list(SERIES)))
    Path(arguments.out).write_text(svg_of(plots, wall=not arguments.busy), encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The cost of each executor, and of the emulation of root.

    tests/benchmarks/executors.py [--only steps,builds,apt] [--executors unshare,crun,…]
                                  [--as root,user,one-id] [--user NAME] [--small]
                                  [--rounds N] [--times N] [--directory DIR]
                                  [--debian IMAGE|DIRECTORY] [--packages NAMES]

Run it by a Python in which img's dependencies are installed, as root for all columns: root, a user
with subordinate ids, and one with one id. All states are in memory (/dev/shm). Measured are

steps: ``true`` by the executor alone, its root an overlay (a directory where nothing is mounted);
builds: what a ``RUN true`` adds to a build, with its snapshot, its empty layer and its record;
apt: the build that installs packages which are there already, with one id (root is emulated) and
    with subordinate ids. It takes ``--debian``: the name of an image that has apt and its sources,
    or a directory as debootstrap makes it.

The executors take turns, so that other load of the machine affects all. Printed are medians
and, in brackets, the least of all. Nothing is left behind.
"""

import argparse
import json
import os
import pwd
import shutil
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.builders import BuildFailed, ImgBuilder, user_with_ids  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_PARTS = ("steps", "builds", "apt")
_EXECUTORS = ("unshare", "crun", "runc", "chroot", "proot")
_COLUMNS = ("root", "user", "one-id")
_MOUNTING = ("unshare", "crun", "runc")
_NAMELESS = 64996  # a user without subordinate ids
_PACKAGES = "openssh-server sudo redis-server nginx-light man-db"
_CHILD = Path(__file__).with_name("one_executor.py")

Samples = dict[tuple[str, str], list[float]]
"""What was measured, by the title of the line and the name of the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A column: a user, and the executors that the user can use."""

    name: str
    account: pwd.struct_passwd
    executors: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The places, users and repetitions of a measurement."""

    work: Path
    everybody: Sequence[Who]
    executors: Sequence[str]
    rounds: int
    times: int  # steps in a round

    def pairs(self) -> Iterator[tuple[Who, str]]:
        """Yield the pairs of user and executor, once a round."""
        for _ in range(self.rounds):
            for executor in self.executors:
                for who in self.everybody:
                    if executor in who.executors:
                        yield who, executor

    def builder(self, who: Who, *options: str) -> ImgBuilder:
        return ImgBuilder(self.work, who.account, options=options)


def measure_steps(bench: Bench) -> Samples:
    """Return milliseconds of steps."""
    samples: Samples = {}
    for who, executor in bench.pairs():
        builder = bench.builder(who)
        place = builder.prepare() / "steps"
        place.mkdir()
        os.chown(place, who.account.pw_uid, who.account.pw_gid)
        try:
            builder.python(str(_CHILD), executor, str(bench.times), str(place))
            took, busy = json.loads((place / "took").read_text())
        finally:
            shutil.rmtree(place)
        samples.setdefault((f"step, {executor}", who.name), []).extend(took)
        samples.setdefault((f"  of it processor time, {executor}", who.name), []).extend(busy)
    return samples


def measure_builds(bench: Bench, registry: str) -> Samples:
    """Return milliseconds that a RUN adds to a build."""
    base = inputs.push_small_base(registry)
    contexts = {count: bench.work / f"runs{count}" for count in (1, 1 + bench.times)}
    for count, context in contexts.items():
        inputs.write_runs(context, base, count)
    took: dict[int, Samples] = {count: {} for count in contexts}
    for who, executor in bench.pairs():
        backend = () if executor in _MOUNTING else ("-b", "naive")
        builder = bench.builder(who, "--executor", executor, *backend)
        builder.build(contexts[1])  # has the base
        for count, context in contexts.items():
            line = took[count].setdefault((f"RUN in a build, {executor}", who.name), [])
            line.append(builder.build(context, cache=False).seconds * 1000)
    one, more = took.values()
    return {
        key: [(each - min(one[key])) / bench.times for each in values]
        for key, values in more.items()
    }


def measure_apt(bench: Bench, debian: str, packages: str) -> Samples:
    """Return milliseconds of the build that installs ``packages``."""
    context = bench.work / "apt"
    context.mkdir()
    base = debian
    if os.path.isdir(debian):
        with tarfile.open(context / "root.tar", "w") as archive:
            archive.add(debian, arcname=".")
        base = "given"
    install = f"apt-get install -y --no-install-recommends {packages}"
    lines = (
        *(["FROM scratch AS given", "ADD root.tar /"] if base == "given" else []),
        f"FROM {base} AS fetched",
        "ENV DEBIAN_FRONTEND=noninteractive",
        f"RUN apt-get update && {install} --download-only",
        "FROM fetched AS installed",
        f"RUN {install} --no-download",
    )
    (context / "Dockerfile").write_text("".join(f"{line}\n" for line in lines))
    compared = [who for who in bench.everybody if who.account.pw_uid]
    builders = {who: bench.builder(who, "--no-cache-filter", "installed") for who in compared}
    samples: Samples = {}
    for number in range(1 + bench.rounds):
        for who, builder in builders.items():
            seconds = builder.build(context).seconds
            if number:  # the first fetches
                samples.setdefault(("apt-get install", who.name), []).append(seconds * 1000)
    return samples


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0 unless img failed at something."""
    options = _options().parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-benchmark-", dir=options.directory))
    work.chmod(0o755)
    bench = Bench(
        work=work,
        everybody=[
            who for who in _everybody(options.user) if who.name in options.columns.split(",")
        ],
        executors=[name for name in options.executors.split(",") if _is_there(name)],
        rounds=1 if options.small else options.rounds,
        times=2 if options.small else options.times,
    )
    _say(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    samples: Samples = {}
    try:
        for part in options.only.split(","):
            samples |= _measured(part, bench, options)
    except BuildFailed as failure:
        _say(str(failure))
        return 1
    finally:
        for who in bench.everybody:
            bench.builder(who).forget()
        shutil.rmtree(work, ignore_errors=True)
    _say(f"load: {os.getloadavg()[0]:.1f}")
    _print_table(samples, [who.name for who in bench.everybody])
    return 0


def _measured(part: str, bench: Bench, options: argparse.Namespace) -> Samples:
    match part:
        case "steps":
            return measure_steps(bench)
        case "builds":
            with RegistryServer() as registry:
                return measure_builds(bench, registry.address)
        case "apt" if options.debian:
            return measure_apt(bench, options.debian, options.packages)
        case _:
            _say(f"{part}: not measured")
            return {}


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", default=",".join(_PARTS), help="what is measured")
    options.add_argument("--executors", default=",".join(_EXECUTORS), help="of which")
    options.add_argument("--as", dest="columns", default=",".join(_COLUMNS), help="run by whom")
    options.add_argument("--user", default="", help="who the ordinary user is; has ids by subuid")
    options.add_argument("--rounds", type=int, default=5, help="turns that each takes")
    options.add_argument("--times", type=int, default=20, help="steps in a turn")
    options.add_argument("--small", action="store_true", help="one turn, to try this out")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    options.add_argument("--debian", default="", help="an image, or a root file system, with apt")
    options.add_argument("--packages", default=_PACKAGES, help="what apt installs")
    return options


def _everybody(account: str) -> list[Who]:
    if os.geteuid():
        me = pwd.getpwuid(os.geteuid())
        return [Who(name="user", account=me, executors=frozenset((*_MOUNTING, "proot")))]
    root = frozenset((*_MOUNTING, "chroot"))
    everybody = [Who(name="root", account=pwd.getpwuid(0), executors=root)]
    user = pwd.getpwnam(account) if account else user_with_ids()
    if user is None:
        _say("user: nobody has subordinate ids")
    else:
        able = frozenset((*_MOUNTING, "proot"))
        everybody.append(Who(name="user", account=user, executors=able))
    nameless = str(_NAMELESS)
    entry = pwd.struct_passwd((nameless, "x", _NAMELESS, _NAMELESS, "", "/", "/bin/sh"))
    able = frozenset(("unshare",))
    return [*everybody, Who(name="one-id", account=entry, executors=able)]


def _is_there(executor: str) -> bool:
    return executor in ("unshare", "chroot") or shutil.which(executor) is not None


def _print_table(samples: Mapping[tuple[str, str], Sequence[float]], names: Sequence[str]) -> None:
    _print_row("milliseconds: median (least)", names)
    for title in dict.fromkeys(title for title, _ in samples):
        found = [samples.get((title, name)) for name in names]
        _print_row(title, [_cell(values) for values in found])
        if title.startswith("apt") and all(found[1:]) and len(found) > 2:
            user, emulated = (least for _, least in map(_summary, found[1:3]))
            _print_row("  emulated / with ids, of the least", ["", "", f"{emulated / user:.2f}"])


def _summary(values: Sequence[float] | None) -> tuple[float, float]:
    return (statistics.median(values), min(values)) if values else (0.0, 0.0)


def _cell(values: Sequence[float] | None) -> str:
    median, least = _summary(values)
    return f"{median:.1f} ({least:.1f})" if values else "-"


def _print_row(title: str, cells: Sequence[str]) -> None:
    sys.stdout.write(f"{title:<40}{''.join(f'{cell:>20}' for cell in cells)}".rstrip() + "\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

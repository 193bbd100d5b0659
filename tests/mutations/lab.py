"""Changes files through snapshotters, and in a plain directory, which is right.

``python -m tests.mutations.lab [FIRST [COUNT]]`` tries more than the suite does.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from img.application.ports.layer_archive import PackedLayer
from img.testing.snapshots import Lab, run, tree_of
from tests.mutations.orders import SPECIAL, orders
from tests.support.host.machine import program
from tests.support.snapshots.snapshot_lab import FUSE, KINDS, NAIVE, OVERLAY, Kind

_NAME, _MODE, _TIME = 1, 2, 7  # where in a line: the first name of the file, and so on
MUTATE = Path(__file__).with_name("mutate.pl")


def change(directory: str, place: Path, text: str) -> None:
    """Do what the orders ``text`` say in ``directory``; ``place`` has room for a file."""
    (place / "orders").write_text(text, encoding="ascii")
    command = (program("perl"), MUTATE, "change", directory, place / "orders")
    subprocess.run(command, check=True, timeout=300)


def listing(directory: str) -> list[str]:
    """Return a line for each file in ``directory``."""
    command = (program("perl"), MUTATE, "list", directory)
    found = subprocess.run(command, check=True, timeout=300, stdout=subprocess.PIPE)
    return found.stdout.decode("ascii").splitlines()


@cache
def expected(texts: tuple[str, ...]) -> list[list[str]]:
    """Return the listing after each step in a plain directory."""
    found = []
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="img-mutations-") as place:
        directory = Path(place, "plain")
        directory.mkdir(mode=0o755)
        for text in texts:
            change(str(directory), Path(place), text)
            found.append(listing(str(directory)))
    return found


def check(kind: Kind, place: Path, texts: Sequence[str], right: Sequence[list[str]]) -> None:
    """Compare what steps see, and what layers hold, with what is ``right`` after each step."""
    lab = Lab()
    comparable = _shown_by_fuse if kind is FUSE else seen_by_steps
    snapshotter = kind.make(place / kind.name, lab.archive)
    layers: list[PackedLayer] = []
    for number, text in enumerate(texts):
        workspace = lab.prepare(snapshotter, layers)

        def step(root: str, text: str = text) -> tuple[list[str], list[str]]:
            files = Path(root, "files")
            before = listing(f"{root}/files") if files.exists() else []
            files.mkdir(exist_ok=True)
            change(f"{root}/files", place, text)
            return before, listing(f"{root}/files")

        try:
            before, after = cast(tuple[list[str], list[str]], run(workspace.root, step))
        except BaseException:
            workspace.discard()
            raise
        layers.append(lab.pack_changes(workspace, workspace.changes(tree_of(layers))))
        workspace.commit(lab.stack(layers)[-1].chain_id, layers[-1].index)
        if number:
            compare(before, right[number - 1], f"{kind.name}, before step {number}", comparable)
        compare(after, right[number], f"{kind.name}, after step {number}", comparable)
    for fresh in (OVERLAY, NAIVE):
        again = lab.prepare(fresh.make(place / f"{kind.name} {fresh.name}", lab.archive), layers)
        found = cast(list[str], run(again.root, lambda root: listing(f"{root}/files")))
        compare(found, right[-1], f"{kind.name} unpacked by {fresh.name}", comparable)
        again.discard()


def compare(
    found: list[str],
    right: list[str],
    what: str,
    comparable: Callable[[list[str]], set[str]] = set,
) -> None:
    """Raise AssertionError with some lines unless all that is ``comparable`` is ``right``."""
    ours, theirs = comparable(found), comparable(right)
    shown = [f"only here:  {line}" for line in sorted(ours - theirs)[:6]]
    shown += [f"only right: {line}" for line in sorted(theirs - ours)[:6]]
    assert not shown, "\n".join([what, *shown])


def seen_by_steps(lines: list[str]) -> set[str]:
    """Return the attributes that steps can rely on."""
    # An overlay shows other inode numbers once it has copied a file up, unless the copy has an
    # attribute that only regular files can have.
    return {line if _kind(line) == "10" else "\t".join(_without(line, _NAME)) for line in lines}


def _shown_by_fuse(lines: list[str]) -> set[str]:
    # It forgets times of directories, and their set-group-ID.
    return {
        "\t".join(_without(line, _MODE, _TIME)) if _kind(line) == "4" else line for line in lines
    }


def _kind(line: str) -> str:
    return line.split("\t")[_MODE][:-4]


def _without(line: str, *places: int) -> list[str]:
    return [word for place, word in enumerate(line.split("\t")) if place not in places]


def try_all(kind: Kind, place: Path, numbers: range) -> None:
    """Try the orders of ``numbers`` with one snapshotter, in the empty directory ``place``."""
    # fuse-overlayfs 1.10 makes regular files of special ones that it copies up.
    texts = tuple(orders(numbers, frozenset() if kind is FUSE else SPECIAL))
    check(kind, place, texts, expected(texts))


def main(first: str = "0", count: str = "1000") -> None:
    """Try ``count`` numbers from ``first`` with each snapshotter."""
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="img-mutations-") as place:
            try_all(kind, Path(place), range(int(first), int(first) + int(count)))
        sys.stdout.write(f"{kind.name} is right\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

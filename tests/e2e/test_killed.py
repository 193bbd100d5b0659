"""``img`` killed at any moment leaves nothing behind, and the next build works."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.test_interrupted import partial_blobs
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import mounts_naming
from tests.support.steps.orphans import Orphans, gathered

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_PATIENCE_S = 20.0
_MOMENTS = int(os.environ.get("IMG_TESTS_MOMENTS", "2"))
_HOW = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_OWN = re.compile(rb'/entrypoints/\S+", line \d+, in main\n')  # site of Python has a main as well
_SEED = os.environ.get("IMG_TESTS_SEED") or str(random.SystemRandom().randrange(10**6))
# Users and options: every executor, and every kind of id mapping.
_WAYS = [
    "root unshare",
    "root runc",
    "root crun",
    "root chroot",
    "root unshare fuse",
    "user unshare",
    "user unshare naive",
    "user runc",
    "user crun",
    "user proot",
    "one-id unshare",
]
# Each phase takes a good part of the time; the step leaves daemons, and processes that heed no one.
_DOCKERFILE = """\
FROM {base} AS other
RUN trap '' TERM INT; busybox setsid sleep 1000 & busybox seq 30000 >/numbers; sleep 0.1
FROM {base}
COPY big /
RUN --mount=type=cache,target=/cache --mount=type=secret,id=s \
    --mount=type=bind,from=other,target=/other \
    (busybox setsid sh -c 'trap "" TERM INT; sleep 1000' &) ; \
    busybox cp -r /other/numbers /cache/x; busybox cp /cache/x /y; rm /big; busybox mkdir -p /a/b/c
RUN sleep 0.1; test ! -e /half; echo done >/done
"""


class Killing:
    """Builds, some of them killed."""

    def __init__(self, img: Img, context: Path, way: str) -> None:
        _, executor, *backend = way.split()
        self.img = img.with_environment(SOURCE_DATE_EPOCH="1700000000")
        self._arguments = ["build", "-t", "app", "--executor", executor]
        self._arguments += ["--secret", f"id=s,src={context}/secret", str(context)]
        if backend:
            self._arguments[:0] = ["--backend", backend[0]]

    def build(self, state: Path) -> tuple[str, float]:
        """Build to the end; return the image's ID and the seconds that it took."""
        before = time.monotonic()
        built = self.img.with_state(state)(*self._arguments, "--quiet", "--no-cache")
        return built.stdout, time.monotonic() - before

    def interrupted(self, state: Path, moment: float, how: signal.Signals) -> str:
        """Build all anew, and send the signal after ``moment`` seconds; return what was said."""
        process = self.img.with_state(state).start(*self._arguments, "--no-cache", "--no-console")
        time.sleep(moment)
        process.send_signal(how)
        _, errors = process.communicate(timeout=_PATIENCE_S)
        # Ctrl-C in the start of Python itself is not ours to say well.
        ours = _OWN.search(errors) or not errors.startswith((b"Traceback", b"Fatal Python"))
        if ours or how is not signal.SIGINT:
            assert process.returncode in (0, -how, 128 + how), errors
            assert b"Traceback" not in errors, errors
        return errors.decode()


@pytest.mark.parametrize("way", _WAYS)
def test_a_build_that_is_killed_leaves_nothing_and_the_next_one_works(
    way: str, img_for: ImgFor, busybox: str, write_context: WriteContext, workplace: Path
) -> None:
    killing = prepared(way, img_for(way.split(maxsplit=1)[0]), busybox, write_context)
    chance = random.Random(f"{_SEED} {way}")
    image, whole = killing.build(new_state(killing.img, workplace, "whole"))
    state = new_state(killing.img, workplace, "killed")

    for number in range(_MOMENTS):  # one on what the other has left
        how = chance.choice(_HOW)
        moment = whole * (number + chance.random()) / _MOMENTS
        with gathered() as orphans:
            said = killing.interrupted(state, moment, how)
            left = leftovers(orphans, state)
        when = f"IMG_TESTS_SEED={_SEED}, {how.name} after {moment:.3f} s of {whole:.3f} s:\n{said}"
        assert left == [], when
        assert partial_blobs(state) == [], when

    assert killing.build(state)[0] == image, f"IMG_TESTS_SEED={_SEED}"
    assert unfinished(state) == [], f"IMG_TESTS_SEED={_SEED}"


def prepared(way: str, img: Img, busybox: str, write_context: WriteContext) -> Killing:
    big = random.Random(0).randbytes(4_000_000)
    context = write_context(_DOCKERFILE.format(base=busybox), {"big": big, "secret": "hidden"})
    return Killing(img, context, way)


def new_state(img: Img, workplace: Path, name: str) -> Path:
    """Return a new directory of the user who runs img."""
    state = workplace / name
    state.mkdir()
    os.chown(state, img.account.uid, img.account.gid)
    return state


def leftovers(orphans: Orphans, state: Path) -> list[str]:
    """Return the processes and visible mounts that remain."""
    left = orphans.wait(_PATIENCE_S)
    return [*left, *mounts_naming(str(state))]


def unfinished(state: Path) -> list[Path]:
    """Return the files that exist only during a build.

    Unfinished files are removed after a day: their writer may be a process of another container,
    which img cannot see.
    """
    places = [*state.glob("tmp"), *state.glob("snapshots/*/*/*/work"), *state.glob("*/tmp")]
    found = [path for place in places for path in place.iterdir()]
    return [path for path in found if not re.fullmatch(r"\d+\.\d+(-wal|-shm)?", path.name)]

"""Random steps give each user the same result as in a plain directory."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.mutations.image import make_root
from tests.mutations.lab import compare, expected, seen_by_steps
from tests.mutations.orders import STEPS, orders
from tests.support.host.img_command import Img, ImgFor

pytestmark = [pytest.mark.userns]

_EPOCH = "1700000001"  # later than any time that is set, and new for the listings
_NUMBERS = range(300 if "IMG_TESTS_ALL" in os.environ else 24)
_STEP = "RUN --mount=type=bind,target=/orders perl /mutate.pl"
_PLACES = [
    ("user", "overlay"),
    ("user", "naive"),
    ("one-id", "overlay"),
    ("one-id", "naive"),
    ("root", "naive"),
]


def write(context: Path) -> list[list[str]]:
    """Write a context of random steps, and return the listings of a plain directory."""
    texts = tuple(orders(_NUMBERS, frozenset({"fifo"})))
    make_root(context / "root")
    lines = ["FROM scratch", "ARG SOURCE_DATE_EPOCH", "COPY root /"]
    for number, text in enumerate(texts):
        (context / f"{number}").write_text(text)
        lines.append(f"{_STEP} change /files /orders/{number}")
        lines.append(f"{_STEP} seen /files > /seen/{number}")
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    return expected(texts)


def built(img: Img, backend: str, context: Path, *more: str) -> bytes:
    """Return the digest, or what ``more`` asks for."""
    metadata = img.state / "metadata"
    options = ("--build-arg", f"SOURCE_DATE_EPOCH={_EPOCH}", "--metadata-file", str(metadata))
    done = img("-b", backend, "build", *options, *more, context)
    if more[:1] == ("-o",):
        return done.output
    return str(json.loads(metadata.read_text())["containerimage.digest"]).encode()


def test_random_steps_are_those_of_a_plain_directory_for_everybody(
    img_for: ImgFor, workplace: Path
) -> None:
    context = workplace / "context"
    context.mkdir()
    right = write(context)
    root = img_for("root", "state-root")
    digest = built(root, "overlay", context, "-t", "it")
    with tarfile.open(fileobj=io.BytesIO(built(root, "overlay", context, "-o", "type=tar"))) as tar:
        for number in range(STEPS):
            file = tar.extractfile(f"seen/{number}")
            assert file is not None
            lines = file.read().decode("ascii").splitlines()
            compare(lines, right[number], f"step {number}", seen_by_steps)
    others = {
        (who, backend): built(img_for(who, f"state-{who}-{backend}"), backend, context, "-t", "it")
        for who, backend in _PLACES
    }
    assert others == dict.fromkeys(others, digest)

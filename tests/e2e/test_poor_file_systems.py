"""A state on a file system that lacks what others have: NFS, Lustre, FUSE."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.host import poor_files
from tests.support.host.img_command import Img, ImgFor, WriteContext

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_STEPS = """\
FROM @BASE@
RUN echo a >/a && ln /a /b && rm /bin/ps && mkdir -m 1777 /d && touch /d/f && chown 5:6 /d/f
RUN --mount=type=cache,target=/c touch /c/x && mv /d /e && cat /b
COPY Dockerfile /
"""


def on_poor_files(img: Img, lacking: str) -> Img:
    """Return img on a machine with file systems that lack something."""
    return replace(img, command=(img.python, poor_files.__file__, lacking, *img.command))


def layers_of(img: Img, context: Path) -> list[str]:
    img("build", "-t", "app", "--build-arg", "SOURCE_DATE_EPOCH=1", context)
    again = img("build", "-t", "app", "--build-arg", "SOURCE_DATE_EPOCH=1", context).stderr
    assert ", 0 run" in again, again
    shown = img("inspect", "--format", "{{json .RootFS.Layers}}", "app").stdout
    img("save", "-o", img.home / "app.tar", "app")
    img("prune", "-f")
    return list(json.loads(shown))


def test_layers_are_equal_without_attributes_and_unnamed_files(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(_STEPS.replace("@BASE@", busybox))

    layers = {
        lacking: layers_of(on_poor_files(img_for("root", lacking), lacking), context)
        for lacking in ("nothing", "O_TMPFILE", "attributes")
    }

    assert layers["O_TMPFILE"] == layers["attributes"] == layers["nothing"]


@pytest.mark.parametrize(
    ("lacking", "command"),
    [
        ("locks", ("build", ".")),
        ("lock manager", ("build", ".")),
        ("lock support", ("build", ".")),
        ("locks", ("prune", "-f")),
        ("locks", ("load", "-i", "x.tar")),
    ],
)
def test_a_file_system_without_locks_is_named_at_once(
    lacking: str, command: tuple[str, ...], img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nWORKDIR /a\n", {"x.tar": b""})
    img = on_poor_files(img_for("root"), lacking)

    outcome = img(*command, cwd=context, code=8)

    assert "its file system has no locks (flock) (choose a state directory" in outcome.error_line

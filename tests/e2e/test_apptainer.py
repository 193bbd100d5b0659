"""SIF files are run by Apptainer itself, of Debian's unstable distribution: with IMG_TESTS_ALL."""

import subprocess
from pathlib import Path

import pytest

from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.host.machine import SERVERS, lacking, need_root, program

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.all_tests]

_ROOT = SERVERS / "apptainer"
# An ordinary user in it runs images in a user namespace. $1 is the root, $2 the images.
_ENTER = """
mount --bind "$1" "$1" && cd "$1"
mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmp tmp
mount --bind "$2" mnt
pivot_root . . && umount -l . && cd /mnt
shift 2
exec setpriv --reuid=user --regid=user --clear-groups env HOME=/home/user apptainer --silent "$@"
"""
_DOCKERFILE = """
FROM @BASE@
RUN mkdir /made && echo made >/made/file && ln /made/file /made/other && ln -s file /made/link \\
 && chmod 751 /made/other
ENV GREETING="hello world" QUOTED="it's \\$HOME"
LABEL a=b
ENTRYPOINT ["echo", "from the entry point:"]
CMD ["the", "command"]
"""
_SCRIPT = 'echo "$GREETING, $QUOTED"; cd /made; stat -c "%n %A %h" file link other; cat link'


def apptainer(images: Path, *words: str) -> str:
    """Run Apptainer in a directory with ``images``, and return its output."""
    within = ["sh", "-euc", _ENTER, "sh", str(_ROOT), str(images), *words]
    command = [program("unshare"), "--mount", *within]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_apptainer_runs_an_image_as_docker_does(
    compression: str, img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    need_root()
    if not (_ROOT / "usr/bin/apptainer").exists():
        lacking("needs apptainer (sh tests/servers.sh)")
    img = img_for("user")
    output = f"type=sif,dest=app.sif,compression={compression}"
    img("build", "-o", output, write_context(_DOCKERFILE.replace("@BASE@", busybox)))

    assert apptainer(img.home, "run", "app.sif") == "from the entry point: the command\n"
    assert apptainer(img.home, "run", "app.sif", "words") == "from the entry point: words\n"
    assert apptainer(img.home, "exec", "app.sif", "sh", "-c", _SCRIPT).splitlines() == [
        "hello world, it's $HOME",
        "file -rwxr-x--x 2",
        "link lrwxrwxrwx 1",
        "other -rwxr-x--x 2",
        "made",
    ]
    assert apptainer(img.home, "inspect", "--labels", "app.sif") == "a: b\n"

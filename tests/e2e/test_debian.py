"""Debian's own package manager runs in a RUN, and leaves what it leaves for other builders."""

import shutil
from pathlib import Path

import pytest

from tests.support.host import shared_things
from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import need_root, program
from tests.support.host.peers import podman, podman_run, runc_run, tool
from tests.support.images.written_images import LayerEntry, read_archive, read_layout
from tests.support.servers.registry_server import RegistryServer

pytestmark = [
    pytest.mark.userns,
    pytest.mark.registry,
    pytest.mark.network,
    pytest.mark.peers,
    pytest.mark.timeout(1200),
    pytest.mark.any_user,  # the matrix has root install packages too, and compares all entries
]

_INSTALL = "apt-get update && apt-get install -y --no-install-recommends hello openssh-client"
_RUN = f"{_INSTALL} && apt-get clean && rm -rf /var/lib/apt/lists/*"
_DOCKERFILE = f"FROM @BASE@\nRUN {_RUN}\nCOPY f /srv/f\nCMD hello && cat /srv/f\n"

# What may differ: what programs write of the time and of the machine, and what buildah leaves of
# the files it mounts over the step's own.
_NOISE = (
    "/var/log/", "/var/cache/", "/var/lib/apt/lists", "/var/lib/dpkg/", "/etc/ld.so.cache",
    "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/run", "/proc", "/sys", "/dev", "/tmp",
)  # fmt: skip


def shape(layer: dict[str, LayerEntry]) -> dict[str, tuple[str, str, int, int]]:
    """Return path, kind, mode and owners of what packages put there."""
    return {
        path: (entry.kind, entry.mode, entry.uid, entry.gid)
        for path, entry in layer.items()
        if not path.startswith(_NOISE)
    }


def buildah_layer(context: Path) -> dict[str, LayerEntry]:
    """Return the RUN's layer as root's buildah makes it, once for all workers."""

    def make(place: Path) -> None:
        store = ("--root", place / "s", "--runroot", place / "r", "--storage-driver", "vfs")
        how = ("--isolation", "chroot", "--layers", "--tls-verify=false", "--format", "oci")
        tool("buildah", *store, "bud", "-q", *how, "-t", "app", context)
        tool("buildah", *store, "push", "-q", "app", f"oci:{place}/layout:app")
        shutil.rmtree(place / "s")

    return dict(read_layout(shared_things.once("buildah", make) / "layout").layers[1])


def test_apt_installs_as_it_does_under_buildah_and_the_image_runs_under_podman_and_runc(
    img: Img,
    debian: str,
    registry: RegistryServer,
    write_context: WriteContext,
    workplace: Path,
) -> None:
    need_root()
    program("buildah")
    context = write_context(_DOCKERFILE.replace("@BASE@", debian), {"f": "file\n"})
    name = f"{registry.address}/apt-{img.account.name}:v1"

    img("build", "-t", name, context, timeout_s=900)
    img("push", name)

    ours = shape(dict(read_archive(img("save", "--format", "oci", name).output).layers[1]))
    theirs = shape(buildah_layer(context))
    assert ours["/usr/bin/hello"][1:] == ("0755", 0, 0)
    assert ours["/usr/bin/ssh-agent"][1] == "2755"  # and of the group _ssh
    assert {
        path: (ours[path], theirs[path])
        for path in ours.keys() & theirs.keys()
        if ours[path] != theirs[path]
    } == {}
    # Whether a directory is named along with what is new in it is each builder's own choice.
    assert {
        path for path in ours.keys() ^ theirs.keys() if {**ours, **theirs}[path][0] != "directory"
    } == set()

    podman(workplace, "pull", "-q", "--tls-verify=false", name)
    assert podman_run(workplace, name) == "Hello, world!\nfile\n"
    layout = workplace / "fetched"
    tool("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}:x")
    assert runc_run(workplace, layout, "x") == "Hello, world!\nfile\n"

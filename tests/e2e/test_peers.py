"""Other tools take what img writes, and img takes what they write."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import need_root, program
from tests.support.host.peers import docker_daemon, podman, podman_run, runc_run, tool
from tests.support.images.written_images import read_layout
from tests.support.servers.registry_server import RegistryServer

pytestmark = [
    pytest.mark.userns,
    pytest.mark.registry,
    pytest.mark.peers,
    pytest.mark.any_user,
]

_DOCKERFILE = """
FROM @BASE@
ENV GREETING="hello there" EMPTY=
RUN mkdir /made && echo made > /made/file && ln /made/file /made/other
COPY --chown=33:34 f /srv/f
WORKDIR /srv
USER www-data:33
EXPOSE 80 53/udp
VOLUME /data
LABEL org.example="a b"
STOPSIGNAL SIGUSR1
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=5s --retries=2 CMD true
ONBUILD RUN echo child
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /made/other /srv/f; id -u; pwd; echo $GREETING"]
"""
_SAYS = "made\nf\n33\n/srv\nhello there\n"


@pytest.fixture
def built(img: Img, busybox: str, write_context: WriteContext) -> Img:
    img(
        "build",
        "-q",
        "-t",
        "app:v1",
        write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f\n"}),
    )
    return img


def unpacked(archive: bytes, place: Path) -> Path:
    layout = place / "layout"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(layout)
    return layout


def test_oci_image_tool_finds_the_layout_valid_and_umoci_unpacks_it(
    built: Img, workplace: Path
) -> None:
    need_root()
    layout = unpacked(built("save", "--format", "oci", "app:v1").output, workplace)
    (name,) = tool("umoci", "ls", "--layout", layout).split()

    tool("oci-image-tool", "validate", "--type", "image", "--ref", f"name={name}", layout)
    tool("umoci", "unpack", "--image", f"{layout}:{name}", workplace / "bundle")

    root = workplace / "bundle/rootfs"
    assert (root / "made/other").read_text() == "made\n"
    assert (root / "made/other").stat().st_ino == (root / "made/file").stat().st_ino
    facts = (root / "srv/f").stat()
    assert (facts.st_uid, facts.st_gid) == (33, 34)


def test_skopeo_inspect_shows_what_the_dockerfile_said(built: Img, workplace: Path) -> None:
    built("save", "--format", "oci", "-o", built.home / "app.tar", "app:v1")

    shown = json.loads(
        tool("skopeo", "inspect", "--config", "--raw", f"oci-archive:{built.home}/app.tar")
    )

    config = shown["config"]
    assert config["Env"][1:] == ["GREETING=hello there", "EMPTY="]
    assert (config["WorkingDir"], config["User"]) == ("/srv", "www-data:33")
    assert set(config["ExposedPorts"]) == {"80/tcp", "53/udp"}
    assert set(config["Volumes"]) == {"/data"}
    assert config["Labels"] == {"org.example": "a b"}
    assert config["StopSignal"] == "SIGUSR1"
    assert config["Shell"] == ["/bin/sh", "-ec"]
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 5 * 10**9,
        "Retries": 2,
    }
    assert config["OnBuild"] == ["RUN echo child"]
    assert config["Entrypoint"] == ["/bin/sh", "-c"]
    assert config["Cmd"] == ["cat /made/other /srv/f; id -u; pwd; echo $GREETING"]
    history = [(step["created_by"], step.get("empty_layer", False)) for step in shown["history"]]
    layers = [step for step, empty in history if not empty]
    assert len(layers) == len(shown["rootfs"]["diff_ids"])
    assert "COPY --chown=33:34 f /srv/f # buildkit" in layers
    assert ('CMD ["cat /made/other /srv/f; id -u; pwd; echo $GREETING"]', True) in history


def test_podman_pulls_and_runs_what_img_pushes(
    built: Img, registry: RegistryServer, workplace: Path
) -> None:
    need_root()
    name = f"{registry.address}/peers-{built.account.name}:v1"
    built("tag", "app:v1", name)
    built("push", name)

    podman(workplace, "pull", "-q", "--tls-verify=false", name)

    assert podman_run(workplace, name) == _SAYS


@pytest.mark.parametrize("archive", ["docker", "oci"])
def test_podman_loads_what_img_saves(built: Img, workplace: Path, archive: str) -> None:
    need_root()
    saved = built("save", "--format", archive, "app:v1").output

    loaded = podman(workplace, "load", stdin=saved)

    assert "app:v1" in loaded
    assert podman_run(workplace, loaded.split(": ")[1].strip()) == _SAYS


def test_docker_loads_and_runs_what_img_saves_and_img_loads_what_docker_saves(
    img_for: ImgFor,
    registry: RegistryServer,
    busybox: str,
    write_context: WriteContext,
    workplace: Path,
) -> None:
    need_root()
    program("dockerd")
    img = img_for("user")
    context = write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f\n"})
    img("build", "-q", "-t", "app:v1", "-t", "app:other", context)
    with docker_daemon(workplace) as docker:
        loaded = docker("load", stdin=img("save", "app:v1", "app:other").output)
        assert "Loaded image: app:v1" in loaded
        assert "Loaded image: app:other" in loaded
        assert docker("run", "--rm", "--network", "host", "app:v1") == _SAYS
        straight = img("build", "-q", "-o", "type=docker,name=straight:v1", context).output
        assert "Loaded image: straight:v1" in docker("load", stdin=straight)
        pushed = f"{registry.address}/docker-types:v1"
        img("build", "-q", "-t", pushed, "-o", "type=registry,oci-mediatypes=false", context)
        docker("pull", "-q", pushed)
        assert docker("run", "--rm", "--network", "host", pushed) == _SAYS
        docker("tag", "app:v1", "back:v1")
        docker("save", "-o", workplace / "back.tar", "back:v1")
    (workplace / "back.tar").chmod(0o644)

    assert "Loaded image: back:v1" in img("load", "-i", workplace / "back.tar").stdout
    img(
        "build",
        "-q",
        "-t",
        "next",
        write_context("FROM back:v1\nUSER 0\nRUN test -f /made/other\n"),
    )


def test_runc_runs_what_skopeo_fetches(
    built: Img, registry: RegistryServer, workplace: Path
) -> None:
    need_root()
    name = f"{registry.address}/peers-{built.account.name}:v2"
    built("tag", "app:v1", name)
    built("push", name)
    layout = workplace / "fetched"

    tool("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}:v2")

    assert read_layout(layout).config["config"]["User"] == "www-data:33"
    assert runc_run(workplace, layout, "v2") == _SAYS


@pytest.mark.parametrize("archive", ["docker", "oci"])
def test_what_img_saves_img_loads_with_all_names(
    built: Img, img_for: ImgFor, write_context: WriteContext, archive: str
) -> None:
    built("tag", "app:v1", "localhost/other:v2")
    built("build", "-q", "-t", "second", write_context("FROM scratch\nCOPY f /\n", {"f": "2"}))
    other = built.with_state(built.home / "other-state")

    loaded = other(
        "load",
        stdin=built("save", "--format", archive, "app:v1", "localhost/other:v2", "second").output,
    )

    assert sorted(loaded.stdout.splitlines()) == [
        "Loaded image: app:v1",
        "Loaded image: localhost/other:v2",
        "Loaded image: second:latest",
    ]
    for name in ("app:v1", "localhost/other:v2", "second"):
        assert (
            other("inspect", "--config", name).output == built("inspect", "--config", name).output
        )


def test_skopeo_reads_both_archives_and_img_reads_skopeos(built: Img, workplace: Path) -> None:
    place = built.home
    built("save", "-o", place / "docker.tar", "app:v1")
    built("save", "--format", "oci", "-o", place / "oci.tar", "app:v1")

    tool("skopeo", "copy", "-q", f"docker-archive:{place}/docker.tar", f"oci:{workplace}/a:x")
    tool(
        "skopeo",
        "copy",
        "-q",
        f"oci-archive:{place}/oci.tar",
        f"docker-archive:{workplace}/b.tar:b:x",
    )

    (workplace / "b.tar").chmod(0o644)
    assert read_layout(workplace / "a").config["config"]["WorkingDir"] == "/srv"
    assert "Loaded image: b:x" in built("load", "-i", workplace / "b.tar").stdout

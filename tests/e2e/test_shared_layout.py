"""One image layout that img and other tools read, write and clean up in turn."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import need_root
from tests.support.host.peers import podman, podman_run, tool
from tests.support.images.written_images import read_archive
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.peers]

_APP = "docker.io/library/app:latest"


@pytest.fixture
def img(img_for: ImgFor) -> Img:
    need_root()
    return img_for("root").with_environment(IMG_STORE="oci-layout", SOURCE_DATE_EPOCH="0")


@pytest.fixture
def layout(img: Img, busybox: str, write_context: WriteContext) -> Path:
    """Return the layout of img's store, which holds an image ``app``."""
    text = f"FROM {busybox}\nRUN echo made >/made\nCOPY f /\nCMD cat /made /f\n"
    img("build", "-q", "-t", "app", write_context(text, {"f": "f\n"}, "app"))
    return img.state / "layout"


def skopeo(*arguments: str | Path) -> str:
    return tool("skopeo", *arguments)


def copy(source: str, target: str, *options: str) -> None:
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo("copy", "-q", *plain, *options, source, target)


def buildah(place: Path, *arguments: str | Path) -> str:
    storage = ("--root", place / "buildah", "--runroot", place / "br", "--storage-driver", "vfs")
    return tool("buildah", *storage, *arguments)


def names(img: Img) -> set[str]:
    return {line.split()[0] for line in img("ls").stdout.splitlines()[1:]}


def whole(img: Img) -> None:
    assert img("fsck").stdout.endswith(" 0 faults left\n")


def untagged(layout: Path) -> list[dict[str, object]]:
    index = json.loads((layout / "index.json").read_text())
    return [each for each in index["manifests"] if "annotations" not in each]


def test_others_read_what_img_stores(img: Img, layout: Path, workplace: Path) -> None:
    assert tool("umoci", "ls", "--layout", layout).split()[-1] == _APP
    config = json.loads(skopeo("inspect", "--config", f"oci:{layout}:{_APP}"))
    assert config["config"]["Cmd"] == ["/bin/sh", "-c", "cat /made /f"]
    tool("umoci", "unpack", "--image", f"{layout}:{_APP}", workplace / "bundle")
    assert (workplace / "bundle/rootfs/made").read_text() == "made\n"
    fetched = buildah(workplace, "pull", "-q", f"oci:{layout}:{_APP}").strip()
    container = buildah(workplace, "from", "--pull-never", fetched).strip()
    mounted = Path(buildah(workplace, "mount", container).strip())
    assert (mounted / "f").read_text() == "f\n"
    buildah(workplace, "umount", container)
    pulled = podman(workplace, "pull", "-q", f"oci:{layout}:{_APP}").strip()
    assert podman_run(workplace, pulled) == "made\nf\n"


def test_img_reads_what_others_put_beside(
    img: Img, layout: Path, busybox: str, workplace: Path, write_context: WriteContext
) -> None:
    copy(f"docker://{busybox}", f"oci:{layout}:by-skopeo")
    tool("umoci", "config", "--image", f"{layout}:{_APP}", "--tag", "by-umoci", "--config.env=A=B")
    buildah(workplace, "pull", "-q", "--tls-verify=false", f"docker://{busybox}")
    buildah(workplace, "push", "-q", busybox, f"oci:{layout}:by-buildah")
    podman(workplace, "pull", "-q", "--tls-verify=false", busybox)
    podman(workplace, "push", "-q", busybox, f"oci:{layout}:by-podman")

    found = names(img)
    for tool_name in ("skopeo", "umoci", "buildah", "podman"):
        assert f"docker.io/library/by-{tool_name}:latest" in found
        context = write_context(f"FROM by-{tool_name}\nRUN echo on >/on\n", name=tool_name)
        img("build", "-q", "-t", f"on-{tool_name}", context)
    assert "A=B" in json.loads(img("inspect", "--config", "by-umoci").stdout)["config"]["Env"]
    whole(img)


def test_cleaning_up_leaves_what_others_put_there(
    img: Img, layout: Path, busybox: str, workplace: Path
) -> None:
    copy(f"docker://{busybox}", f"oci:{layout}:theirs")
    copy(f"oci:{layout}:{_APP}", f"oci:{layout}")  # without any name
    foreign = layout / "blobs/sha256" / ("0" * 64)
    foreign.write_bytes(b"of somebody who is still writing")

    img("rm", "app")
    img("prune", "--all")

    assert names(img) == {"docker.io/library/theirs:latest", busybox}
    assert foreign.read_bytes()
    foreign.unlink()
    (nameless,) = untagged(layout)
    copy(f"oci:{layout}:theirs", f"dir:{workplace}/theirs")
    assert (layout / "blobs" / str(nameless["digest"]).replace(":", "/")).exists()
    whole(img)


def test_removing_an_image_of_others_frees_its_room(
    img: Img, layout: Path, registry: RegistryServer, write_context: WriteContext
) -> None:
    other = img.with_state(img.state.parent / "other").with_environment(IMG_STORE="files")
    other.state.mkdir()
    name = f"{registry.address}/unique:latest"
    other("build", "-q", "-t", name, write_context("FROM scratch\nCOPY f /\n", {"f": "x" * 9}, "u"))
    other("push", "-q", name)
    before = set((layout / "blobs/sha256").iterdir())
    copy(f"docker://{name}", f"oci:{layout}:theirs")
    assert len(set((layout / "blobs/sha256").iterdir()) - before) == 3

    img("rm", "theirs")

    assert set((layout / "blobs/sha256").iterdir()) == before


def test_img_goes_on_after_others_have_cleaned_up(
    img: Img, layout: Path, write_context: WriteContext, workplace: Path
) -> None:
    text = "FROM app AS made\nRUN echo two >/two\nFROM app\nCOPY --from=made /two /\n"
    context = write_context(text, name="two")
    img("build", "-q", "-t", "two", context)
    tool("umoci", "rm", "--image", f"{layout}:docker.io/library/two:latest")
    tool("umoci", "gc", "--layout", layout)  # deletes the cache as well, of which it knows nothing

    whole(img)
    img("build", "-q", "-t", "two", context)

    whole(img)
    img("unpack", "-o", workplace / "root", "two")
    assert (workplace / "root/two").read_text() == "two\n"
    assert (workplace / "root/f").read_text() == "f\n"


@pytest.mark.parametrize("family", ["oci", "v2s2"])
@pytest.mark.parametrize("store", ["files", "oci-layout"])
def test_both_families_of_types_go_around(
    store: str,
    family: str,
    img: Img,
    busybox: str,
    registry: RegistryServer,
    workplace: Path,
    write_context: WriteContext,
) -> None:
    img = img.with_environment(IMG_STORE=store)
    name = f"{registry.address}/{family}-{store}:base"
    copy(f"docker://{busybox}", f"docker://{name}", "--format", family)
    kind = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    assert ("docker" in kind.get("mediaType", "")) is (family == "v2s2")

    img("pull", "-q", name)
    img("push", "-q", name)  # as it came
    again = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    assert again == kind
    app = f"{registry.address}/{family}-{store}:app"
    img("build", "-q", "-t", app, write_context(f"FROM {name}\nRUN echo hi >/hi\nCMD cat /hi\n"))
    img("push", "-q", app)
    podman(workplace, "pull", "-q", "--tls-verify=false", app)
    assert podman_run(workplace, app) == "hi\n"
    podman(workplace, "push", "-q", "--tls-verify=false", "--format", family, app, f"{app}2")
    img("pull", "-q", f"{app}2")
    img("save", "-o", workplace / "saved.tar", f"{app}2")
    podman(workplace, "load", "-q", "-i", workplace / "saved.tar")
    podman(workplace, "save", "-q", "-o", workplace / "theirs.tar", f"{app}2")
    img("load", "-q", "-i", workplace / "theirs.tar")
    img("unpack", "-o", workplace / "root", f"{app}2")
    assert (workplace / "root/hi").read_text() == "hi\n"
    whole(img)
    shutil.rmtree(workplace / "root")


def test_a_shared_store_gives_images_and_layers_without_a_copy(
    img_for: ImgFor, busybox: str, write_context: WriteContext, workplace: Path
) -> None:
    need_root()
    name = "registry.example/site/base:1"
    site = img_for("root", "site").with_environment(IMG_STORE="oci-layout")
    text = f"FROM {busybox}\nRUN echo of the site >/site\n"
    site("build", "-q", "--insecure-registry", "-t", name, write_context(text))
    site.state.chmod(0o711)
    (site.state / "layout").chmod(0o755)
    before = {path: path.stat().st_mtime_ns for path in (site.state / "layout").rglob("*")}
    user = img_for("user").with_environment(IMG_SHARED_STORE=str(site.state))
    text = f"FROM {name}\nRUN cat /site >/copy\nCOPY --from={name} /site /second\n"

    user("build", "-q", "-t", "app", write_context(text))

    assert {path: path.stat().st_mtime_ns for path in before} == before
    own = {path.name for path in (user.state / "blobs/sha256").iterdir()}
    assert own.isdisjoint({path.name for path in before})
    assert names(user) == {_APP}
    last = read_archive(user("save", "--format", "oci", "app").output).layers[-1]
    assert "/second" in last
    assert user("tag", name, "mine").code == 0
    assert names(user) == {_APP, "docker.io/library/mine:latest"}
    whole(user)

    user("prune", "--all")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    stored = (site.state / "layout/blobs/sha256").iterdir()
    layer = max(stored, key=lambda each: each.stat().st_size)
    layer.write_bytes(bytes(layer.stat().st_size))
    fresh = user.with_state(workplace / "fresh")
    fresh.state.mkdir()
    os.chown(fresh.state, user.account.uid, user.account.gid)
    # The blob is fetched from the registry in the name instead, which does not exist.
    failed = fresh("build", "-q", "-t", "app", write_context(text), code=6).stderr
    assert "damaged blob in a shared store" in failed
    assert str(layer) in failed
    missing = user("--shared-store", workplace / "missing", "ls", code=1).error_line
    assert f"{workplace}/missing: no OCI layout" in missing

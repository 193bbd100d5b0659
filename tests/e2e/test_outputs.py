"""Outputs of ``img build -o``, read by other tools."""

import hashlib
import json
import os
import stat
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import need_root, program
from tests.support.host.peers import podman, podman_run, tool
from tests.support.host.typed_terminal import typed_terminal
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry, pytest.mark.peers]

_DOCKERFILE = """
FROM @BASE@
RUN mkdir /made && echo made > /made/file && ln /made/file /made/other \
 && ln -s /made/file /made/link && mkfifo /made/pipe && chown 33:34 /made/file \
 && chmod 4750 /made/other && rm -r /var && mkdir -m 555 /made/sealed && echo x > /made/sealed/x
COPY --chown=35:36 f /srv/f
CMD ["cat", "/made/other", "/srv/f"]
"""
_SAYS = "made\nf\n"


@pytest.fixture
def context(busybox: str, write_context: WriteContext) -> Path:
    return write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f\n"})


def listed(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return all that is below ``root``: kind and mode, owner, time, link or content, names."""
    found: dict[str, tuple[Any, ...]] = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(directory, name)
            status = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest(), status.st_nlink
            found[str(path.relative_to(root))] = (
                stat.filemode(status.st_mode), status.st_uid, status.st_gid,
                int(status.st_mtime), content,
            )  # fmt: skip
    return found


def raw_manifest(name: str) -> Any:
    """Return a manifest or index as a registry has it."""
    return json.loads(tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"))


# files


def test_a_tar_file_holds_what_umoci_unpacks_of_the_image(
    img: Img, context: Path, workplace: Path
) -> None:
    need_root()
    files, layout = img.home / "files.tar", img.home / "layout"
    img(
        *("build", "-q", "-o", f"type=tar,dest={files}"),
        *("-o", f"type=oci,tar=false,name=app:1,dest={layout}", context),
    )

    (workplace / "tar").mkdir()
    tool("tar", "xpf", files, "--same-owner", "-C", workplace / "tar")
    image = f"{layout}:docker.io/library/app:1"
    tool("umoci", "unpack", "--image", image, workplace / "umoci")

    ours = listed(workplace / "tar")
    assert ours == listed(workplace / "umoci/rootfs")
    assert ours["made/file"][:3] == ("-rwsr-x---", 33, 34)
    assert ours["srv/f"][1:3] == (35, 36)
    assert "var" not in ours
    tool(
        *("oci-image-tool", "validate", "--type", "image"),
        *("--ref", "name=docker.io/library/app:1", layout),
    )


def test_a_directory_is_ones_own_and_is_joined_with_what_is_there(img: Img, context: Path) -> None:
    out, outside = img.home / "out", img.home / "outside"
    for directory in (out, outside):
        directory.mkdir()
    (outside / "f").write_text("precious")
    (out / "kept").write_text("kept")
    (out / "srv").symlink_to(outside)
    for path in (out, outside, out / "kept", outside / "f"):
        os.chown(path, img.account.uid, img.account.gid)

    assert img("build", "-q", "-o", out, context).stdout == ""
    first = listed(out)
    img("build", "-q", "-o", out, context)

    assert {entry[1:3] for entry in first.values()} == {(img.account.uid, img.account.gid)}
    assert first["made/sealed"][0] == "dr-xr-xr-x"
    assert first["made/link"][4] == "/made/file"
    assert first["made/pipe"][0] == "prw-r--r--"
    assert (out / "made/other").samefile(out / "made/file")
    assert (out / "srv/f").read_text() == "f\n"
    assert (outside / "f").read_text() == "precious"
    assert listed(out).keys() == first.keys() >= {"kept"}

    refused = img("build", "-q", "-o", f"type=local,dest={out},mode=delete", context, code=1)
    assert "requires --allow=buildx.local.delete" in refused.error_line
    img(
        *("build", "-q", "--allow", "buildx.local.delete"),
        *("-o", f"type=local,dest={out},mode=delete", context),
    )
    assert listed(out).keys() == first.keys() - {"kept"}


def test_unpack_makes_the_root_with_owners_for_root_only(
    img: Img, context: Path, workplace: Path
) -> None:
    img("build", "-q", "-t", "app", "-o", "type=image", "-o", f"{img.home}/local", context)

    said = img("unpack", "app").stdout

    assert said == "Successfully unpacked rootfs for app to: rootfs\n"
    found = listed(img.home / "rootfs")
    if img.account.uid == 0:
        assert found["made/file"][1:3] == (33, 34)
        assert found["srv/f"][1:3] == (35, 36)
        weak = (program("setpriv"), "--bounding-set=-all", "--inh-caps=-all", *img.command)
        replace(img, command=weak, quick=None)("unpack", "-o", "owned", "app")
        assert listed(img.home / "owned")["made/file"][1:3] == (0, 0)  # root without CAP_CHOWN
    else:
        assert found == listed(img.home / "local")
    again = img("unpack", "app", code=1)
    assert again.error_line == "Error: destination directory already exists: rootfs"
    assert "not found" in img("unpack", "-o", "other", "missing", code=7).error_line
    assert not (img.home / "other").exists()


# images


def test_an_image_in_zstd_is_pushed_pulled_and_run(
    img: Img, context: Path, registry: RegistryServer, workplace: Path
) -> None:
    need_root()
    name = f"{registry.address}/zstd-{img.account.name}:1"
    wanted = "type=registry,compression=zstd,force-compression=true,compression-level=7"

    img("build", "-q", "-t", name, "-o", wanted, context)

    layers = raw_manifest(name)["layers"]
    assert {layer["mediaType"].rpartition(".")[2] for layer in layers} == {"tar+zstd"}
    tool("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"dir:{workplace}/d")
    config = json.loads(tool("skopeo", "inspect", "--config", f"dir:{workplace}/d"))
    for layer, diff_id in zip(layers, config["rootfs"]["diff_ids"], strict=True):
        blob = workplace / "d" / layer["digest"].removeprefix("sha256:")
        plain = subprocess.run(
            [program("zstd"), "-dc", blob], check=True, capture_output=True
        ).stdout
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == diff_id
    podman(workplace, "pull", "-q", "--tls-verify=false", name)
    assert podman_run(workplace, name) == _SAYS
    # Pushed, not kept: no name stands for it here.
    assert f"zstd-{img.account.name}" not in img("ls").stdout


def test_dockers_types_uncompressed_layers_and_digests_are_what_was_asked_for(
    img_for: ImgFor, context: Path, registry: RegistryServer, workplace: Path
) -> None:
    img = img_for("user")
    metadata, image_id = img.home / "metadata.json", img.home / "id"
    repository = f"{registry.address}/docker-types"

    wanted = (
        f"type=image,name={repository},push=true,push-by-digest=true,oci-mediatypes=false,"
        "compression=uncompressed,force-compression=true"
    )

    results = ("--iidfile", image_id, "--metadata-file", metadata)
    shown = img("build", "-q", *results, "-o", wanted, context)

    written = json.loads(metadata.read_text())
    manifest = raw_manifest(f"{repository}@{written['containerimage.digest']}")
    assert manifest["mediaType"].endswith("distribution.manifest.v2+json")
    assert {layer["mediaType"] for layer in manifest["layers"]} == {
        "application/vnd.docker.image.rootfs.diff.tar"
    }
    assert shown.stdout.strip() == image_id.read_text() == manifest["config"]["digest"]
    assert written["containerimage.config.digest"] == manifest["config"]["digest"]
    assert written["image.name"] == repository
    # No tag came to be.
    assert "manifest unknown" in subprocess.run(
        [program("skopeo"), "inspect", "--tls-verify=false", f"docker://{repository}:latest"],
        check=False, capture_output=True, text=True,
    ).stderr  # fmt: skip


def test_annotations_reach_index_manifests_and_descriptors(
    img_for: ImgFor, write_context: WriteContext, registry: RegistryServer
) -> None:
    img = img_for("user")
    name = f"{registry.address}/annotated:1"

    img(
        *("build", "-q", "-t", name, "--push", "--platform", "linux/amd64,linux/arm64"),
        *("--annotation", "index,manifest:org.example.all=1"),
        *("--annotation", "manifest-descriptor[linux/arm64]:org.example.arm=2"),
        *("--annotation", "manifest[linux/amd64]:org.example.amd=3"),
        write_context("FROM scratch\nCOPY f /\n", {"f": "f"}),
    )

    index = raw_manifest(name)
    assert index["annotations"] == {"org.example.all": "1"}
    amd64, arm64 = index["manifests"]
    assert "annotations" not in amd64
    assert arm64["annotations"] == {"org.example.arm": "2"}
    repository = name.removesuffix(":1")
    manifests = [raw_manifest(f"{repository}@{each['digest']}") for each in (amd64, arm64)]
    assert [each["annotations"] for each in manifests] == [
        {"org.example.all": "1", "org.example.amd": "3"},
        {"org.example.all": "1"},
    ]


def test_podman_loads_an_archive_from_standard_output(
    img_for: ImgFor, context: Path, workplace: Path
) -> None:
    need_root()
    img = img_for("user")
    for kind in ("docker", "oci"):
        archive = img("build", "-q", "-o", f"type={kind},name=localhost/{kind}:1", context).output

        loaded = podman(workplace, "load", stdin=archive)

        assert f"localhost/{kind}:1" in loaded
    assert podman_run(workplace, "localhost/oci:1") == _SAYS


def test_every_form_is_the_same_to_the_bit_whoever_builds_it(
    img_for: ImgFor, context: Path
) -> None:
    wanted = [
        f"compression={each},force-compression=true,rewrite-timestamp=true,source-date-epoch=0"
        for each in ("gzip", "gzip,compression-level=9", "zstd", "uncompressed")
    ]

    def archives(img: Img) -> list[str]:
        options = [
            part
            for number, each in enumerate(wanted)
            for part in ("-o", f"type=oci,dest={img.home}/{number}.tar,{each}")
        ]
        img("build", "-q", "--build-arg", "SOURCE_DATE_EPOCH=1", *options, context)
        return [
            hashlib.sha256((img.home / f"{number}.tar").read_bytes()).hexdigest()
            for number in range(len(wanted))
        ]

    assert archives(img_for("root", "one")) == archives(img_for("user", "two"))
    with tarfile.open(img_for("user").home / "3.tar") as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
        blob = f"blobs/{index['manifests'][0]['digest'].replace(':', '/')}"
        manifest = json.load(archive.extractfile(blob))  # type: ignore[arg-type]
        top = f"blobs/{manifest['layers'][-1]['digest'].replace(':', '/')}"
        with tarfile.open(fileobj=archive.extractfile(top)) as layer:
            assert {member.mtime for member in layer} == {0}


# mistakes


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-o", "file"], "destination directory file is a file"),
        (["-o", "type=tar,dest=directory"], "destination file directory is a directory"),
        (["-o", "type=oci,dest=missing/x.tar"], "cannot write missing/x.tar: no such directory"),
        (["-o", "type=sif,dest=directory"], "destination file directory is a directory"),
        (["-o", "type=sif,dest=missing/x"], "cannot write missing/x: no such directory"),
        (["-o", "file/in"], "cannot write file/in: Not a directory"),
        (["-o", "type=oci,tar=false,dest=file/in"], "cannot write file/in: Not a directory"),
        (["-o", "type=tar,dest=/proc/x"], "cannot write /proc/x: "),
        (["-t", "x", "--iidfile", "missing/x"], "cannot write missing/x: No such file"),
        (["-t", "x", "--metadata-file", "directory"], "cannot write directory: Is a directory"),
        (["-t", "x", "--cache-to", "type=local,dest=file"], "cannot write file: Not a directory"),
        (["-o", "-", "-o", "type=oci"], "multiple outputs configured to write to stdout"),
        (["-o", "type=image,compression=estargz"], "compression estargz is not supported"),
        (["--push"], "tag is needed when pushing to registry"),
        (["--allow", "everything", "-o", "out"], "unknown entitlement everything"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(
    img_for: ImgFor, write_context: WriteContext, options: list[str], problem: str
) -> None:
    img = img_for("user")
    (img.home / "file").write_text("")
    (img.home / "directory").mkdir()

    refused = img("build", *options, write_context("FROM nowhere.invalid/x\n"), code=1)

    assert problem in refused.error_line
    assert sorted(path.name for path in img.home.iterdir()) == ["directory", "file"]


@pytest.mark.parametrize("kind", ["tar", "oci", "docker", "squashfs", "sif"])
def test_bytes_are_not_written_to_a_terminal(
    kind: str, img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context("FROM nowhere.invalid/x\n")

    with typed_terminal() as terminal:
        command = ("build", "-o", f"type={kind}", context)
        refused = img_for("user").start(*command, terminal=terminal.device)
        terminal.until(f"dest file is required for {kind} exporter. refusing to write to console")
        assert refused.wait(20) == 1


def test_an_output_that_cannot_be_written_leaves_nothing(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    img = img_for("user")
    context = write_context("FROM scratch\nCOPY f /\n", {"f": ""})

    refused = img(
        *("build", "-q", "-t", "app", "-o", "type=image"),
        *("-o", "type=tar,dest=/img-test.tar", context),
        code=1,
    )

    assert refused.error_line == "Error: cannot write /img-test.tar: Permission denied"
    assert "app" not in img("ls").stdout

"""Wrong input: one clear line, the exit code of its family, nothing half made."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import lacking, need_root, program
from tests.support.host.shared_things import run
from tests.support.servers.registry_server import RegistryServer

pytestmark = pytest.mark.any_user

USAGE, DOCKERFILE, STEP, CONTEXT, REGISTRY, NOT_FOUND, STATE = 1, 3, 4, 5, 6, 7, 8


def refused(img: Img, code: int, *arguments: str | Path) -> str:
    """Return the one line with which img ends; it has named no image."""
    outcome = img(*arguments, code=code)
    return outcome.error_line


def build_refused(img: Img, code: int, context: Path, *options: str) -> str:
    line = refused(img, code, "build", "-q", *options, "-t", "bad", context)
    assert "bad" not in img("ls").stdout
    return line


# --- Dockerfile ---


def test_a_missing_dockerfile(img: Img, write_context: WriteContext) -> None:
    line = build_refused(img, CONTEXT, write_context(None, {"f": "f"}))

    assert "Dockerfile" in line
    assert "no such file" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the Dockerfile cannot be empty"), ("\n# a remark\n", "file with no instructions")],
)
def test_an_empty_dockerfile(
    img: Img, write_context: WriteContext, text: str, message: str
) -> None:
    assert message in build_refused(img, DOCKERFILE, write_context(text))


def test_an_unknown_instruction_is_guessed_and_shown_with_its_line(
    img: Img, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCPOY a b\n")

    outcome = img("build", "-t", "bad", context, code=DOCKERFILE)

    assert "unknown instruction: CPOY (did you mean COPY?)" in outcome.error_line
    assert "   2 | >>> CPOY a b" in outcome.stderr


def test_a_dockerfile_that_is_not_text(img: Img, write_context: WriteContext) -> None:
    build_refused(img, DOCKERFILE, write_context(None, {"Dockerfile": os.urandom(4096)}))


def test_a_stage_that_there_is_not(img: Img, write_context: WriteContext) -> None:
    line = build_refused(img, DOCKERFILE, write_context("FROM scratch\n"), "--target", "gone")

    assert "gone" in line


# --- context ---


def test_a_context_that_is_not_there(img: Img, workplace: Path) -> None:
    assert "gone" in refused(img, CONTEXT, "build", "-t", "bad", workplace / "gone")


def test_a_source_that_is_not_there(img: Img, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\nCOPY gone /\n", {"f": "f"})

    assert "/gone" in build_refused(img, STEP, context)


def test_a_source_outside_the_context_is_looked_for_inside(
    img: Img, write_context: WriteContext, workplace: Path
) -> None:
    (workplace / "secret").write_text("secret")
    context = write_context("FROM scratch\nCOPY ../secret /\n")

    assert "/secret" in build_refused(img, STEP, context)


def test_a_source_that_a_link_leads_out_of_the_context(
    img: Img, write_context: WriteContext, workplace: Path
) -> None:
    (workplace / "secret").write_text("secret")
    context = write_context("FROM scratch\nCOPY out/secret /\n")
    (context / "out").symlink_to(workplace)

    assert "secret" in build_refused(img, STEP, context)


def test_a_file_that_may_not_be_read(img_for: ImgFor, write_context: WriteContext) -> None:
    need_root()  # to make a file that is not the user's
    img = img_for("user")
    context = write_context("FROM scratch\nCOPY f /\n", {"f": "f"})
    (context / "f").chmod(0)

    line = build_refused(img, CONTEXT, context)

    assert "permission denied" in line
    assert "f" in line


# --- registry ---


def test_a_base_image_that_the_registry_has_not(
    img: Img, registry: RegistryServer, write_context: WriteContext
) -> None:
    name = f"{registry.address}/no/such:tag"

    assert f"{name}" in build_refused(img, REGISTRY, write_context(f"FROM {name}\n"))


def test_a_registry_that_is_down(img: Img, write_context: WriteContext) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        line = build_refused(img, REGISTRY, write_context(f"FROM {address}/base\n"))

    assert address in line
    assert "connection refused" in line.lower()


def test_a_push_to_a_registry_that_is_down(img: Img, write_context: WriteContext) -> None:
    img("build", "-t", "127.0.0.1:9/app", write_context("FROM scratch\nLABEL a=b\n"))

    assert "127.0.0.1:9" in refused(img, REGISTRY, "push", "127.0.0.1:9/app")


@pytest.fixture
def lying_registry(busybox: str) -> Iterator[tuple[RegistryServer, Path]]:
    """Return a registry with the base image, and the directory of its blobs."""
    with RegistryServer() as server:
        run(
            program("skopeo"), "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false",
            f"docker://{busybox}", f"docker://{server.address}/busybox:latest",
        )  # fmt: skip
        yield server, server.log.parent / "data/docker/registry/v2/blobs"


def largest(blobs: Path) -> Path:
    return max(blobs.rglob("data"), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("lie", ["other bytes", "too short", "too long"])
@pytest.mark.parametrize("copy", [False, True])
def test_a_registry_that_sends_what_the_digest_does_not_name(
    img: Img,
    lying_registry: tuple[RegistryServer, Path],
    write_context: WriteContext,
    lie: str,
    copy: bool,
) -> None:
    server, blobs = lying_registry
    layer = largest(blobs)
    content = layer.read_bytes()
    changed = bytes([content[5000] ^ 1])
    layer.write_bytes(
        {
            "other bytes": content[:5000] + changed + content[5001:],
            "too short": content[:-1000],
            "too long": content + b"more",
        }[lie]
    )
    step = "COPY --from=base /bin/busybox /" if copy else "RUN true"
    dockerfile = f"FROM {server.address}/busybox AS base\nFROM base\n{step}\n"

    line = build_refused(img, REGISTRY, write_context(dockerfile))

    assert layer.parent.name in line
    assert layer.parent.name not in {path.name for path in (img.state / "blobs").rglob("*")}
    layer.write_bytes(content)
    img("build", "-q", "-t", "good", write_context(dockerfile))


def test_a_manifest_that_is_not_what_the_digest_names(
    img: Img, lying_registry: tuple[RegistryServer, Path], write_context: WriteContext
) -> None:
    server, blobs = lying_registry
    manifest = next(path for path in blobs.rglob("data") if b'"layers"' in path.read_bytes()[:4096])
    manifest.write_bytes(manifest.read_bytes().replace(b'"schemaVersion":2', b'"schemaVersion": 2'))
    name = f"{server.address}/busybox@sha256:{manifest.parent.name}"

    build_refused(img, REGISTRY, write_context(f"FROM {name}\n"))


# --- state ---


@pytest.fixture
def built(img: Img, busybox: str, write_context: WriteContext) -> tuple[Img, Path]:
    context = write_context(f"FROM {busybox}\nRUN echo made > /made\n")
    img("build", "-q", "-t", "app", context)
    return img, context


@pytest.mark.parametrize(
    "command", [["ls"], ["build", "-t", "bad"], ["du"], ["prune"], ["rm", "app"]]
)
def test_a_state_whose_database_is_garbage(built: tuple[Img, Path], command: list[str]) -> None:
    img, context = built
    for file in img.state.glob("state.db*"):
        file.unlink()
    (img.state / "state.db").write_bytes(b"garbage" * 1000)
    os.chown(img.state / "state.db", img.account.uid, img.account.gid)

    line = refused(img, STATE, *command, *([context] if command[0] == "build" else []))

    assert str(img.state) in line


def test_a_state_with_a_truncated_blob_is_noticed_when_the_blob_is_needed(
    built: tuple[Img, Path],
) -> None:
    img, _ = built
    layer = largest_file(img.state / "blobs")
    os.truncate(layer, 1000)

    assert layer.name in refused(img, STATE, "save", "-o", img.home / "app.tar", "app")
    assert not (img.home / "app.tar").exists()


def largest_file(directory: Path) -> Path:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def test_a_state_that_may_not_be_written(img_for: ImgFor, write_context: WriteContext) -> None:
    need_root()  # to give it away
    img = img_for("user")
    os.chown(img.state, 0, 0)
    img.state.chmod(0o755)

    line = refused(
        img, STATE, "build", "-t", "bad", write_context("FROM scratch\nCOPY Dockerfile /\n")
    )

    assert str(img.state) in line


def test_a_state_that_is_a_file(img: Img, workplace: Path, write_context: WriteContext) -> None:
    (workplace / "file").write_text("")
    broken = img.with_state(workplace / "file")

    refused(broken, STATE, "build", "-t", "bad", write_context("FROM scratch\nCOPY Dockerfile /\n"))
    refused(broken, STATE, "ls")


@pytest.fixture
def small_disk(img_for: ImgFor, workplace: Path) -> Iterator[Img]:
    need_root()
    disk = workplace / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        lacking("may not mount a tmpfs")
    yield img_for("root").with_state(disk)
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("backend", ["overlay", "naive"])
@pytest.mark.parametrize(
    "step",
    ["COPY big /", "RUN dd if=/dev/urandom of=/big bs=1M count=16"],
)
def test_a_full_disk(
    small_disk: Img, busybox: str, write_context: WriteContext, step: str, backend: str
) -> None:
    context = write_context(f"FROM {busybox}\n{step}\n", {"big": os.urandom(16 << 20)})
    code = STATE if step.startswith("COPY") else STEP

    line = build_refused(small_disk, code, context, "-b", backend)

    if step.startswith("COPY"):
        assert "no space left" in line.lower()
    assert list((small_disk.state / "tmp").iterdir()) == []
    small_disk(
        "build", "-q", "-b", backend, "-t", "good", write_context(f"FROM {busybox}\nLABEL a=b\n")
    )


# --- names ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["push", "gone"],
        ["inspect", "gone"],
        ["tag", "gone", "new"],
        ["rm", "gone"],
        ["save", "gone"],
    ],
)
def test_an_image_that_there_is_not(img: Img, arguments: list[str]) -> None:
    assert "docker.io/library/gone:latest" in refused(img, NOT_FOUND, *arguments)


def test_a_name_that_is_none(img: Img, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\n")

    line = refused(img, USAGE, "build", "-t", "UPPER", context)

    assert 'parsing image name "UPPER" failed' in line


def test_an_archive_that_is_none(img: Img) -> None:
    assert img("load", stdin=b"not a tar archive" * 100, code=CONTEXT).error_line

"""Dockerfiles and ignore files that lead elsewhere."""

import os
from pathlib import Path

import pytest

from img.adapters.build_context.local import LocalContexts
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.build_context import LARGEST_DOCKERFILE
from img.domain.errors import ContextError

SECRET = "PASSWORD=opensesame"


@pytest.fixture
def source() -> LocalContexts:
    return LocalContexts(MemoryFileDigestStore(), TarLayerArchive(), MemoryScratchSpace())


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "context" / "docker").mkdir(parents=True)
    return tmp_path / "context"


def refusal(source: LocalContexts, context: Path, file: Path | str | None = None) -> str:
    with pytest.raises(ContextError) as caught:
        source.dockerfile(str(context), None if file is None else str(file))
    assert SECRET not in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile"])
def test_a_dockerfile_that_is_a_link_out_is_refused_by_name(
    source: LocalContexts, context: Path, name: str
) -> None:
    (context / name).symlink_to("../secret")
    assert refusal(source, context) == (
        f"unable to open Dockerfile {context / name}: it is a link to ../secret, "
        "out of its directory"
    )


def test_a_dockerfile_in_the_context_is_refused_by_whatever_path_it_is_named(
    source: LocalContexts, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (context / "docker" / "app").symlink_to("../../secret")
    (context / "out").symlink_to("..")
    (context.parent / "alias").symlink_to("context")
    monkeypatch.chdir(context)
    for file in (
        "docker/app",
        "./docker/../docker/app",
        context / "docker" / "app",
        context.parent / "alias" / "docker" / "app",
        "out/secret",
        "out/context/out/secret",
    ):
        assert "out of its directory" in refusal(source, context, file)


def test_a_dockerfile_may_be_a_link_within_the_context(
    source: LocalContexts, context: Path
) -> None:
    (context / "real").write_text("FROM scratch")
    (context / "Dockerfile").symlink_to("docker/app")
    (context / "docker" / "app").symlink_to("../real")
    for file in (None, str(context / "docker" / "app")):
        assert source.dockerfile(str(context), file).content == b"FROM scratch"


def test_a_dockerfile_elsewhere_is_the_users_word_but_not_what_it_links_to(
    source: LocalContexts, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = context.parent / "elsewhere"
    (elsewhere / "versions" / "2").mkdir(parents=True)
    (elsewhere / "versions" / "2" / "app").write_text("FROM scratch")
    (elsewhere / "app").symlink_to("data/app")  # as in a mounted ConfigMap
    (elsewhere / "data").symlink_to("versions/2")
    (context.parent / "way").symlink_to("elsewhere")
    (elsewhere / "evil").symlink_to("../secret")
    monkeypatch.chdir(context)
    for file in ("../elsewhere/app", "../way/app", "../way/versions/2/app"):
        assert source.dockerfile(".", file).content == b"FROM scratch"
    assert source.read(str(elsewhere / "app")) == b"FROM scratch"
    assert "out of its directory" in refusal(source, context, "../elsewhere/evil")
    with pytest.raises(ContextError, match="out of its directory"):
        source.read(str(elsewhere / "evil"))


def test_fifos_directories_and_huge_files_are_refused_at_once(
    source: LocalContexts, context: Path
) -> None:
    os.mkfifo(context / "fifo")
    with open(context / "huge", "wb") as file:
        file.truncate(LARGEST_DOCKERFILE + 1)
    for name, problem in {
        "fifo": "a fifo, not a regular file",
        "docker": "is a directory",
        "huge": f"larger than {LARGEST_DOCKERFILE} bytes",
    }.items():
        message = refusal(source, context, context / name)
        assert message == f"unable to open Dockerfile {context / name}: {problem}"


def test_an_ignore_file_is_refused_like_a_dockerfile(source: LocalContexts, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch")
    for name in (".dockerignore", "Dockerfile.dockerignore"):
        for plant, problem in (
            (lambda path: path.symlink_to("../secret"), "it is a link to ../secret"),
            (lambda path: path.symlink_to("/dev/zero"), "it is a link to /dev/zero"),
            (os.mkfifo, "a fifo, not a regular file"),
            (Path.mkdir, "is a directory"),
        ):
            plant(context / name)
            message = refusal(source, context)
            assert message.startswith(f"unable to open .dockerignore {context / name}: {problem}")
            if name == ".dockerignore":
                with pytest.raises(ContextError, match=problem) as caught:
                    source.ignore_file(str(context))
                assert "-f" not in (caught.value.hint or "")
            (context / name).rmdir() if (context / name).is_dir() else (context / name).unlink()


def test_a_pipe_that_a_shell_opened_is_read(source: LocalContexts, context: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"FROM scratch")
    os.close(writing)
    try:
        text = source.dockerfile(str(context), f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    assert text.content == b"FROM scratch"

"""Contexts that are no directory, and sources that are far away, through the command itself."""

import gzip
import io
import os
import shutil
import signal
import tarfile
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import processes_naming
from tests.support.host.waiting import wait_until
from tests.support.images.written_images import read_archive
from tests.support.servers.git_server import FIRST_COMMIT, GitServer, Repository
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = [
    pytest.mark.userns,
    pytest.mark.any_user,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]

COPY_ALL = "FROM scratch\nCOPY . /all/\n"
SECRET = "a-token-nobody-may-see"


def an_archive(files: Mapping[str, str | bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            data = text.encode() if isinstance(text, str) else text
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(content.getvalue())


def files_of(img: Img, name: str = "app") -> dict[str, str]:
    """Return the modes of the regular files of an image, by path."""
    saved = read_archive(img("save", "--format", "oci", name).output)
    return {
        path.strip("/"): entry.mode
        for layer in saved.layers
        for path, entry in layer.items()
        if entry.kind == "file"
    }


@pytest.fixture
def repository(workplace: Path) -> Repository:
    """Return a repository that a context can be."""
    repository = Repository(workplace / "served" / "repo")
    repository.commit(
        {"app/Dockerfile": COPY_ALL, "app/run": "#!/bin/sh\n", "app/file": "1"},
        executable=["app/run"],
    )
    return repository


@pytest.fixture
def git_url(workplace: Path, repository: Repository) -> Iterator[str]:
    """Return the repository's address."""
    with GitServer(workplace / "served", smart=True) as server:
        yield f"{server.url}/repo/.git"


def leftovers(img: Img) -> list[str]:
    """Return the names of unfinished files in the state."""
    return sorted(path.name for path in (img.state / "tmp").glob("*"))


def test_an_archive_by_standard_input(img: Img) -> None:
    archive = an_archive({"Dockerfile": COPY_ALL, "a": "1", "b": "2", ".dockerignore": "b\n.*\n"})
    img("build", "-t", "app", "-", stdin=archive)
    assert set(files_of(img)) == {"all/Dockerfile", "all/a"}


def test_an_archive_in_an_archive_is_unpacked(img: Img) -> None:
    inner = an_archive({"a": "1"})
    archive = an_archive({"Dockerfile": "FROM scratch\nADD k.tar /\n", "k.tar": inner, "z": "2"})
    img("build", "-t", "app", "-", stdin=archive)
    assert set(files_of(img)) == {"a"}


def test_a_dockerfile_by_standard_input(img: Img, write_context: WriteContext) -> None:
    img("build", "-t", "app", "-", stdin=b"FROM scratch\nCOPY <<E /x\nhi\nE\n")
    assert set(files_of(img)) == {"x"}
    context = write_context(None, {"a": "1"})
    img("build", "-t", "app", "-f", "-", context, stdin=b"FROM scratch\nCOPY a /y\n")
    assert set(files_of(img)) == {"y"}


def test_standard_input_for_two_things_is_refused(img_for: ImgFor) -> None:
    img = img_for("user")
    refused = img("build", "-t", "app", "-f", "-", "-", code=1)
    assert "can't use stdin for both build context and dockerfile" in refused.error_line
    refused = img("build", "-t", "app", "-f", "x", "-", stdin=b"FROM scratch\n", code=1)
    assert "ambiguous Dockerfile source" in refused.error_line


def test_a_repository_and_what_of_it(img: Img, git_url: str) -> None:
    first = img("build", "-t", "app", f"{git_url}#main:app")
    assert files_of(img) == {"all/Dockerfile": "0644", "all/file": "0644", "all/run": "0755"}
    second = img("build", "-t", "app", f"{git_url}?branch=main&subdir=app")
    assert "CACHED" not in first.stderr
    assert "CACHED" in second.stderr
    assert leftovers(img) == []


def test_the_state_may_be_relative_and_the_time_that_of_the_commit(
    img: Img, git_url: str, workplace: Path
) -> None:
    relative = img.with_environment(IMG_STATE=img.state.name)
    dated = ("--build-arg", "SOURCE_DATE_EPOCH=context")
    relative("build", *dated, "-t", "app", f"{git_url}#main:app", cwd=workplace)
    saved = read_archive(
        relative("-s", img.state.name, "save", "--format", "oci", "app", cwd=workplace).output
    )
    assert datetime.fromisoformat(saved.config["created"]).timestamp() == FIRST_COMMIT


def test_a_repository_may_keep_its_git_directory(img_for: ImgFor, git_url: str) -> None:
    img = img_for("user")
    keep = ("--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1")
    img("build", *keep, "-f", "app/Dockerfile", "-t", "app", git_url)
    assert "all/.git/HEAD" in files_of(img)


def test_a_repository_or_ref_that_is_not_there(img_for: ImgFor, git_url: str) -> None:
    img = img_for("user")
    refused = img("build", "-t", "app", f"{git_url}#nope", code=6)
    assert "does not contain ref nope" in refused.error_line
    nowhere = git_url.replace("://", "://me:hidden@").replace("/repo", "/nope")
    refused = img("build", "-t", "app", nowhere, code=6)
    assert "failed to fetch remote" in refused.error_line
    assert "hidden" not in refused.stderr
    assert leftovers(img) == []


def test_a_dockerfile_and_an_archive_on_the_web(img: Img, write_context: WriteContext) -> None:
    archive = an_archive({"Dockerfile": COPY_ALL, "a": "1"})
    pages = {"/context.tgz": archive, "/Dockerfile": b"FROM scratch\nCOPY b /x\n"}

    def answer(request: Request) -> Answer:
        return Answer(body=pages[request.path])

    with ScriptedServer(answer) as server:
        url = f"http://{server.address}"
        img("build", "-t", "app", f"{url}/context.tgz")
        assert set(files_of(img)) == {"all/Dockerfile", "all/a"}
        context = write_context(None, {"b": "2"})
        img("build", "-t", "app", "-f", f"{url}/Dockerfile", context)
        assert set(files_of(img)) == {"x"}


def test_a_network_that_is_not_there_is_said_in_one_line(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    img = img_for("user")
    refused = img("build", "-t", "app", "http://127.0.0.1:1/x", code=6)
    assert "http://127.0.0.1:1/x: cannot be reached: connection refused" in refused.error_line
    context = write_context("FROM scratch\nADD http://127.0.0.1:1/x /\n")
    refused = img("build", "-t", "app", context, code=6)
    assert ">>> ADD http://127.0.0.1:1/x /" in refused.stderr
    assert "connection refused" in refused.error_line


def test_named_contexts_of_all_kinds(
    img: Img, write_context: WriteContext, git_url: str, workplace: Path
) -> None:
    main = write_context(
        "FROM scratch\n"
        "COPY --from=dir / /dir/\n"
        "COPY --from=git app /git/\n"
        "COPY --from=web / /web/\n"
    )
    directory = write_context(None, {"a": "1", "b": "2", ".dockerignore": "b\n.*"}, "other")
    with ScriptedServer(lambda _: Answer(body=b"w")) as server:
        contexts = [f"dir={directory}", f"git={git_url}", f"web=http://{server.address}/f"]
        options = [word for context in contexts for word in ("--build-context", context)]
        img("build", *options, "-t", "app", main)
    assert set(files_of(img)) == {
        "dir/a",
        "git/Dockerfile",
        "git/file",
        "git/run",
        "web/context",
    }


def test_a_base_out_of_a_layout(img: Img, write_context: WriteContext, workplace: Path) -> None:
    img("build", "-t", "base", write_context("FROM scratch\nCOPY a /base\n", {"a": "1"}))
    layout = workplace / "layout"
    layout.mkdir()
    archive = img("save", "--format", "oci", "base").output
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(layout)
    other = img.with_state(img.home / "other")
    context = write_context("FROM base\nCOPY a /app\n", {"a": "1"})
    other("build", "--build-context", f"base=oci-layout://{layout}", "-t", "app", context)
    assert set(files_of(other)) == {"base", "app"}


def test_secrets_of_servers_are_nowhere(
    img: Img, write_context: WriteContext, workplace: Path, repository: Repository
) -> None:
    def answer(request: Request) -> Answer:
        allowed = request.headers.get("Authorization") == f"Bearer {SECRET}"
        return Answer(body=b"w") if allowed else Answer(status=401)

    with (
        ScriptedServer(answer) as web,
        GitServer(workplace / "served", smart=True, token=SECRET) as git,
    ):
        context = write_context(
            f"FROM scratch\nADD http://{web.address}/f /\nADD {git.url}/repo/.git /r\n"
        )
        options = ["--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,env=SECRET"]
        options += ["--secret", "id=GIT_AUTH_TOKEN,env=SECRET"]
        git.delay.clear()
        knowing = img.with_environment(SECRET=SECRET)
        process = knowing.start("-d", "build", *options, "-t", "app", context)
        wait_until(lambda: processes_naming("ls-remote"), "git asks for refs")
        assert not [line for line in processes_naming(SECRET) if SECRET in line]
        git.delay.set()
        output, errors = process.communicate(timeout=60)
        done = img.outcome(process, output, errors, 0)
    assert set(files_of(img)) == {"f", "r/app/Dockerfile", "r/app/run", "r/app/file"}
    assert SECRET not in done.stdout + done.stderr
    for path in img.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content
            if content[:2] == b"\x1f\x8b":
                assert SECRET.encode() not in gzip.decompress(content)


def test_a_download_that_is_interrupted_leaves_nothing(
    img: Img, write_context: WriteContext
) -> None:
    asked, ended = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        asked.set()
        ended.wait(20)
        return Answer()

    with ScriptedServer(answer) as server:
        context = write_context(f"FROM scratch\nADD http://{server.address}/f /\n")
        process = img.start("build", "-t", "app", context)
        assert asked.wait(30)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=15)  # the server answers after 20 s
        ended.set()
        img.outcome(process, output, errors, 130)
    assert leftovers(img) == []
    assert not [path for path in (img.state / "blobs").rglob("*") if path.is_file()]


def test_a_checkout_that_is_interrupted_leaves_nothing(
    img: Img, workplace: Path, repository: Repository
) -> None:
    with GitServer(workplace / "served", smart=True) as server:
        server.delay.clear()
        process = img.start("build", "-t", "app", f"{server.url}/repo/.git")
        assert server.asked.wait(30)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=15)
        img.outcome(process, output, errors, 130)
        assert processes_naming(server.url) == []
    assert leftovers(img) == []

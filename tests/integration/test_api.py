"""The Python API with real engines."""

import gc
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import img
from tests.support.host.waiting import wait_until, wait_while
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

DOCKERFILE = """\
FROM scratch
COPY --chown=3:4 --chmod=640 hello /etc/hello
COPY hello /srv/hello
ENV A=b
LABEL c=d
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_STATE", str(tmp_path / "state"))
    place = tmp_path / "context"
    place.mkdir()
    (place / "Dockerfile").write_text(DOCKERFILE)
    (place / "hello").write_text("hello\n")
    return place


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = set(children())
    yield
    gc.collect()
    assert wait_while(lambda: set(children()) - before, patience_s=20) == set()


def children() -> list[int]:
    threads = Path("/proc/self/task").iterdir()
    return [int(pid) for each in threads for pid in (each / "children").read_text().split()]


def test_an_image_is_built_read_saved_and_loaded(
    context: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[img.Progress] = []

    image = img.build(context, tag="hello", label={"e": "f"}, on_progress=events.append)

    assert image.name == "docker.io/library/hello:latest"
    assert image.config.run.env[-1] == ("A", "b")
    assert image.config.run.labels == {"c": "d", "e": "f"}
    assert image.config_json["config"]["Labels"] == {"c": "d", "e": "f"}
    assert len(image.layers) == len(image.manifest.layers) == 2
    assert any(isinstance(event, img.VertexStarted) for event in events)
    hello = image.files["/etc/hello"]
    assert (hello.mode, hello.uid, hello.gid, hello.size) == (0o640, 3, 4, 6)
    assert hello.read_text() == "hello\n"
    assert [each.path for each in image.files.glob("**/hello")] == ["/etc/hello", "/srv/hello"]
    assert "/nowhere" not in image.files
    with pytest.raises(img.FileNotInImage):
        image.files["/nowhere"]

    archive = io.BytesIO()
    img.save("hello", output=archive, format="oci")
    archive.seek(0)
    (loaded,) = img.load(archive)
    assert loaded == image
    assert img.images() == (image,)
    assert capfd.readouterr() == ("", "")


def test_the_image_stays_the_same_when_its_name_moves(context: Path) -> None:
    img.build(context, tag="hello")
    first = img.image("hello")
    (context / "hello").write_text("changed\n")
    second = img.build(context, tag="hello")

    assert first.digest != second.digest
    assert first.files["/etc/hello"].read_text() == "hello\n"
    first.close()
    assert first.files["/etc/hello"].read_text() == "hello\n"


def test_an_error_of_the_engine_has_its_class_message_hint_and_excerpt(context: Path) -> None:
    with pytest.raises(img.DockerfileError, match="unknown instruction: COPPY") as caught:
        img.build(context, file=io.BytesIO(b"FROM scratch\nCOPPY x\n"))

    assert caught.value.lines == (2, 2)
    assert ">>> COPPY x" in caught.value.excerpt
    assert caught.value.exit_code == 3


def test_files_as_the_only_output_are_no_image(context: Path, tmp_path: Path) -> None:
    dockerfile = io.BytesIO(b"FROM scratch\nCOPY hello /srv/hello\n")
    image = img.build(context, file=dockerfile, output=tmp_path / "out")

    assert not image
    assert (tmp_path / "out/srv/hello").read_text() == "hello\n"
    with pytest.raises(img.NotFoundError, match="no image"):
        image.files["/etc/hello"]


def test_builds_in_threads_and_bake(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(context)
    (context / "docker-bake.json").write_text(
        json.dumps({"target": {"default": {"tags": ["baked"]}}})
    )
    built: dict[str, img.Image] = {}

    def build() -> None:
        built["build"] = img.build(context, tag="built")

    thread = threading.Thread(target=build)
    thread.start()
    not_given: Any = None
    built |= img.bake(metadata_file=not_given)
    thread.join()

    assert img.bake(lock=True) == {}
    assert (context / "img.lock").exists()
    assert built["default"].name == "docker.io/library/baked:latest"
    assert built["build"].layers == built["default"].layers


class Enough(Exception):
    """The caller wants no more."""


def test_an_exception_of_the_callback_cancels_the_build(context: Path) -> None:
    def stop(_event: img.Progress) -> None:
        raise Enough

    with pytest.raises(Enough):
        img.build(context, on_progress=stop)


def test_another_thread_can_cancel_a_command_that_waits(context: Path) -> None:
    archive, feed = os.pipe()  # the build reads its context from here, and waits for it
    begun = threading.Event()
    ended: list[BaseException] = []
    with (
        open(archive, "rb", buffering=0) as stdin,
        open(feed, "wb"),
        img.Cancellation() as cancellation,
    ):

        def run() -> None:
            try:
                img.build(stdin, on_progress=lambda _: begun.set(), cancellation=cancellation)
            except img.Canceled as error:
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert begun.wait(60)
        cancellation.cancel()
        thread.join(60)

    assert len(ended) == 1
    with pytest.raises(img.Canceled):
        img.build(context, cancellation=cancellation)


def test_a_lock_file_is_written_compared_and_updated(context: Path) -> None:
    (context / "tool").write_text("1")
    with served(context) as url:
        (context / "Dockerfile").write_text(f"FROM scratch\nADD {url}/tool /tool\n")
        first = img.lock(context, cancellation=img.Cancellation())
        (context / "tool").write_text("2")
        changed = img.lock(context, diff=True)

        assert (len(first), len(changed)) == (1, 1)
        assert first[0].startswith(f"+ {url}/tool: sha256:")
        assert " → sha256:" in changed[0]
        assert img.lock(context, update=True) == changed
    (context / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(img.UsageError, match=r"img\.lock is not up to date"):
        img.lock(context, check=True)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Enter with the URL of a server of the files of a directory."""

    def answer(request: Request) -> Answer:
        return Answer(body=(directory / request.path[1:]).read_bytes())

    with ScriptedServer(answer) as server:
        yield f"http://{server.address}"


def test_the_engine_ends_with_a_caller_that_is_killed(context: Path) -> None:
    program = (
        "import os, sys, img; from img.entrypoints.api.engine import Engine; engine = Engine();"
        "print(engine.pid, flush=True);"
        "engine.run(['build', '--quiet', '-'], lambda _: print('begun', flush=True))"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None
    pid = int(caller.stdout.readline())
    assert Path(f"/proc/{pid}").exists()

    caller.send_signal(signal.SIGKILL)
    caller.communicate()

    wait_until(lambda: not is_running(pid), "the end of the engine")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_engine_that_is_killed_is_an_error_that_says_so(context: Path) -> None:
    others = set(children())  # such as the registry of other tests
    image = img.build(context, tag="hello")
    assert image.config.run.env[-1] == ("A", "b")
    assert set(children()) == others  # the documents need no process any more
    assert "/etc" in image.files
    (engine,) = set(children()) - others
    os.kill(engine, signal.SIGKILL)

    with pytest.raises(img.EngineEnded, match="signal 9"):
        image.files["/etc"]
    assert "/etc" in image.files  # by another engine


def test_a_forked_process_reads_by_an_engine_of_its_own(context: Path) -> None:
    image = img.build(context, tag="hello")
    assert "/etc" in image.files
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if image.files["/etc/hello"].read_text() == "hello\n" else 2
            image.close()
        finally:
            os._exit(code)

    assert os.waitpid(child, 0)[1] == 0
    assert image.files["/srv/hello"].read_text() == "hello\n"


def imported_by(statement: str) -> set[str]:
    """Return the modules that a Python without site-packages imports for ``statement``."""
    root = Path(img.__file__).resolve().parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r}); before = set(sys.modules);"
        f"{statement}; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_is_quick() -> None:
    assert imported_by("import img") == {"img"}

    imported = imported_by("from img import build")

    slow = {"asyncio", "http", "logging", "pathlib", "random", "shutil", "socket", "subprocess"}
    slow |= {"tempfile", "urllib"}
    assert imported & slow == set()
    assert len(imported) <= 106  # about 40 ms
    assert len([name for name in imported if name.startswith("img.")]) <= 42

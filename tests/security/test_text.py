"""Text of registries, images and Dockerfiles has no effect on a terminal or a log."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host.machine import REPOSITORY
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_EVIL = "\x1b[2J\x9b31m\u202e\u2028\r::error::a\n::error::b ##vso[task.x]c"
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]|^\\s*::|##(?:vso)?\\[", re.MULTILINE
)
_PASSWORD = "l0velace"


class Result:
    """The exit code of img, and its output."""

    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    def assert_harmless(self) -> None:
        for text in (self.out, self.err):
            found = _HARMFUL.search(text)
            assert found is None, text[max(0, found.start() - 80) : found.end() + 80]
            assert "Traceback" not in text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def _img(home: Path, *arguments: str, stdin: bytes = b"", **environment: str) -> Result:
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    return Result(
        subprocess.run(
            [sys.executable, "-m", "img", "--state", str(home / "state"), *arguments],
            input=stdin,
            capture_output=True,
            cwd=REPOSITORY,
            env={**known, **environment},
            timeout=120,
            check=False,
        )
    )


def _registry(request: Request) -> Answer:
    if request.path.startswith("/v2/a/tags"):
        return Answer(body=json.dumps({"tags": ["good", _EVIL]}).encode())
    if request.path.startswith("/v2/_catalog"):
        return Answer(body=json.dumps({"repositories": ["good", _EVIL]}).encode())
    if request.path == "/v2/":
        return Answer()
    error = {"errors": [{"code": _EVIL, "message": _EVIL, "detail": _EVIL}]}
    return Answer(status=403, body=json.dumps(error).encode())


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ScriptedServer(_registry) as server:
        yield server.address


@pytest.mark.parametrize("command", ["tags", "pull", "-d pull", "referrers"])
def test_what_a_registry_says(home: Path, registry: str, command: str) -> None:
    result = _img(home, *command.split(), f"{registry}/a")

    result.assert_harmless()
    assert r"\x1b[2J" in result.out + result.err
    if command == "tags":
        assert len(result.out.splitlines()) == 2


def test_what_a_catalog_says(home: Path, registry: str) -> None:
    result = _img(home, "catalog", registry)

    result.assert_harmless()
    assert len(result.out.splitlines()) == 2


def _context(folder: Path, dockerfile: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8", newline="")
    (folder / "file").touch()
    return str(folder)


_IN_ONE_LINE = _EVIL.replace("\n", " ").replace("\r", " \r")


_SHOWING = (
    "ls",
    "du",
    "du --verbose",
    "du --format json",
    "fsck",
    "inspect evil",
    "inspect -f {{.Config.Labels}}{{println}}{{.Config.Labels|json}} evil",
    "history evil",
    "history --no-trunc --format json evil",
)


def test_what_a_dockerfile_says_in_progress_and_in_the_image(home: Path, tmp_path: Path) -> None:
    text = f"FROM scratch\nARG X='{_IN_ONE_LINE}'\nLABEL a='{_IN_ONE_LINE}'\nCOPY file /$X\n"
    built = _img(home, "build", "--progress", "plain", "-t", "evil", _context(tmp_path / "c", text))

    built.assert_harmless()
    assert built.code == 0, built.err
    assert r"\x1b[2J" in built.err

    shown = _img(home, "inspect", "--config", "evil")
    shown.assert_harmless()
    assert json.loads(shown.out)["config"]["Labels"]["a"] == _IN_ONE_LINE
    for words in _SHOWING:
        _img(home, *words.split(" ")).assert_harmless()


_AS_PROGRESS, _AS_CHECK, _AS_JSON = "--progress=plain", "--check", "--call=check,format=json"


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (f"FROM scratch\nNOSUCH {_IN_ONE_LINE}\n", _AS_PROGRESS),
        (f"FROM scratch\nCOPY {_IN_ONE_LINE} /\n", _AS_PROGRESS),
        (f"FROM scratch\nCOPY --{_IN_ONE_LINE} a /\n", _AS_CHECK),
        (f"FROM {_IN_ONE_LINE}\n", _AS_CHECK),
        (f"# escape={_IN_ONE_LINE}\nFROM scratch\n", _AS_PROGRESS),
        (f"FROM scratch AS A\nLABEL {_IN_ONE_LINE} x\n", _AS_CHECK),
        (f"FROM scratch AS A\nRUN --mount=type={_IN_ONE_LINE} x\n", _AS_JSON),
    ],
    ids=range(7),
)
def test_what_a_dockerfile_says_in_errors(home: Path, tmp_path: Path, text: str, way: str) -> None:
    result = _img(home, "build", way, _context(tmp_path / "c", text))

    result.assert_harmless()
    assert result.code


def test_passwords_in_addresses_are_nowhere(home: Path, tmp_path: Path) -> None:
    def serve(request: Request) -> Answer:
        return Answer(body=b"content") if request.path.startswith("/file") else Answer(status=404)

    with ScriptedServer(serve) as server:
        url = f"http://ada:{_PASSWORD}@{server.address}"
        text = (
            f"FROM scratch\nARG U={url}\nADD {url}/file?sig={_PASSWORD} /a\n"
            f"ADD --chmod=600 $U/file /b\nLABEL u='at {url}/'\n"
        )
        context = _context(tmp_path / "c", text)
        built = _img(home, "-d", "build", "--progress=plain", "-t", "secret", context)
        assert built.code == 0, built.err
        assert server.requests[0].headers["Authorization"].startswith("Basic ")
        history = json.loads(_img(home, "inspect", "--config", "secret").out)["history"]
        used = _img(home, "du", "--verbose")
        lost = _img(
            home,
            "-d",
            "build",
            "--progress=plain",
            _context(tmp_path / "c", f"FROM scratch\nADD {url}/lost?token={_PASSWORD} /\n"),
        )
        git = _img(home, "-d", "build", "--progress=plain", f"{url}/repository.git#main")

    assert lost.code
    assert git.code
    for text in (built.out, built.err, json.dumps(history), used.out, lost.err, git.err):
        assert _PASSWORD not in text
    assert "ADD http://xxxxx:xxxxx@" in json.dumps(history)


def test_the_cache_knows_addresses_by_what_they_are(home: Path, tmp_path: Path) -> None:
    """Use two addresses with two tokens, which are shown equally."""
    with ScriptedServer(lambda request: Answer(body=request.path.encode())) as server:
        digests = []
        for token in ("one", "two", "one"):
            text = f"FROM scratch\nADD http://{server.address}/file?token={token} /a\n"
            archive = tmp_path / f"{token}.tar"
            built = _img(
                home,
                "build",
                "-q",
                "-o",
                f"type=tar,dest={archive}",
                _context(tmp_path / "c", text),
            )
            assert built.code == 0, built.err
            digests.append(archive.read_bytes())

    assert digests[0] == digests[2] != digests[1]


def test_a_bug_of_ours_is_shown_like_all_else(home: Path) -> None:
    script = (
        "import sys; from img.entrypoints.cli import app\n"
        "def run(_): raise RuntimeError(sys.argv[1])\n"
        "app.run = run; app.main([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, _EVIL.replace("\x00", "")],
        capture_output=True,
        cwd=REPOSITORY,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    text = done.stderr.decode("utf-8", "surrogateescape")
    assert "RuntimeError" in text
    assert not _HARMFUL.search(text)


def test_all_is_printed_in_one_place() -> None:
    """Search for output outside of entrypoints/cli/output.py; exceptions have a reason."""
    allowed = {
        "entrypoints/cli/output.py",
        "entrypoints/cli/failures.py",  # ``report``, which uses ``shown`` itself
        "entrypoints/cli/commands.py",  # the help text, which is ours
    }
    printing = {
        str(path.relative_to(REPOSITORY))
        for folder in ("adapters", "application", "domain", "entrypoints")
        for path in (REPOSITORY / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "typer.echo"}
    }

    assert printing <= allowed

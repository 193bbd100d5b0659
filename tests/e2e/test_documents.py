"""The commands in README.md and docs/ work as they are shown there.

Each document has a home directory of its own: a checkout, in which its commands run in their
order, in one shell. The registry of docker.io and of registry.example.com is on loopback.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.conftest import push
from tests.support.documents import Block, Command, all_blocks
from tests.support.host.img_command import Img, ImgFor
from tests.support.host.machine import REPOSITORY, program
from tests.support.servers.registry_server import RegistryServer

_REGISTRIES = """
[[registry]]
prefix = "docker.io"
location = "{0}"
insecure = true

[[registry]]
location = "{0}"
insecure = true
"""
_HOST = "registry.example.com"
# Digests and IDs, ages, seconds, sizes, executors and the numbers of steps differ in each run.
_CHANGING = (
    (r"sha256:[0-9a-f]{4,64}|\b[0-9a-f]{12}\b|\b[0-9a-f]{25}\b", "HEX"),
    (r"(\d+|About an?|Less than a) (second|minute)s? ago", "AGE"),
    (r"\b[\d.]+([KMG]i?)?B\b", "SIZE"),
    (r"\b\d+\.\d+s?\b", "SECONDS"),
    (r"\bexecutor .*", "EXECUTOR"),
    (r"^#\d+ ", "#N "),
    (r"\s+", " "),
)


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.peers
def test_commands_work_as_shown(
    img_for: ImgFor, registry: RegistryServer, busybox_layout: Path, workplace: Path
) -> None:
    for name in ("busybox:stable", "alpine:latest"):
        push(busybox_layout, f"{registry.address}/library/{name}")
    img = img_for("user")
    documents: dict[str, list[Block]] = {}
    for block in all_blocks():
        if block.language == "console" and "not run" not in block.comments:
            documents.setdefault(block.document, []).append(block)
    _write_program(workplace / "bin/img", img.words)
    _write_podman(workplace / "bin/podman", workplace / "p", img)  # podman refuses long paths

    failures = [
        failure
        for document, blocks in documents.items()
        for failure in _failures(document, blocks, img, registry.address)
    ]

    assert not failures, "\n".join(failures)


def _failures(document: str, blocks: Sequence[Block], img: Img, registry: str) -> Iterator[str]:
    place = img.home.parent
    home = _checkout(place / document.replace("/", "-"), img, registry)
    results = place / f"results of {home.name}"
    _make_own(results, img)
    script = "".join(_script(blocks, results)).replace(_HOST, registry)
    done = subprocess.run(
        [*img.account.words, "/bin/sh", "-c", script],
        cwd=home / "checkout",
        env={
            "PATH": f"{place}/bin:{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    commands = [(block, command) for block in blocks for command in block.commands]
    codes = done.stdout.split()
    if len(codes) != len(commands) or done.stderr:
        yield f"{document}: {done.stderr}"
    for number, ((block, command), code) in enumerate(zip(commands, codes, strict=False)):
        output = (results / str(number)).read_text().replace(registry, _HOST)
        if problem := _problem(block, command, code, output):
            yield f"{block.place}: {command.text}: {problem}:\n{output}"


def _script(blocks: Sequence[Block], results: Path) -> Iterator[str]:
    """Yield shell commands that write the output of each command to a file, and its exit code."""
    number = 0
    yield "exec 3>&1\n"
    for block in blocks:
        if setup := block.comments.get("setup"):
            yield f"{{ {setup}\n}} >/dev/null || echo 'setup of {block.place} failed' >&2\n"
        for command in block.commands:
            file = shlex.quote(str(results / str(number)))
            yield f"{{ {command.text}\n}} >{file} 2>&1; code=$?; echo $code >&3; (exit $code)\n"
            number += 1


def _problem(block: Block, command: Command, code: str, output: str) -> str:
    if not command.output or "other output" in block.comments:
        return "" if code == "0" else f"exit code {code}"
    shown = ".*".join(re.escape(part) for part in re.split(" ?… ?", _steady(command.output)))
    if re.fullmatch(shown, _steady(output), re.DOTALL):
        return ""
    return f"exit code {code}, and the document shows another output:\n{command.output}instead of"


def _steady(output: str) -> str:
    for pattern, name in _CHANGING:
        output = re.sub(pattern, name, output, flags=re.MULTILINE)
    return output.strip()


# --- the machine ---


def _checkout(home: Path, img: Img, registry: str) -> Path:
    """Return a home directory with a checkout in it, which is also the context of an image."""
    _make_own(home, img)
    shutil.copytree(REPOSITORY / "examples", home / "checkout/examples")
    (home / "checkout/.venv/bin").mkdir(parents=True)
    (home / "checkout/.venv/bin/activate").touch()
    (home / "checkout/Dockerfile").write_text("FROM scratch\nCOPY app /\n")
    (home / "checkout/app").write_text("app")
    (home / ".config/containers").mkdir(parents=True)
    (home / ".config/containers/registries.conf").write_text(_REGISTRIES.format(registry))
    if os.geteuid() != img.account.uid:
        for path in home.rglob("*"):
            os.chown(path, img.account.uid, img.account.gid)
    return home


def _make_own(directory: Path, img: Img) -> None:
    directory.mkdir(mode=0o755)
    os.chown(directory, img.account.uid, img.account.gid)


def _write_program(path: Path, words: Sequence[Path | str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
    path.chmod(0o755)


def _write_podman(path: Path, place: Path, img: Img) -> None:
    _make_own(place, img)
    places = [f"--{name}={place}/{name[:2]}" for name in ("root", "runroot", "tmpdir")]
    options = [*places, "--storage-driver=vfs", "--events-backend=none"]
    podman = shlex.join([program("podman"), *options])
    # Run by a user, podman leaves a process, which a migration ends.
    ending = f"code=$?; {podman} system migrate; exit $code"
    path.write_text(f'#!/bin/sh\n{podman} "$@"\n{ending}\n')
    path.chmod(0o755)

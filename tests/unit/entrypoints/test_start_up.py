"""What commands import: that is what most of them spend their time with."""

import subprocess
import sys
from pathlib import Path

import pytest

from img.entrypoints.cli.app import COMMANDS, command_line

_SLOW = {
    "asyncio.base_events",
    "concurrent.futures.process",
    "dockerfile_parse",
    "http.client",
    "isal",
    "jsonschema",
    "multiprocessing",
    "oras",
    "pydantic",
    "requests",
    "rich",
    "ssl",
    "starlette",
    "structlog",
    "tarfile",
    "urllib.request",
    "zstandard",
}
_OF_BUILDS = {
    "img.application.planning",
    "img.application.solver",
    "img.domain.dockerfile.instructions",
    "img.domain.graph",
}
_OF_STEPS = {
    "img.adapters.executor.first_process",
    "img.adapters.executor.step_run",
    "img.adapters.git.program",
    "img.adapters.layer_archive.tar",
    "img.adapters.registry.oras",
    "img.adapters.secret_source.local",
    "img.adapters.web.requests",
}


def imported_by(tmp_path: Path, *arguments: str) -> set[str]:
    """Return the modules that are there when ``img`` with these arguments is done."""
    show = (
        "import sys; from img.entrypoints.cli.app import run; code = run(sys.argv[1:]); "
        "print(*sys.modules, sep='\\n'); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", show, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"IMG_STATE": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"},
    )
    return set(ended.stdout.splitlines())


@pytest.mark.parametrize("arguments", [("ls",), ("version",), ("tag", "--help")])
def test_small_commands_import_little(arguments: tuple[str, ...], tmp_path: Path) -> None:
    imported = imported_by(tmp_path, *arguments)

    assert not imported & _SLOW
    assert len(imported) < 400


def test_listing_images_imports_nothing_of_builds(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "ls")

    assert not [name for name in imported if name.startswith(tuple(_OF_BUILDS))]


def test_a_build_imports_what_its_steps_need(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nENV A=b\n")
    unneeded = (_SLOW - {"dockerfile_parse"}) | _OF_STEPS

    imported = imported_by(tmp_path, "build", "-q", "-t", "nothing", str(tmp_path))

    assert not imported & unneeded


def test_whoever_wants_asyncio_after_all_has_the_whole_of_it() -> None:
    use = (
        "import img.entrypoints.container, asyncio\n"
        "async def three(): await asyncio.sleep(0); return 3\n"
        "assert asyncio.run(three()) == 3\n"
        "assert asyncio.Future is asyncio.futures.Future\n"
        "from asyncio import *; from asyncio.subprocess import PIPE\n"
    )

    subprocess.run([sys.executable, "-c", use], check=True)


def test_the_table_of_commands_says_which_module_has_which() -> None:
    for names in COMMANDS.values():
        for name in names:
            app = command_line([name])
            assert {command.name for command in app.registered_commands} == names


@pytest.mark.parametrize("arguments", [[], ["--help"], ["build", "-h"], ["nonsense"]])
def test_whoever_asks_for_help_sees_all_commands(arguments: list[str]) -> None:
    everything = {name for names in COMMANDS.values() for name in names}

    assert {one.name for one in command_line(arguments).registered_commands} == everything

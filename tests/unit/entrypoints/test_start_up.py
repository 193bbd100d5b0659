"""Imports of commands, which most of their time is spent on."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from img.entrypoints.cli.app import COMMANDS, command_line

_SLOW = {
    "google.protobuf",
    "opentelemetry",
    "asyncio.base_events",
    "concurrent.futures.process",
    "cryptography",
    "dask",
    "distributed",
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

_OF_BAKE = ("img.domain.bake", "yaml")

# What most command lines have no use for; each takes milliseconds.
_SELDOM = {
    "img.adapters.executor.fork_server",
    "img.adapters.executor.launch",
    "img.adapters.progress_sink.frame",
    "img.domain.dockerfile.suggestion",
    "img.domain.go.path_match",
    "img.domain.go.template",
    "img.domain.image_view",
    "img.domain.options.foreign",
    "img.domain.url",
    "img.entrypoints.cli.arguments",
}


_OF_USERS = {"img.adapters.linux.outsider"}  # root has no process outside of its namespaces


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
    return set(ended.stdout.splitlines()) - _OF_USERS


def imported_anyway() -> set[str]:
    """Return the modules that an interpreter imports for itself, and for packages in links."""
    ended = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stdout.splitlines())


@pytest.mark.parametrize("arguments", [("ls",), ("version",), ("tag", "--help")])
def test_small_commands_import_little(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert not imported_by(tmp_path, *arguments) & _SLOW


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        (("--version",), 105),
        (("ls",), 201),
        (("build", "-q"), 482),
        (("build", "-q", "--provenance=true"), 503),
    ],
)
def test_commands_import_few_modules(arguments: tuple[str, ...], most: int, tmp_path: Path) -> None:
    """Check the number of all modules that a command adds to those of the interpreter."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nWORKDIR /a\nCOPY <<E /b\nhello\nE\n")
    line = (*arguments, "-t", "app", str(tmp_path)) if "build" in arguments else arguments
    imported_by(tmp_path, *line)

    assert len(imported_by(tmp_path, *line) - imported_anyway()) <= most


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("ls",), set()),
        (("ls", "--digests"), {"img.domain.options.foreign", "img.entrypoints.cli.arguments"}),
        (("version",), set()),
        (("--help",), {"img.entrypoints.cli.arguments"}),
        (("build", "--help"), {"img.domain.options.foreign", "img.entrypoints.cli.arguments"}),
    ],
)
def test_what_few_commands_need_is_imported_by_these(
    arguments: tuple[str, ...], needed: set[str], tmp_path: Path
) -> None:
    imported = imported_by(tmp_path, *arguments)

    seldom = {name for name in imported if name.startswith(tuple(_SELDOM))}
    assert seldom <= needed


def test_listing_images_imports_nothing_of_builds(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "ls")

    assert not [name for name in imported if name.startswith(tuple(_OF_BUILDS))]


def test_a_build_imports_what_its_steps_need(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nENV A=b\n")
    unneeded = (_SLOW - {"dockerfile_parse"}) | _OF_STEPS

    imported = imported_by(tmp_path, "build", "-q", "-t", "nothing", str(tmp_path))

    assert not imported & unneeded
    assert not [name for name in imported if name.startswith(_OF_BAKE)]


def ours(imported: set[str]) -> set[str]:
    return {name for name in imported if name.startswith("img.")}


@pytest.mark.parametrize(("arguments", "most"), [(("version",), 20), (("ls",), 100)])
def test_small_commands_import_few_modules_of_img(
    arguments: tuple[str, ...], most: int, tmp_path: Path
) -> None:
    """Check the number of imports: each takes a third of a millisecond."""
    assert len(ours(imported_by(tmp_path, *arguments))) <= most


def test_a_build_with_nothing_to_do_imports_nothing_that_does_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nWORKDIR /a\nCOPY <<E /b\nhello\nE\n")
    build = ("build", "-q", "-t", "app", str(tmp_path))
    unneeded = {
        "concurrent.futures",
        "decimal",
        "img.adapters.context_views",
        "img.adapters.image_layout",
        "img.adapters.snapshotter.naive",
        "img.adapters.snapshotter.overlay",
        "img.application.cache_export",
        "img.application.cache_import",
        "tempfile",
    }
    imported_by(tmp_path, *build)

    imported = imported_by(tmp_path, *build)

    assert not imported & (unneeded | _OF_STEPS)
    assert len(ours(imported)) <= 344


def test_whoever_wants_asyncio_after_all_has_the_whole_of_it() -> None:
    use = (
        "import img.entrypoints.wiring.root, asyncio\n"
        "async def three(): await asyncio.sleep(0); return 3\n"
        "assert asyncio.run(three()) == 3\n"
        "assert asyncio.Future is asyncio.futures.Future\n"
        "from asyncio import *; from asyncio.subprocess import PIPE\n"
    )

    subprocess.run([sys.executable, "-c", use], check=True)


def names_of(app: typer.Typer) -> set[str | None]:
    return {one.name for one in app.registered_commands} | {
        group.name for group in app.registered_groups
    }


def test_the_table_of_commands_says_which_module_has_which() -> None:
    for module, names in COMMANDS.items():
        for name in names:
            found = names_of(command_line([name]))
            assert found == ({name} if module == "docker_names" else names)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["build", "-h"], ["nonsense"]])
def test_whoever_asks_for_help_sees_all_commands(arguments: list[str]) -> None:
    everything = {name for names in COMMANDS.values() for name in names}

    assert names_of(command_line(arguments)) == everything


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["image", "ls"], "ls"),
        (["images"], "ls"),
        (["rmi"], "rm"),
        (["system", "df"], "du"),
        (["buildx", "build"], "build"),
        (["buildx", "du"], "du"),
    ],
)
def test_dockers_names_are_the_same_commands(words: list[str], command: str) -> None:
    def callback(words: list[str]) -> object:
        app = command_line(words)
        for group in app.registered_groups:
            if group.name == words[0]:
                assert group.typer_instance is not None
                app = group.typer_instance
        (found,) = [one for one in app.registered_commands if one.name == words[-1]]
        return found.callback

    assert callback(words) is callback([command])


def test_a_group_has_all_its_commands_where_none_is_named() -> None:
    (group,) = command_line(["image"]).registered_groups

    assert group.typer_instance is not None
    names = {one.name for one in group.typer_instance.registered_commands}
    assert {"ls", "rm", "prune", "inspect", "history", "tag", "push", "pull", "save"} <= names


@pytest.mark.parametrize("group", ["builder", "buildx", "image", "system"])
def test_a_group_that_is_only_listed_has_no_commands(group: str) -> None:
    def commands(words: list[str] | None) -> int:
        groups = {one.name: one for one in command_line(words).registered_groups}
        app = groups[group].typer_instance
        assert app is not None
        return len(app.registered_commands)

    assert commands(["--help"]) == commands([]) == 0
    assert commands(["--help", group]) == commands(None) > 0


def test_dockers_name_of_a_small_command_imports_little(tmp_path: Path) -> None:
    imported = imported_by(tmp_path, "image", "ls")

    assert not imported & _SLOW
    assert "img.entrypoints.cli.build" not in imported

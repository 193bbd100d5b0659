"""Every port has an adapters folder, a contract test and an in-memory adapter of its name."""

import ast
import importlib
import inspect
import re
from types import ModuleType
from typing import Protocol

import pytest

from tests.support.host.machine import REPOSITORY

NO_PORTS = {"__init__", "plugin"}  # plugin.py has the values that a plug-in is made of
PORTS = sorted(
    path.stem
    for path in (REPOSITORY / "application/ports").glob("*.py")
    if path.stem not in NO_PORTS
)
# In-memory adapters with another name than memory.py: their work is not to store something.
NAMED_BY_THEIR_WORK = {
    "clock": "fixed",
    "cluster": "scripted",
    "executor": "scripted",
    "progress_sink": "recorded",
    "vertex_workers": "threads",
}
# Protocols that have only in-memory adapters, or cannot have one.
WITHOUT_MEMORY = {
    "DockerfileParser": "turns bytes into values",
    "Exporter": "reads a BlobStore and writes to a stream",
    "Importer": "reads a stream and writes to a BlobStore",
    "LayerArchive": "reads and writes streams; where it makes files, their attributes are the test",
    "LayoutExporter": "its result is a directory; LayoutWriter is the port that works in memory",
    "BlobTrash": "DirectTrash of the application works with any BlobStore",
    "Cancellation": "threading.Event is one",
    "TaskWatch": "it is what a cluster tells its caller",
    "VertexWork": "it is what the solver asks for, not what it uses",
}

# Ports without a suite in img.testing: img has one adapter, which users cannot choose, and its
# format is what the test is about.
WITHOUT_SUITE = {
    "disk_image": "squashfs and SIF, as other programs read them; no package can add a format",
    "dockerfile_parser": "the language is BuildKit's; domain/dockerfile reads what it returns",
    "importer": "archives of docker, podman and OCI, as img.adapters.importer reads them",
    "layer_archive": "tar files and their bytes; recorded digests depend on them",
    "report_writer": "one page for people; what it shows in a browser is the test",
    "signing_identities": "certificates and logs of Sigstore; no package can add others",
    "signing_keys": "key files and signatures of cosign; no package can add a kind of key",
}


def is_protocol(value: object) -> bool:
    return inspect.isclass(value) and Protocol in value.__bases__


def protocols_of(port: str) -> dict[str, type]:
    """Return the protocols that a module of application/ports defines."""
    module = importlib.import_module(f"img.application.ports.{port}")
    return {
        name: value
        for name, value in vars(module).items()
        if is_protocol(value) and value.__module__ == module.__name__
    }


def in_memory(port: str) -> list[ModuleType]:
    """Return the modules with the in-memory adapters of a port."""
    folder = REPOSITORY / "adapters" / port
    first = NAMED_BY_THEIR_WORK.get(port, "memory")
    names = sorted(path.stem for path in folder.glob(f"{first}*.py"))
    return [importlib.import_module(f"img.adapters.{port}.{name}") for name in names]


def test_every_module_is_a_port() -> None:
    assert [port for port in PORTS if not protocols_of(port)] == []


@pytest.mark.parametrize("port", PORTS)
def test_a_port_has_a_folder_and_a_contract_test_of_its_name(port: str) -> None:
    assert (REPOSITORY / f"adapters/{port}/__init__.py").is_file()
    assert (REPOSITORY / f"tests/contracts/test_{port}.py").is_file()


@pytest.mark.parametrize("port", PORTS)
def test_each_protocol_of_a_port_has_an_in_memory_adapter(port: str) -> None:
    classes = [
        each
        for module in in_memory(port)
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__
    ]
    kept = {
        name
        for name, protocol in protocols_of(port).items()
        if any(protocol in each.__mro__ for each in classes)
    }

    assert set(protocols_of(port)) - kept <= set(WITHOUT_MEMORY)
    assert kept & set(WITHOUT_MEMORY) == set()


def test_the_in_memory_adapters_pass_contract_tests() -> None:
    texts = [path.read_text() for path in (REPOSITORY / "tests/contracts").glob("test_*.py")]
    modules = [module.__name__ for port in PORTS for module in in_memory(port)]

    assert [name for name in modules if not any(f"from {name} import" in t for t in texts)] == []


def test_every_port_has_a_contract_suite_or_a_reason() -> None:
    suites = {path.stem for path in (REPOSITORY / "testing").glob("*.py")}

    assert set(PORTS) - suites == set(WITHOUT_SUITE)


def test_every_contract_suite_is_run_by_a_contract_test() -> None:
    for path in sorted((REPOSITORY / "testing").glob("*.py")):
        tree = ast.parse(path.read_text())
        suites = [
            n.name for n in tree.body if isinstance(n, ast.ClassDef) and n.name.endswith("Contract")
        ]
        test = REPOSITORY / f"tests/contracts/test_{path.stem}.py"
        run = re.findall(r"^class Test\w+\((\w+)\):", test.read_text(), re.M) if suites else []
        assert set(run) == set(suites), path


def test_the_contract_suites_import_nothing_of_these_tests() -> None:
    for path in sorted((REPOSITORY / "testing").glob("*.py")):
        assert not re.search(r"^(from|import) tests\b", path.read_text(), re.M), path

"""Contract tests of sources of build contexts."""

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from img.adapters.build_context.local import LocalContexts
from img.adapters.build_context.memory_source import MemoryContexts
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.build_context import DOCKERFILES
from img.testing.context_source import INPUT, OUTSIDE, ContextSourceContract, Sources

PLAIN = {"Dockerfile": b"FROM scratch", "a": b"1", "b": b"2", ".dockerignore": b"b"}
OWN = {**PLAIN, "Dockerfile.dockerignore": b"a"}
UNUSUAL = {
    name: {each: f"FROM {each}".encode() for each in DOCKERFILES[number:]}
    for number, name in enumerate(DOCKERFILES)
}


class _Input:
    buffer = io.BytesIO(INPUT)


def on_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    def written(name: str, files: Mapping[str, bytes]) -> str:
        (root / name).mkdir()
        for path, content in files.items():
            (root / name / path).write_bytes(content)
        return str(root / name)

    (root / "Outside").write_bytes(OUTSIDE)
    stdin = _Input()
    stdin.buffer = io.BytesIO(INPUT)
    monkeypatch.setattr(sys, "stdin", stdin)
    source = LocalContexts(MemoryFileDigestStore(), TarLayerArchive(), MemoryScratchSpace())
    return Sources(
        source=source,
        plain=written("plain", PLAIN),
        own=written("own", OWN),
        outside=str(root / "Outside"),
        unusual={name: written(f"for-{name}", files) for name, files in UNUSUAL.items()},
    )


def in_memory(_root: Path, _monkeypatch: pytest.MonkeyPatch) -> Sources:
    unusual = {f"/for-{name}": files for name, files in UNUSUAL.items()}
    source = MemoryContexts(
        archive=TarLayerArchive(),
        scratch=MemoryScratchSpace(),
        directories={"/plain": PLAIN, "/own": OWN, **unusual},
        others={"/Outside": OUTSIDE},
        input=INPUT,
    )
    return Sources(
        source=source,
        plain="/plain",
        own="/own",
        outside="/Outside",
        unusual=dict(zip(UNUSUAL, unusual, strict=True)),
    )


@pytest.fixture(params=[on_disk, in_memory])
def found(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Sources:
    make: Callable[[Path, pytest.MonkeyPatch], Sources] = request.param
    return make(tmp_path, monkeypatch)


class TestContextSource(ContextSourceContract):
    pass

"""What every source of contexts on this machine promises."""

import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.build_context.local import LocalContexts
from img.adapters.build_context.memory_source import MemoryContexts
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.build_context import DOCKERFILES, ContextSource
from img.domain.errors import ContextError

PLAIN = {"Dockerfile": b"FROM scratch", "a": b"1", "b": b"2", ".dockerignore": b"b"}
OWN = {**PLAIN, "Dockerfile.dockerignore": b"a"}
OUTSIDE = b"FROM outside"
INPUT = b"FROM input"
UNUSUAL = {
    name: {each: f"FROM {each}".encode() for each in DOCKERFILES[number:]}
    for number, name in enumerate(DOCKERFILES)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """A source, where the directories are, and a Dockerfile outside of them."""

    source: ContextSource
    plain: str
    own: str
    outside: str
    unusual: Mapping[str, str]  # by the name of the Dockerfile that counts


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


def test_directories_are_told_from_other_places(found: Sources) -> None:
    assert found.source.is_directory(found.plain)
    assert not found.source.is_directory(found.outside)
    assert not found.source.is_directory("https://h/r.git")


def test_the_default_dockerfile_comes_with_the_contexts_ignore_file(found: Sources) -> None:
    text = found.source.dockerfile(found.plain, None)
    assert (text.name, text.content, text.ignore) == ("Dockerfile", b"FROM scratch", "b")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile_may_have_other_names(found: Sources, name: str) -> None:
    text = found.source.dockerfile(found.unusual[name], None)
    assert (text.name, text.content) == (name, f"FROM {name}".encode())


def test_an_ignore_file_beside_the_dockerfile_goes_first(found: Sources) -> None:
    assert found.source.dockerfile(found.own, None).ignore == "a"


def test_a_dockerfile_may_be_elsewhere_or_come_by_standard_input(found: Sources) -> None:
    assert found.source.dockerfile(found.plain, found.outside).content == OUTSIDE
    assert found.source.dockerfile(found.plain, "-").content == INPUT


def test_a_dockerfile_or_directory_that_is_not_there_is_named(found: Sources) -> None:
    with pytest.raises(ContextError, match="nope"):
        found.source.dockerfile(found.plain, "nope")
    with pytest.raises(ContextError, match="nope"):
        found.source.open("nope", ())
    with pytest.raises(ContextError, match="nope"):
        found.source.read("nope")


def test_a_directory_is_opened_without_what_is_ignored(found: Sources) -> None:
    context = found.source.open(found.plain, ("b",))
    assert context.tree().get("a") is not None
    assert context.tree().get("b") is None
    assert context.read_file("b") == b"2"


def test_what_is_no_archive_is_no_context(found: Sources) -> None:
    assert found.source.open_archive(io.BytesIO(b"FROM scratch\n")) is None


def test_standard_input_can_be_read(found: Sources) -> None:
    assert found.source.standard_input().read() == INPUT

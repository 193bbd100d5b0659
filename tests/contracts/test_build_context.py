"""Contract tests of build contexts."""

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from img.adapters.build_context.directory import DirectoryContext
from img.adapters.build_context.memory import MemoryContext
from img.adapters.build_context.tarball import TarContext
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.application.ports.build_context import BuildContext
from img.application.ports.file_digest_store import FileDigestStore, KnownFile
from img.application.solver.filtered_context import FilteredContext
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.filesystem.entry import SYMLINK, Entry
from img.testing.build_context import FILES, LINK, BuildContextContract


class NoDigests(FileDigestStore):
    def load(self, context: str) -> Iterator[tuple[str, KnownFile | None]]:
        yield from ()

    def save(
        self,
        context: str,
        known: Iterable[tuple[str, KnownFile]],
        gone: Iterable[str] = (),
    ) -> None:
        pass

    def forget(self, *, everything: bool = False) -> None:
        pass


def a_directory(root: Path) -> BuildContext:
    for path, content in {**FILES, "secret": b"s"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        (root / path).chmod(0o644)
    os.symlink("a.txt", root / LINK)
    return DirectoryContext(root, known=NoDigests(), ignore=IgnoreMatcher(["secret"]))


def in_memory(root: Path) -> BuildContext:
    link = Entry(LINK, SYMLINK, 0o777, link="a.txt")
    return MemoryContext(FILES, others=[link], excluded={"secret": b"s"})


def an_archive(root: Path) -> BuildContext:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, content in {**FILES, "secret": b"s"}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(LINK)
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        tar.addfile(link)
    archive.seek(0)
    context = TarContext.of(archive, TarLayerArchive(), MemoryScratchSpace())
    assert context is not None
    return FilteredContext(context, ("secret",))


@pytest.fixture(params=[a_directory, in_memory, an_archive])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> BuildContext:
    make: Callable[[Path], BuildContext] = request.param
    return make(tmp_path)


class TestBuildContext(BuildContextContract):
    pass

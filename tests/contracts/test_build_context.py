"""What every build context promises."""

import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
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
from img.domain.errors import ContextError
from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry

FILES = {"Dockerfile": b"FROM scratch", "src/a.txt": b"a", "src/deep/b": b"b" * 3000, "empty": b""}
LINK = "src/link"


class NoDigests(FileDigestStore):
    def load(self, context: str) -> Mapping[str, KnownFile]:
        return {}

    def save(self, context: str, known: Mapping[str, KnownFile], gone: Iterable[str] = ()) -> None:
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


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_tree_holds_all_files_with_roots_as_owner(context: BuildContext) -> None:
    tree = context.tree()
    assert {entry.path: entry.kind for entry in tree.walk("")} == {
        "": DIRECTORY,
        **dict.fromkeys(FILES, FILE),
        "src": DIRECTORY,
        "src/deep": DIRECTORY,
        LINK: SYMLINK,
    }
    assert {(entry.uid, entry.gid) for entry in tree.walk("")} == {(0, 0)}


def test_the_tree_tells_sizes_modes_and_where_links_lead(context: BuildContext) -> None:
    tree = context.tree()
    file, link = tree.get("src/deep/b"), tree.get(LINK)
    assert file is not None
    assert link is not None
    assert (file.size, file.mode, link.link) == (3000, 0o644, "a.txt")


def test_files_can_be_read(context: BuildContext) -> None:
    for path, content in FILES.items():
        with context.open(path) as stream:
            assert stream.read() == content


def test_what_is_no_file_cannot_be_opened(context: BuildContext) -> None:
    for path in ("nope", "src", LINK, "secret"):
        with pytest.raises(ContextError):
            context.open(path)


def test_digests_are_those_of_the_contents(context: BuildContext) -> None:
    assert context.read_digests(FILES) == {path: sha256(text) for path, text in FILES.items()}


def test_digests_may_be_remembered(context: BuildContext) -> None:
    context.remember(context.read_digests(FILES))
    assert context.tree().get("src/a.txt") is not None


def test_a_file_is_read_by_path_even_if_it_is_left_out(context: BuildContext) -> None:
    assert context.read_file("Dockerfile") == FILES["Dockerfile"]
    assert context.read_file("secret") == b"s"
    assert context.tree().get("secret") is None


def test_a_file_is_read_by_path_through_links(context: BuildContext) -> None:
    assert context.read_file(LINK) == b"a"


def test_no_file_reads_as_none(context: BuildContext) -> None:
    assert context.read_file("nope") is None
    assert context.read_file("src") is None
    assert context.read_file("empty/below") is None


def test_the_fingerprint_of_what_is_the_same_is_the_same(context: BuildContext) -> None:
    time.sleep(0.06)  # what was written just now has none
    assert context.fingerprint() == context.fingerprint()
    assert context.fingerprint() is not None

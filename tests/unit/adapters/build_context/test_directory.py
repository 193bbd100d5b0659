"""A directory as a build context."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from img.adapters.build_context.directory import DirectoryContext
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.file_digest_store import FileDigestStore, KnownFile
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError
from img.domain.filesystem.entry import FIFO, FILE, SOCKET, Entry
from img.domain.filesystem.tree import ClosedDirectory


class Digests(FileDigestStore):
    """A store that counts how often it is written to."""

    def __init__(self) -> None:
        self.known: dict[str, KnownFile] = {}
        self.saves = 0

    def load(self, context: str) -> Iterator[tuple[str, KnownFile | None]]:
        yield from [*self.known.items()]

    def save(
        self,
        context: str,
        known: Iterable[tuple[str, KnownFile]],
        gone: Iterable[str] = (),
    ) -> None:
        self.saves += 1
        self.known.update(known)
        for path in gone:
            del self.known[path]

    def forget(self, *, everything: bool = False) -> None:
        self.known.clear()


@pytest.fixture
def digests() -> Digests:
    return Digests()


def paths_of(context: DirectoryContext) -> list[str]:
    return [entry.path for entry in context.tree().walk("")][1:]


def let_clocks_tick() -> None:
    time.sleep(0.06)  # some ticks of the clock of the file system


def read_all(root: Path, digests: Digests) -> list[str]:
    """Build once; return which files had to be read."""
    context = DirectoryContext(root, known=digests)
    tree = context.tree()
    unknown = [e.path for e in tree.walk("") if e.kind == FILE and not e.digest]
    context.remember(context.read_digests(unknown).items())
    return unknown


def test_unchanged_files_are_read_once(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    let_clocks_tick()
    assert read_all(tmp_path, digests) == ["a", "b"]
    assert read_all(tmp_path, digests) == []
    assert digests.saves == 1


def test_a_changed_file_is_read_again(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    let_clocks_tick()
    read_all(tmp_path, digests)
    before = os.stat(tmp_path / "a")
    (tmp_path / "a").write_text("c")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))  # ctime betrays it
    assert read_all(tmp_path, digests) == ["a"]


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "b").write_text("b")
    assert "b" in read_all(tmp_path, digests)
    assert "b" not in digests.known


def test_a_change_changes_the_fingerprint(tmp_path: Path, digests: Digests) -> None:
    def fingerprint() -> str | None:
        let_clocks_tick()
        return DirectoryContext(tmp_path, known=digests).fingerprint()

    (tmp_path / "a").write_text("a")
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("a")
    seen = [fingerprint()]
    assert seen[0] is not None
    assert fingerprint() == seen[0]
    before = os.stat(tmp_path / "a")
    (tmp_path / "a").write_text("b")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    seen.append(fingerprint())
    (tmp_path / "a").chmod(0o600)
    seen.append(fingerprint())
    (tmp_path / "d").chmod(0o700)
    seen.append(fingerprint())
    (tmp_path / "a").rename(tmp_path / "b")
    seen.append(fingerprint())
    (tmp_path / "l").unlink()
    (tmp_path / "l").symlink_to("b")
    seen.append(fingerprint())
    assert len(set(seen)) == 6


def test_there_is_no_fingerprint_of_what_was_written_just_now(
    tmp_path: Path, digests: Digests
) -> None:
    (tmp_path / "a").write_text("a")
    assert DirectoryContext(tmp_path, known=digests).fingerprint() is None


def test_deleted_files_are_forgotten(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    let_clocks_tick()
    read_all(tmp_path, digests)
    (tmp_path / "a").unlink()
    (tmp_path / "b").write_text("b")
    let_clocks_tick()
    read_all(tmp_path, digests)
    assert set(digests.known) == {"b"}


def test_a_file_that_changes_before_it_is_read_is_told(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    context = DirectoryContext(tmp_path, known=digests)
    context.tree()
    (tmp_path / "a").write_text("longer")
    (tmp_path / "b").unlink()
    for path in ("a", "b"):
        with pytest.raises(ContextFileChanged, match=path):
            context.open(path)
        with pytest.raises(ContextFileChanged, match=path):
            context.read_digests([path])


def test_a_file_that_changes_after_it_was_read_is_read_again(
    tmp_path: Path, digests: Digests
) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    let_clocks_tick()
    context = DirectoryContext(tmp_path, known=digests)
    read = dict(context.read_digests(["a"]))
    with context.open("large") as content:
        read["large"] = hashlib.sha256(content.read()).hexdigest()
    (tmp_path / "a").write_text("b")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    context.remember(read.items())

    tree = DirectoryContext(tmp_path, known=digests).tree()
    assert {path: (tree.get(path) or Entry("", FILE)).digest for path in read} == {
        "a": "",
        "large": "",
    }
    assert "large" not in digests.known  # as it may have changed while it was read


def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/f").write_text("a")
    context = DirectoryContext(tmp_path, known=digests)
    context.tree()
    (tmp_path / "d").rename(tmp_path / "gone")
    (tmp_path / "d").symlink_to("other")
    with pytest.raises(ContextFileChanged):
        context.open("d/f")


@pytest.mark.parametrize("size", [3, 2 << 20])
def test_another_file_in_the_place_of_a_file_is_a_change(
    tmp_path: Path, digests: Digests, size: int
) -> None:
    def replaced_by(make: Callable[[Path], object]) -> None:
        file = tmp_path / "file"
        file.write_bytes(bytes(size))
        context = DirectoryContext(tmp_path, known=digests)
        context.tree()
        file.unlink()
        make(file)
        with pytest.raises(ContextFileChanged):
            context.open("file")
        with pytest.raises(ContextFileChanged):
            context.read_digests(["file"])
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)

    replaced_by(os.mkfifo)
    replaced_by(os.mkdir)
    replaced_by(lambda file: file.symlink_to("/etc/passwd"))
    replaced_by(lambda file: file.write_bytes(b"\1" * size))
    replaced_by(lambda file: file.write_bytes(b"\1" * (size + 1)))
    replaced_by(lambda _file: None)
    assert digests.known == {}


def test_many_files_are_hashed_by_several_threads(tmp_path: Path, digests: Digests) -> None:
    for number in range(1000):
        (tmp_path / f"{number}").write_text(f"{number}")
    context = DirectoryContext(tmp_path, known=digests)
    assert len(context.read_digests([str(number) for number in range(1000)])) == 1000


def test_hard_links_inside_the_context_are_one_file(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_text("c")
    tree = DirectoryContext(tmp_path, known=digests).tree()
    assert tree.inode("a") == tree.inode("b")
    assert tree.inode("a") is not None
    assert tree.inode("c") is None


def test_sockets_and_fifos_are_told_by_their_kind(
    tmp_path: Path, digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    os.mkfifo(tmp_path / "fifo", 0o600)
    monkeypatch.chdir(tmp_path)  # a socket's name has little room
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        tree = DirectoryContext(tmp_path, known=digests).tree()
    fifo = tree.get("fifo")
    assert fifo is not None
    assert (fifo.kind, fifo.mode) == (FIFO, 0o600)
    found = tree.get("socket")
    assert found is not None
    assert found.kind == SOCKET


def test_names_of_whiteouts_are_names(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / ".wh.x").write_text("")
    assert paths_of(DirectoryContext(tmp_path, known=digests)) == [".wh.x"]


def test_modes_and_mtimes_are_kept_to_the_last_bit(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o4751)
    os.utime(tmp_path / "a", ns=(0, 1234567890123456789))
    entry = DirectoryContext(tmp_path, known=digests).tree().get("a")
    assert entry is not None
    assert (entry.mode, entry.mtime) == (0o4751, 1234567890123456789)


def test_user_xattrs_are_kept(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").write_text("a")
    try:
        os.setxattr(tmp_path / "a", "user.b", b"2")
        os.setxattr(tmp_path / "a", "user.a", b"1")
    except OSError as error:
        pytest.skip(f"no user xattrs here: {error}")
    let_clocks_tick()
    for _ in range(2):  # the second time from the store
        entry = DirectoryContext(tmp_path, known=digests).tree().get("a")
        assert entry is not None
        assert entry.xattrs == (("user.a", b"1"), ("user.b", b"2"))
        read_all(tmp_path, digests)


def test_excluded_directories_are_not_looked_into(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "node_modules/x").mkdir(parents=True)
    (tmp_path / "a").write_text("")
    (tmp_path / "node_modules").chmod(0)  # would fail unless we are root
    ignore = IgnoreMatcher(["node_modules", "!src"])
    assert paths_of(DirectoryContext(tmp_path, known=digests, ignore=ignore)) == ["a"]
    (tmp_path / "node_modules").chmod(0o700)


def test_excluded_directories_come_with_what_is_let_in_again(
    tmp_path: Path, digests: Digests
) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/other").mkdir()
    (tmp_path / "d/e/f").write_text("")
    (tmp_path / "d/e/g").write_text("")
    (tmp_path / "d/other/f").write_text("")
    ignore = IgnoreMatcher(["d", "!d/e/f", "!d/other/nothing"])
    context = DirectoryContext(tmp_path, known=digests, ignore=ignore)
    assert paths_of(context) == ["d", "d/e", "d/e/f"]


def test_a_missing_context_is_named(tmp_path: Path, digests: Digests) -> None:
    with pytest.raises(ContextError, match='unable to prepare context: path "here/x" not found'):
        DirectoryContext(tmp_path / "x", known=digests, name="here/x")


def test_a_file_is_no_context(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ContextError, match="not a directory"):
        DirectoryContext(tmp_path / "f", known=digests)


@pytest.mark.plain_user
def test_an_unreadable_file_matters_only_when_it_is_read(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "f").write_text("")
    (tmp_path / "f").chmod(0)
    context = DirectoryContext(tmp_path, known=digests)
    assert context.tree().get("f") is not None
    with pytest.raises(ContextError, match="open f: permission denied"):
        context.open("f")


@pytest.mark.plain_user
def test_an_unreadable_directory_is_named_where_it_matters(
    tmp_path: Path, digests: Digests
) -> None:
    (tmp_path / "d").mkdir(mode=0)
    try:
        tree = DirectoryContext(tmp_path, known=digests).tree()
        with pytest.raises(ClosedDirectory, match="open d: permission denied"):
            tree.refuse_closed("d", below=True)
        excluded = DirectoryContext(tmp_path, known=digests, ignore=IgnoreMatcher(["d"]))
        assert paths_of(excluded) == []
    finally:
        (tmp_path / "d").chmod(0o700)


def test_a_named_file_is_found_through_links_but_never_outside(
    tmp_path: Path, digests: Digests
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("secret")
    (root / "inside").write_text("inside")
    (root / "up").symlink_to("../outside")
    (root / "absolute").symlink_to("/inside")
    (root / "loop").symlink_to("loop")
    context = DirectoryContext(root, known=digests)
    assert context.read_file("up") is None
    assert context.read_file("absolute") == b"inside"
    assert context.read_file("../../inside") == b"inside"
    with pytest.raises(ContextError):
        context.read_file("loop")


def test_names_that_are_no_text_are_kept(tmp_path: Path, digests: Digests) -> None:
    name = b"\xff"
    with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
        file.write(b"x")
    context = DirectoryContext(tmp_path, known=digests)
    (path,) = paths_of(context)
    assert os.fsencode(path) == name
    assert context.open(path).read() == b"x"

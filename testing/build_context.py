"""Contract suite of build contexts."""

import hashlib
import os
import time

import pytest

from img.application.ports.build_context import BuildContext
from img.domain.errors import ContextError
from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK

FILES = {"Dockerfile": b"FROM scratch", "src/a.txt": b"a", "src/deep/b": b"b" * 3000, "empty": b""}
LINK = "src/link"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class BuildContextContract:
    """Promises of every BuildContext.

    Fixtures: ``context``, with the regular files FILES (mode 0644), the symbolic link LINK to
    ``a.txt``, and a file ``secret`` (content ``s``) that .dockerignore excludes.
    """

    def test_the_tree_holds_all_files_with_roots_as_owner(self, context: BuildContext) -> None:
        tree = context.tree()
        assert {entry.path: entry.kind for entry in tree.walk("")} == {
            "": DIRECTORY,
            **dict.fromkeys(FILES, FILE),
            "src": DIRECTORY,
            "src/deep": DIRECTORY,
            LINK: SYMLINK,
        }
        assert {(entry.uid, entry.gid) for entry in tree.walk("")} == {(0, 0)}

    def test_the_tree_tells_sizes_modes_and_where_links_lead(self, context: BuildContext) -> None:
        tree = context.tree()
        file, link = tree.get("src/deep/b"), tree.get(LINK)
        assert file is not None
        assert link is not None
        assert (file.size, file.mode, link.link) == (3000, 0o644, "a.txt")

    def test_files_can_be_read(self, context: BuildContext) -> None:
        for path, content in FILES.items():
            with context.open(path) as stream:
                assert stream.read() == content

    def test_files_can_be_read_again_from_any_place(self, context: BuildContext) -> None:
        for path, content in FILES.items():
            with context.open(path) as stream:
                assert stream.seekable()
                assert stream.tell() == 0
                assert stream.read(1) == content[:1]
                assert stream.tell() == len(content[:1])
                assert stream.seek(0) == 0
                assert stream.read() == content
                assert stream.seek(-len(content), os.SEEK_END) == 0
                assert stream.seek(len(content[:1]), os.SEEK_CUR) == len(content[:1])
                assert stream.read() == content[1:]

    def test_what_is_no_file_cannot_be_opened(self, context: BuildContext) -> None:
        for path in ("nope", "src", LINK, "secret"):
            with pytest.raises(ContextError):
                context.open(path)

    def test_digests_are_those_of_the_contents(self, context: BuildContext) -> None:
        assert context.read_digests(FILES) == {path: sha256(text) for path, text in FILES.items()}

    def test_digests_may_be_remembered(self, context: BuildContext) -> None:
        context.remember(context.read_digests(FILES).items())
        assert context.tree().get("src/a.txt") is not None

    def test_a_file_is_read_by_path_even_if_it_is_left_out(self, context: BuildContext) -> None:
        assert context.read_file("Dockerfile") == FILES["Dockerfile"]
        assert context.read_file("secret") == b"s"
        assert context.tree().get("secret") is None

    def test_a_file_is_read_by_path_through_links(self, context: BuildContext) -> None:
        assert context.read_file(LINK) == b"a"

    def test_no_file_reads_as_none(self, context: BuildContext) -> None:
        assert context.read_file("nope") is None
        assert context.read_file("src") is None
        assert context.read_file("empty/below") is None

    def test_the_fingerprint_of_what_is_the_same_is_the_same(self, context: BuildContext) -> None:
        time.sleep(0.06)  # what was written just now has none
        assert context.fingerprint() == context.fingerprint()
        assert context.fingerprint() is not None

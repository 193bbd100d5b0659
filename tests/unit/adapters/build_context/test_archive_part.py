"""Directories of archives, as archives."""

import io
import tarfile

import pytest

from img.adapters.build_context.archive_part import copy_directory
from img.domain.errors import ContextError


def _archive(*members: tuple[str, bytes | str], mode: str = "w") -> io.BytesIO:
    """Return an archive: bytes are a file's content, a text is the target of a hard link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.LNKTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    made.seek(0)
    return made


def _part(archive: io.BytesIO, directory: str) -> dict[str, bytes | str]:
    target = io.BytesIO()
    copy_directory(archive, directory, target)
    target.seek(0)
    with tarfile.open(fileobj=target) as made:
        return {
            member.name: member.linkname
            if member.islnk()
            else (made.extractfile(member) or io.BytesIO()).read()
            for member in made
        }


@pytest.mark.parametrize("directory", ["a/b", "/a/b/", "./a/b", "a//b"])
@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_files_below_the_directory_are_moved_to_the_top(directory: str, prefix: str) -> None:
    archive = _archive(
        (f"{prefix}a/b/x", b"1"), (f"{prefix}a/b/c/y", b"2"), (f"{prefix}a/bc", b"3")
    )

    assert _part(archive, directory) == {"x": b"1", "c/y": b"2"}


def test_hard_links_lead_to_the_new_names() -> None:
    assert _part(_archive(("a/x", b"1"), ("a/y", "a/x"), mode="w:gz"), "a") == {"x": b"1", "y": "x"}


def test_long_names_are_written_anew() -> None:
    name = "n" * 150

    assert _part(_archive((f"a/{name}/{name}", b"1")), "a") == {f"{name}/{name}": b"1"}


def test_names_that_climb_out_stay_inside() -> None:
    assert _part(_archive(("a/../../b/x", b"1"), ("a/y", b"2")), "a") == {"y": b"2"}


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (_archive(("b/x", b"")), "the context has no directory a"),
        (_archive(("b/x", b"1"), ("a/b/x", b"2"), ("a/y", "b/x")), "a/y is a hard link to b/x"),
        (io.BytesIO(b"no archive at all"), "the context is no tar archive"),
        (io.BytesIO(_archive(("a/x", bytes(9000))).getvalue()[:2000]), "no tar archive"),
    ],
)
def test_bad_archives_are_refused(archive: io.BytesIO, message: str) -> None:
    with pytest.raises(ContextError) as refused:
        _part(archive, "a")

    assert message in refused.value.message

"""Owners that are written down. Symbolic links need a namespace's root: see test_emulation.py."""

import os
from pathlib import Path

import pytest

from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import OWNER, ROOT, Journal, Owner
from img.adapters.storage.ownership import REAL, RecordedOwnership, journal_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "root" / "file"
    path.parent.mkdir()
    path.touch()
    try:
        os.setxattr(path, "user.img.probe", b"")
    except OSError:
        pytest.skip("temporary files have no extended attributes here")
    os.removexattr(path, "user.img.probe")
    return path


def owner_of(path: Path, ownership: RecordedOwnership) -> Owner:
    return ownership.of(str(path), path.lstat(), os.listxattr(path, follow_symlinks=False))


def test_a_record_is_with_the_file_under_all_its_names(file: Path) -> None:
    ownership = RecordedOwnership()
    ownership.give(str(file), 1000, 1001)
    other = file.with_name("other")
    os.link(file, other)
    os.rename(file, file.with_name("renamed"))

    assert owner_of(other, ownership) == (1000, 1001)
    assert os.getxattr(other, OWNER) == b"1000:1001"


def test_what_is_roots_has_no_record(file: Path) -> None:
    ownership = RecordedOwnership()
    assert owner_of(file, ownership) == ROOT

    ownership.give(str(file), 1000, 1001)
    ownership.give(str(file), 0, 0)

    assert os.listxattr(file) == []
    assert owner_of(file, ownership) == ROOT


def test_descriptors_and_names_in_directories_are_as_good(file: Path) -> None:
    ownership = RecordedOwnership()
    with file.open() as opened:
        ownership.give(opened.fileno(), 5, 6)
    assert owner_of(file, ownership) == (5, 6)

    directory = os.open(file.parent, os.O_PATH)
    ownership.give(b"file", 7, 8, at=directory)
    os.close(directory)
    assert owner_of(file, ownership) == (7, 8)


@pytest.mark.parametrize("text", [b"", b"1", b"1:2:3", b"a:b", b"-1:2", b"99999999999:1"])
def test_what_a_step_wrote_is_no_record(file: Path, text: bytes) -> None:
    os.setxattr(file, OWNER, text)

    assert owner_of(file, RecordedOwnership()) == ROOT


def test_a_journal_remembers_what_files_cannot(file: Path) -> None:
    path = journal_of(str(file.parent))
    Journal(path).add(file.lstat(), Owner(1000, 1001))

    ownership = RecordedOwnership().within(str(file.parent))

    assert isinstance(ownership, RecordedOwnership)
    assert owner_of(file, ownership) == (1000, 1001)


def test_a_journal_forgets_files_that_became_roots(file: Path) -> None:
    path = journal_of(str(file.parent))
    journal = Journal(path)
    journal.add(file.lstat(), Owner(1000, 1001))
    journal.add(file.lstat(), ROOT)

    assert not Journal(path).owner_of(file.lstat()) or Journal(path).owner_of(file.lstat()) == ROOT


def test_a_journal_that_is_not_needed_is_no_file(file: Path) -> None:
    RecordedOwnership().within(str(file.parent)).give(str(file), 3, 4)

    assert not Path(journal_of(str(file.parent))).exists()


def test_real_owners_are_what_the_kernel_says(file: Path) -> None:
    owner_records.write(str(file), Owner(1000, 1001))
    status = file.lstat()

    assert REAL.of(str(file), status, [OWNER]) == (status.st_uid, status.st_gid)

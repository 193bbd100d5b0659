"""Contract suite of outputs: files and directories that a user asked for."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.application.ports.exporter import ArchiveNotWritten
from img.application.ports.output_files import OutputFiles, OutputNotWritten


class Broken(Exception):
    """An error that a test raises while it writes."""


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Outputs, an empty directory for them, and functions that show what is below it.

    ``files`` returns the contents of all regular files, by their paths below ``root``. ``printed``
    returns the bytes on standard output.
    """

    places: OutputFiles
    root: str
    files: Callable[[], dict[str, bytes]]
    printed: Callable[[], bytes]

    def write(self, path: str, content: bytes) -> None:
        """Write a file below ``root``."""
        with self.places.file(f"{self.root}/{path}") as file:
            file.write(content)

    def fill(self, path: str, files: dict[str, bytes], *, delete: bool = False) -> None:
        """Write a directory; "" is ``root`` itself."""
        place = f"{self.root}/{path}" if path else self.root
        with self.places.directory(place, delete=delete) as draft:
            for name, content in files.items():
                Path(draft, name).parent.mkdir(parents=True, exist_ok=True)
                Path(draft, name).write_bytes(content)


class OutputFilesContract:
    """Promises of every OutputFiles.

    Fixtures: ``outputs``, an Outputs.
    """

    def test_a_file_is_there_when_it_is_whole(self, outputs: Outputs) -> None:
        outputs.write("f", b"older")

        with outputs.places.file(f"{outputs.root}/f") as file:
            file.write(b"newer")
            assert outputs.files() == {"f": b"older"}

        assert outputs.files() == {"f": b"newer"}

    @pytest.mark.parametrize("error", [Broken(), KeyboardInterrupt()])
    def test_a_file_that_fails_leaves_nothing(self, outputs: Outputs, error: BaseException) -> None:
        with pytest.raises(type(error)), outputs.places.file(f"{outputs.root}/f") as file:
            file.write(b"half")
            raise error

        assert outputs.files() == {}

    def test_a_dash_is_standard_output_and_stays_open(self, outputs: Outputs) -> None:
        for content in (b"x", b"y"):
            with outputs.places.file("-") as file:
                file.write(content)

        assert outputs.printed() == b"xy"

    @pytest.mark.parametrize("path", ["missing/f", "directory", "f/in"])
    def test_a_place_that_takes_no_file_is_named(self, outputs: Outputs, path: str) -> None:
        outputs.fill("directory", {})
        outputs.write("f", b"there")

        with pytest.raises(OutputNotWritten, match=rf"^cannot write .*{path}: "):
            outputs.places.check_file(f"{outputs.root}/{path}")
        with pytest.raises(OutputNotWritten, match=rf"^cannot write .*{path}: "):
            outputs.write(path, b"x")
        assert outputs.files() == {"f": b"there"}

    def test_whether_a_file_has_a_place_is_known_before(self, outputs: Outputs) -> None:
        outputs.fill("directory", {})
        outputs.write("f", b"there")

        for path in ("new", "f", "directory/f"):
            outputs.places.check_file(f"{outputs.root}/{path}")
        outputs.places.check_file("-")

        assert outputs.files() == {"f": b"there"}

    @pytest.mark.parametrize("in_archive", [False, True])
    def test_a_disk_that_is_full_is_named(self, outputs: Outputs, in_archive: bool) -> None:
        with (
            pytest.raises(OutputNotWritten, match=f"^cannot write {outputs.root}/f: No space left"),
            outputs.places.file(f"{outputs.root}/f"),
        ):
            if in_archive:
                raise ArchiveNotWritten("cannot write the archive") from FULL
            raise FULL

        assert outputs.files() == {}

    def test_a_new_directory_is_there_when_it_is_whole(self, outputs: Outputs) -> None:
        with outputs.places.directory(f"{outputs.root}/new/deep") as draft:
            Path(draft, "f").write_bytes(b"1")
            assert "new/deep/f" not in outputs.files()

        assert outputs.files() == {"new/deep/f": b"1"}

    @pytest.mark.parametrize("path", ["there", "new"])
    def test_a_directory_that_fails_leaves_nothing(self, outputs: Outputs, path: str) -> None:
        outputs.fill("there", {"f": b"old"})

        with pytest.raises(Broken), outputs.places.directory(f"{outputs.root}/{path}") as draft:
            Path(draft, "f").write_bytes(b"new")
            raise Broken

        assert outputs.files() == {"there/f": b"old"}

    def test_a_directory_that_is_there_is_joined(self, outputs: Outputs) -> None:
        old = dict.fromkeys(("d/kept", "d/replaced", "d/directory/inside", "file"), b"old")
        outputs.fill("", old)

        new = ("d/replaced", "d/directory", "d/new", "file/now-a-directory")
        outputs.fill("", dict.fromkeys(new, b"new"))

        assert outputs.files() == {"d/kept": b"old", **dict.fromkeys(new, b"new")}

    @pytest.mark.parametrize("new", ["d/file/in", "d/directory"])
    def test_kinds_stay_if_wanted(self, outputs: Outputs, new: str) -> None:
        old = dict.fromkeys(("d/file", "d/directory/inside", "d/replaced"), b"old")
        outputs.fill("", old)

        with (
            pytest.raises(OutputNotWritten, match=f"^cannot write {outputs.root}: "),
            outputs.places.directory(outputs.root, same_kinds=True) as draft,
        ):
            Path(draft, new).parent.mkdir(parents=True)
            Path(draft, new).write_bytes(b"new")
            Path(draft, "d/replaced").write_bytes(b"new")
        assert outputs.files() == old

        with outputs.places.directory(outputs.root, same_kinds=True) as draft:
            Path(draft, "d").mkdir()
            Path(draft, "d/replaced").write_bytes(b"new")
        assert outputs.files() == {**old, "d/replaced": b"new"}

    def test_with_delete_nothing_else_stays(self, outputs: Outputs) -> None:
        outputs.fill("out", dict.fromkeys(("d/old", "gone/deep/f", "d/both"), b"old"))
        outputs.fill("out-of-it", {"f": b"old"})

        outputs.fill("out", {"d/both": b"new"}, delete=True)

        assert outputs.files() == {"out/d/both": b"new", "out-of-it/f": b"old"}

    @pytest.mark.parametrize("path", ["f", "f/in"])
    def test_a_place_that_takes_no_directory_is_named(self, outputs: Outputs, path: str) -> None:
        outputs.write("f", b"there")

        with pytest.raises(OutputNotWritten, match=rf"^cannot write .*{path}: "):
            outputs.places.check_directory(f"{outputs.root}/{path}")
        with pytest.raises(OutputNotWritten, match=rf"^cannot write .*{path}: "):
            outputs.fill(path, {"x": b"1"})

        assert outputs.files() == {"f": b"there"}

    def test_whether_a_directory_has_a_place_is_known_before(self, outputs: Outputs) -> None:
        for path in (outputs.root, f"{outputs.root}/new/deep"):
            outputs.places.check_directory(path)

        assert outputs.files() == {}

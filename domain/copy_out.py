"""``img cp``: what is copied out of a root file system, and to where, as in ``docker cp``."""

from typing import Literal

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.filesystem import paths
from img.domain.filesystem.file_index import WHITEOUT_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """``BUILD:STEP:/path`` or ``IMAGE:/path``.

    ``owner`` is the text before the path; it is empty for ``:/path`` only, which is refused.
    """

    owner: str
    path: str  # absolute, as typed

    @classmethod
    def parse(cls, text: str) -> "CopySource":
        """Return the source. Raises UsageError."""
        place = text.find(":/")
        if place <= 0:
            raise UsageError(
                f"{text} names no file of a step or image",
                hint="such as :3:/etc/passwd for step 3 of the latest build, or IMAGE:/etc/passwd",
            )
        return cls(owner=text[:place], path=text[place + 1 :])

    @property
    def name(self) -> str:
        """The last component of the path, "" for the root directory."""
        return paths.name(paths.clean(self.path))

    @property
    def contents_only(self) -> bool:
        """True if the content of a directory is meant, not the directory: ``/dir/.``."""
        return self.path.endswith("/.") or not self.name

    @property
    def has_to_be_directory(self) -> bool:
        """True if the path fits a directory only, so that a link at its end is followed."""
        return self.path.endswith(("/", "/.", "/.."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A place on this machine."""

    path: str  # absolute, without links
    kind: Literal["directory", "file", "missing"]
    has_to_be_directory: bool = False  # it was typed with a "/" at the end


@dataclass(frozen=True, slots=True)
class Placing:
    """The directory for the copy, and the name of the copy in it; "": its content goes there."""

    directory: str
    name: str


def placing_of(source: CopySource, destination: Destination, *, is_directory: bool) -> Placing:
    """Return the place for the copy of ``source``.

    Into a directory that exists; any other destination is the name of the copy. Raises UsageError.
    """
    if destination.kind == "directory":
        contents = is_directory and source.contents_only
        return Placing(destination.path, "" if contents else source.name)
    if destination.kind == "file" and (is_directory or destination.has_to_be_directory):
        raise UsageError(f"{destination.path} is not a directory")
    if destination.has_to_be_directory and not is_directory:
        raise UsageError(f"there is no directory {destination.path}", hint="create it first")
    directory, _, name = destination.path.rpartition("/")
    if name.startswith(WHITEOUT_PREFIX):  # write_files would delete a file instead
        raise UsageError(f"{name} is no name for a copy", hint="layers mark deleted files with it")
    return Placing(directory or "/", name)

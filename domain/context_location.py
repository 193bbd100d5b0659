"""Locations of build contexts."""

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem import paths
from img.domain.git_reference import GitReference, NotGit

_LAYOUT = "oci-layout://"
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A directory of this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class InputPlace:
    """Standard input."""


@dataclass(frozen=True, slots=True)
class GitPlace:
    """A git repository."""

    reference: GitReference


@dataclass(frozen=True, slots=True)
class WebPlace:
    """A file on a web server; with ``subdir``, a directory of the archive that it is."""

    url: str
    subdir: str = ""  # clean


Place = LocalPlace | InputPlace | GitPlace | WebPlace


def place_of(location: str, *, is_directory: bool) -> Place:
    """Return the kind of ``location``; an existing directory of that name has precedence.

    The directory of an archive is written as that of a repository: ``URL#:directory``.
    Raises BadGitReference.
    """
    if location == STANDARD_INPUT:
        return InputPlace()
    if is_directory:
        return LocalPlace(location)
    try:
        return GitPlace(GitReference.parse(location))
    except NotGit:
        return _web_place(location) if is_web(location) else LocalPlace(location)


def _web_place(location: str) -> WebPlace:
    url, mark, directory = location.partition("#:")
    return WebPlace(url, paths.clean(directory)) if mark and "#" not in url else WebPlace(location)


def is_web(location: str) -> bool:
    """Return whether ``location`` is an http(s) URL."""
    return location.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlace:
    """An image in an OCI layout directory: ``oci-layout://path[:tag][@digest]``."""

    path: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> "LayoutPlace | None":
        """Return the layout ``text`` names, None for another location. Raises InvalidDigest."""
        if not text.startswith(_LAYOUT):
            return None
        rest, _, digest = text.removeprefix(_LAYOUT).partition("@")
        path, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            path, tag = rest, ""
        return cls(path=path, tag=tag, digest=Digest.parse(digest) if digest else None)

    def __str__(self) -> str:
        """Return the place as commands take it: ``oci:path[:tag][@digest]``."""
        return f"oci:{self.path}{self._suffix}"

    @property
    def name(self) -> str:
        """The last part of the path, "layout" if it has none."""
        return self.path.rstrip("/").rpartition("/")[2] or "layout"

    @property
    def without_directory(self) -> str:
        """The text of the place with its name instead of its path."""
        return f"{_LAYOUT}{self.name}{self._suffix}"

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return tag + (f"@{self.digest}" if self.digest else "")

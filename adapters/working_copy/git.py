"""Working copies of git, read without their own configuration."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from img.adapters.linux.regular_files import open_regular
from img.application.ports.working_copy import WorkingCopies, WorkingCopy
from img.domain.dataclass import dataclass

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST = 64 << 20  # bytes of packed-refs and of the index
_LONGEST_S = 30
_MOST_LINKS = 5  # of HEAD
_SECTION = re.compile(r'\s*\[remote "([^"\\]+)"\]')
_URL = re.compile(r"\s*url\s*=\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class GitWorkingCopies(WorkingCopies):
    """Working copies that the program git compares with their commits.

    The configuration of a repository can name programs, such as filters, hooks and monitors. So git
    gets another, empty repository, which only has the commit, the index and the objects of the
    first one.
    """

    environment: Mapping[str, str]

    def find(self, directory: str) -> WorkingCopy | None:
        place = os.path.realpath(directory)
        top = next((each for each in _parents(place) if os.path.lexists(f"{each}/.git")), None)
        if top is None:
            return None
        try:
            repository = _Repository.at(top)
            revision = repository.revision()
            if revision is None:
                return None
            changed = self._is_changed(repository, top, revision)
        except (OSError, ValueError):
            return None
        return WorkingCopy(
            revision=revision,
            is_changed=changed,
            remote=repository.remote(),
            directory=os.path.relpath(place, top),
            top=top,
        )

    def _is_changed(self, repository: "_Repository", top: str, revision: str) -> bool:
        """Return whether git finds a difference. Raises OSError, ValueError."""
        import subprocess
        import tempfile  # only now: it is slow to import, and few contexts are working copies

        with tempfile.TemporaryDirectory(prefix="img-git-") as directory:
            own = _copy_of(repository, Path(directory), revision)
            words = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
            words += ["--no-optional-locks", f"--git-dir={own}", f"--work-tree={top}"]
            words += ["status", "--porcelain", "--ignore-submodules=all", "--no-renames"]
            try:
                ended = subprocess.run(
                    ["git", *words],
                    cwd=top,
                    env=self._environment(directory),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_LONGEST_S,
                    check=True,
                )
            except subprocess.SubprocessError as error:
                raise ValueError(str(error)) from None
        return bool(ended.stdout)

    def _environment(self, home: str) -> dict[str, str]:
        return {
            "PATH": self.environment.get("PATH", os.defpath),
            "HOME": home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            # Objects that a partial clone lacks are not fetched.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
        }


def _copy_of(repository: "_Repository", directory: Path, revision: str) -> Path:
    own = directory / "git"
    for name in ("objects/info", "refs", "info"):
        (own / name).mkdir(parents=True)
    is_sha256 = len(revision) == 64
    (own / "config").write_text(
        "[core]\n\trepositoryformatversion = "
        + ("1\n[extensions]\n\tobjectformat = sha256\n" if is_sha256 else "0\n")
    )
    (own / "HEAD").write_text(f"{revision}\n")
    objects = os.path.join(repository.common, "objects")
    if "\n" in objects:
        raise ValueError(objects)
    (own / "objects/info/alternates").write_text(f"{objects}\n")
    for name, source in (("index", repository.own), ("info/exclude", repository.common)):
        try:
            (own / name).write_bytes(_read(os.path.join(source, name)))
        except FileNotFoundError:
            continue
    return own


@dataclass(frozen=True, slots=True)
class _Repository:
    """The directory of a working copy's own files, and that of all files of the repository."""

    own: str
    common: str

    @classmethod
    def at(cls, top: str) -> "_Repository":
        """Return the repository of the working copy. Raises OSError, ValueError."""
        own = f"{top}/.git"
        if not os.path.isdir(own):
            text = _text(own)
            if not text.startswith("gitdir: "):
                raise ValueError(own)
            own = os.path.join(top, text.removeprefix("gitdir: ").strip())
        try:
            common = os.path.join(own, _text(f"{own}/commondir").strip())
        except FileNotFoundError:
            common = own
        return cls(own, common)

    def revision(self) -> str | None:
        """Return the commit of HEAD, None before the first one. Raises OSError, ValueError."""
        text = _text(f"{self.own}/HEAD").strip()
        for _ in range(_MOST_LINKS):
            if not text.startswith("ref: "):
                return text if _COMMIT.fullmatch(text) else None
            name = text.removeprefix("ref: ").strip()
            if not name.startswith("refs/") or ".." in name or "\0" in name:
                return None
            text = self._ref(name) or ""
        return None

    def _ref(self, name: str) -> str | None:
        for place in (self.own, self.common):
            try:
                return _text(f"{place}/{name}").strip()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
        try:
            lines = _text(f"{self.common}/packed-refs").splitlines()
        except FileNotFoundError:
            return None
        return next((line.partition(" ")[0] for line in lines if line.endswith(f" {name}")), None)

    def remote(self) -> str:
        """Return the URL of origin, else of the first remote, "" without one."""
        try:
            urls = dict(_remotes(_text(f"{self.common}/config")))
        except OSError:
            return ""
        return urls.get("origin") or next(iter(urls.values()), "")


def _remotes(config: str) -> Iterator[tuple[str, str]]:
    name = ""
    for line in config.splitlines():
        if line.lstrip().startswith("["):
            found = _SECTION.match(line)
            name = found[1] if found else ""
        elif name and (url := _URL.fullmatch(line)):
            yield name, url[1]


def _parents(place: str) -> Iterator[str]:
    while True:
        yield place
        above = os.path.dirname(place)
        if above == place:
            return
        place = above


def _text(path: str) -> str:
    return _read(path).decode("utf-8", "surrogateescape")


def _read(path: str) -> bytes:
    """Return a regular file of limited size. Raises OSError, ValueError."""
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise ValueError(path)
    return content

"""The file ``img.lock``: what names of the network stood for (docs/lock.md)."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.errors import UsageError
from img.domain.git_commit import GitCommit, InvalidCommit

VERSION = 1
_HEADER = "# Written by `img lock`. Commit this file; `img build --locked` uses it.\n"
_SECTIONS = ("images", "urls", "git")


class BadLock(UsageError):
    """A lock file with an error."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the lock file is invalid: {reason}", hint="`img lock` writes another")


class NotLocked(UsageError):
    """A name that is not in the lock file."""

    def __init__(self, what: str, command: str = "img lock") -> None:
        super().__init__(f"{what} is not in the lock file", hint=f"`{command}` adds it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Digests of images by name and platform, checksums by URL, commits by ``REMOTE#REF``."""

    images: Mapping[tuple[str, str], Digest] = field(default_factory=dict, hash=False)
    urls: Mapping[str, Digest] = field(default_factory=dict, hash=False)
    commits: Mapping[str, GitCommit] = field(default_factory=dict, hash=False)

    def __or__(self, other: "Lock") -> "Lock":
        """Return a lock with the entries of both; those of ``other`` have precedence."""
        return Lock(
            images={**self.images, **other.images},
            urls={**self.urls, **other.urls},
            commits={**self.commits, **other.commits},
        )

    @classmethod
    def parse(cls, content: bytes) -> "Lock":
        """Return the lock that ``render`` wrote. Raises BadLock."""
        try:
            document = tomllib.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise BadLock(str(error)) from None
        version = document.pop("version", None)
        if version != VERSION:
            raise BadLock(f"version {version!r}, where this img reads {VERSION}")
        if unknown := sorted(document.keys() - set(_SECTIONS)):
            raise BadLock(f"unknown section {unknown[0]!r}")
        images, urls, git = (_table(document.get(name, {}), name) for name in _SECTIONS)
        return cls(
            images={
                (name, platform): _digest(digest, name)
                for name, platforms in images.items()
                for platform, digest in _table(platforms, name).items()
            },
            urls={url: _digest(checksum, url) for url, checksum in urls.items()},
            commits={name: _commit(commit, name) for name, commit in git.items()},
        )

    def render(self) -> str:
        """Return the text of the file: sorted, one entry per line, the same for equal locks."""
        lines = [_HEADER, f"version = {VERSION}\n"]
        for name in sorted({name for name, _ in self.images}):
            lines.append(f"\n[images.{_quoted(name)}]\n")
            lines += [
                f"{_quoted(platform)} = {_quoted(str(digest))}\n"
                for (named, platform), digest in sorted(self.images.items())
                if named == name
            ]
        for section, entries in (("urls", self.urls), ("git", self.commits)):
            if entries:
                lines.append(f"\n[{section}]\n")
                lines += [
                    f"{_quoted(name)} = {_quoted(str(value))}\n"
                    for name, value in sorted(entries.items())
                ]
        return "".join(lines)

    def differences(self, other: "Lock") -> Iterator[str]:
        """Yield a line for each entry that ``other`` adds (+), lacks (-) or changes, sorted."""
        ours, theirs = self._entries(), other._entries()
        for name in sorted({*ours, *theirs}):
            before, after = ours.get(name), theirs.get(name)
            if before is None:
                yield f"+ {name}: {after}"
            elif after is None:
                yield f"- {name}: {before}"
            elif before != after:
                yield f"{name}: {before} → {after}"

    def _entries(self) -> dict[str, str]:
        images = {f"{name} for {on}": str(digest) for (name, on), digest in self.images.items()}
        urls = {url: str(checksum) for url, checksum in self.urls.items()}
        commits = {name: str(commit) for name, commit in self.commits.items()}
        return {**images, **urls, **commits}


def _table(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadLock(f"{name} is no table")
    return value


def _digest(value: object, name: str) -> Digest:
    try:
        return Digest.parse(str(value))
    except InvalidDigest:
        raise BadLock(f"{value!r} of {name} is no digest") from None


def _commit(value: object, name: str) -> GitCommit:
    try:
        return GitCommit.parse(str(value))
    except InvalidCommit:
        raise BadLock(f"{value!r} of {name} is no commit") from None


def _quoted(text: str) -> str:
    """Return ``text`` as a basic string of TOML."""
    escaped = "".join(
        f"\\{each}" if each in '"\\' else each if " " <= each != "\x7f" else f"\\u{ord(each):04x}"
        for each in text
    )
    return f'"{escaped}"'

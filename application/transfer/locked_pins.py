"""Entries of a lock file as the meanings of names, and notes for a new lock file."""

from collections.abc import Callable
from dataclasses import field
from threading import Lock as Mutex

from img.application.transfer.pins import NoPins, Pins
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.git_commit import GitCommit
from img.domain.lock import Lock, NotLocked
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.url import redact_credentials


@dataclass(frozen=True, slots=True)
class LockedPins(NoPins):
    """The entries of a lock file, and nothing else."""

    lock: Lock
    command: str = "img lock"  # that adds names

    def image(self, name: ImageReference, platform: Platform) -> Digest | None:
        digest = self.lock.images.get((str(name), str(platform)))
        if digest is None:
            raise NotLocked(f"{name} for {platform}", self.command)
        return digest

    def url(self, url: str) -> Digest | None:
        checksum = self.lock.urls.get(redact_credentials(url))
        if checksum is None:
            raise NotLocked(redact_credentials(url), self.command)
        return checksum

    def commit(self, remote: str, ref: str) -> GitCommit | None:
        name = git_name(remote, ref)
        commit = self.lock.commits.get(name)
        if commit is None:
            raise NotLocked(name, self.command)
        return commit


@dataclass(slots=True)
class RecordingPins(Pins):
    """Entries of a lock file as far as ``keeps`` accepts their names, and notes of all answers."""

    lock: Lock = field(default_factory=Lock)
    keeps: Callable[[str], bool] = lambda _name: True
    _images: dict[tuple[str, str], Digest] = field(default_factory=dict)
    _urls: dict[str, Digest] = field(default_factory=dict)
    _commits: dict[str, GitCommit] = field(default_factory=dict)
    _mutex: Mutex = field(default_factory=Mutex)

    @property
    def noted(self) -> Lock:
        """The lock of all that was used so far."""
        with self._mutex:
            return Lock(
                images=dict(self._images), urls=dict(self._urls), commits=dict(self._commits)
            )

    def image(self, name: ImageReference, platform: Platform) -> Digest | None:
        return self.lock.images.get((str(name), str(platform))) if self.keeps(str(name)) else None

    def url(self, url: str) -> Digest | None:
        name = redact_credentials(url)
        return self.lock.urls.get(name) if self.keeps(name) else None

    def commit(self, remote: str, ref: str) -> GitCommit | None:
        name = git_name(remote, ref)
        return self.lock.commits.get(name) if self.keeps(name) else None

    def note_image(self, name: ImageReference, platform: Platform, manifest: Digest) -> None:
        with self._mutex:
            self._images[str(name), str(platform)] = manifest

    def note_url(self, url: str, checksum: Digest) -> None:
        with self._mutex:
            self._urls[redact_credentials(url)] = checksum

    def note_commit(self, remote: str, ref: str, commit: GitCommit) -> None:
        with self._mutex:
            self._commits[git_name(remote, ref)] = commit


def git_name(remote: str, ref: str) -> str:
    """Return the name of a ref in a lock file."""
    return redact_credentials(remote) + (f"#{ref}" if ref else "")

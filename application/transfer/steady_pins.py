"""Names that mean the same during a whole command."""

from dataclasses import field
from threading import Lock as Mutex

from img.application.transfer.pins import NoPins, Pins
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.git_commit import GitCommit
from img.domain.platform import Platform
from img.domain.reference import ImageReference


@dataclass(slots=True)
class SteadyPins(Pins):
    """Other pins, and the first answer of each server and repository as the only one.

    A definition and its contexts are then from one commit, and the server is asked once.
    """

    pins: Pins = field(default_factory=NoPins)
    _urls: dict[str, Digest] = field(default_factory=dict)
    _commits: dict[tuple[str, str], GitCommit] = field(default_factory=dict)
    _mutex: Mutex = field(default_factory=Mutex)

    def image(self, name: ImageReference, platform: Platform) -> Digest | None:
        return self.pins.image(name, platform)

    def url(self, url: str) -> Digest | None:
        with self._mutex:
            known = self._urls.get(url)
        return known or self.pins.url(url)

    def commit(self, remote: str, ref: str) -> GitCommit | None:
        with self._mutex:
            known = self._commits.get((remote, ref))
        return known or self.pins.commit(remote, ref)

    def note_image(self, name: ImageReference, platform: Platform, manifest: Digest) -> None:
        self.pins.note_image(name, platform, manifest)

    def note_url(self, url: str, checksum: Digest) -> None:
        with self._mutex:
            self._urls.setdefault(url, checksum)
        self.pins.note_url(url, checksum)

    def note_commit(self, remote: str, ref: str, commit: GitCommit) -> None:
        with self._mutex:
            self._commits.setdefault((remote, ref), commit)
        self.pins.note_commit(remote, ref, commit)

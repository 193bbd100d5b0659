"""Local tar archives among the files of an ADD."""

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import BinaryIO

from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.sources import Source, Spool
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError
from img.domain.filesystem.entry import FILE, SOCKET, Entry


class BadArchive(BuildError):
    """A damaged archive among the files of an ADD."""

    def __init__(self, path: str, error: InvalidLayer) -> None:
        super().__init__(f"cannot unpack /{path}: {error.message}", hint=error.hint)


@dataclass(slots=True, kw_only=True)
class Archives:
    """Entries and contents of archives, read in one pass over each."""

    archive: LayerArchive
    scratch: ScratchSpace
    members: dict[str, Sequence[Entry]] = field(default_factory=dict)
    _spools: dict[str, Spool] = field(default_factory=dict)

    def look_into(self, source: Source, paths: Iterable[str]) -> None:
        """Read those of the files ``paths`` that are archives. Raises BadArchive."""
        tree = source.tree()
        for path in paths:
            entry = tree.get(path)
            if entry is not None and entry.kind == FILE and entry.size:
                try:
                    with source.contents([path])(path) as content:
                        self._list(path, content)
                except InvalidLayer as error:
                    raise BadArchive(path, error) from None

    def _list(self, path: str, content: BinaryIO) -> None:
        found = self.archive.foreign(content)
        if found is None:
            return
        spool = Spool(self.scratch.new())
        members: list[Entry] = []
        for number, (entry, data) in enumerate(found):
            if entry.kind == SOCKET:
                continue
            if entry.kind == FILE and entry.size:
                spool.add(number, data)
            members.append(entry._replace(offset=number))  # an archive may have a path twice
        self.members[path] = members
        self._spools[path] = spool

    def open(self, path: str, member: Entry) -> BinaryIO:
        """Return the content of ``member``, one of the files in the archive ``path``."""
        return self._spools[path].open(member.offset, member.size)

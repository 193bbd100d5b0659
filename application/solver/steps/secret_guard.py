"""Search for secrets in what a RUN leaves behind (``--secret-guard``)."""

import io
from collections.abc import Mapping
from typing import BinaryIO

from img.application.log import logger
from img.application.ports.layer_archive import PackedEntry
from img.application.solver.masking import MASK
from img.domain.errors import BuildError
from img.domain.secret_forms import SHORTEST, forms_of

log = logger("secret guard")


class SecretLeaked(BuildError):
    """A file of a step's layer has the value of a secret."""

    def __init__(self, secret: str, path: str, form: str) -> None:
        super().__init__(
            f'secret "{secret}" is in /{path} ({form}), and would become part of the image',
            hint="delete the file in the same RUN, or write it to a mount",
        )
        self.secret = secret
        self.path = path


class SecretGuard:
    """A check of entries: their names, links and attributes at once, files while they are read."""

    def __init__(self, secrets: Mapping[str, bytes], *, warns: bool = True) -> None:
        self._forms: dict[bytes, tuple[str, str]] = {}
        for name, value in secrets.items():
            forms = forms_of(value)
            if not forms and warns:
                log.warning(f'secret "{name}" is shorter than {SHORTEST} bytes: not searched for')
            for text, form in forms.items():
                self._forms.setdefault(text, (name, form))
        self._longest = max(map(len, self._forms), default=0)

    def checked(self, packed: PackedEntry) -> PackedEntry:
        """Return the entry with a content that is searched. Raises SecretLeaked."""
        if not self._forms:
            return packed
        entry, opened = packed
        attributes = (value for _, value in entry.xattrs)
        for text in (
            entry.path.encode("utf-8", "surrogateescape"),
            entry.link.encode("utf-8", "surrogateescape"),
            *attributes,
        ):
            self.search(text, entry.path)
        if opened is None:
            return packed
        return PackedEntry(entry=entry, open=lambda: _Searched(opened(), self, entry.path))

    @property
    def overlap(self) -> int:
        """The number of bytes of a chunk that the next one is searched with."""
        return max(self._longest - 1, 0)

    def search(self, data: bytes, path: str) -> None:
        """Raise SecretLeaked if the data has a secret."""
        for text, (name, form) in self._forms.items():
            if text in data:
                raise SecretLeaked(name, self._masked(path), form)

    def _masked(self, path: str) -> str:
        """Return a path for messages: it may have the value of a secret itself."""
        data = path.encode("utf-8", "surrogateescape")
        for text in sorted(self._forms, key=len, reverse=True):
            data = data.replace(text, MASK)
        return data.decode("utf-8", "surrogateescape")


class _Searched(io.RawIOBase, BinaryIO):
    """A file that is searched while it is read."""

    def __init__(self, content: BinaryIO, guard: SecretGuard, path: str) -> None:
        self._content = content
        self._guard = guard
        self._path = path
        self._end = b""

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        window = self._end + data
        self._guard.search(window, self._path)
        self._end = window[-self._guard.overlap :] if self._guard.overlap else b""
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._content.close()
        super().close()

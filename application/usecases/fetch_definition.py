"""Bake definitions in repositories, in archives and on web servers."""

from collections.abc import Mapping, Sequence

from img.application.ports.state_lock import StateLock
from img.application.solver.contexts import Contexts
from img.domain.bake.definition.remote import LARGEST_PAGE
from img.domain.bake.errors import BakeError
from img.domain.dataclass import dataclass
from img.domain.url import redact_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchDefinition:
    """``img bake URL``: the files of a remote definition."""

    contexts: Contexts
    lock: StateLock

    def __call__(self, url: str, names: Sequence[str]) -> bytes | Mapping[str, bytes]:
        """Return those of ``names`` that the repository or archive at ``url`` has.

        A single file is its content. Raises BakeError, RemoteError, ContextError, NotLocked.
        """
        with self.lock.working():
            found = self.contexts.file_or_files(url, names)
        if isinstance(found, bytes) and len(found) > LARGEST_PAGE:
            raise BakeError(
                f"{redact_credentials(url)}: non-archive definition URL bigger than maximum "
                f"allowed size ({LARGEST_PAGE >> 20}MB)"
            )
        return found

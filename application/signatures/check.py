"""Checks of signatures."""

from collections.abc import Iterator, Sequence

from img.application.signatures.find import FindSignatures
from img.domain.dataclass import dataclass
from img.domain.reference import ImageReference
from img.domain.signing.candidate import Asked, Candidate, Holds, NotTrusted, verified

_HINT = "`img sign` makes one; to verify another one, name its key or identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSignatures:
    """Looks for signatures that say what is asked for, by a key or an identity."""

    find: FindSignatures

    def __call__(
        self,
        repository: ImageReference | None,
        asked: Asked,
        holds: Holds,
        *,
        stored: bool = False,
    ) -> Sequence[Candidate]:
        """Return the signatures that hold: one at least.

        With ``stored``, or without a repository, no registry is asked. Raises NotTrusted,
        Unauthorized, RegistryError.
        """
        reasons: list[str] = []
        good = verified(
            self._candidates(repository, asked, reasons, stored=stored),
            asked,
            holds,
            reasons,
        )
        if not good:
            name = f"{repository.repository}@{asked.digest}" if repository else str(asked.digest)
            raise NotTrusted(name, asked.what, reasons, _HINT)
        return good

    def _candidates(
        self, repository: ImageReference | None, asked: Asked, reasons: list[str], *, stored: bool
    ) -> Iterator[Candidate]:
        yield from self.find.in_store(asked.digest, reasons)
        if repository is not None and not stored:
            yield from self.find.at_registry(repository, asked.digest, reasons)

"""User and group IDs of the names in a Dockerfile."""

from img.application.layers.trees import Trees
from img.application.log import logger
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.filesystem.ownership import lookup_owner

log = logger("owners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Lookups in /etc/passwd and /etc/group of a root, read from its layers."""

    trees: Trees

    def of(self, text: str, root: Stack) -> tuple[int, int]:
        """Return uid and gid of ``user[:group]``. Raises ImpossibleId.

        For an unknown name, log a warning and return the IDs of lookup_owner. BuildKit does the
        same without a warning, and the same Dockerfiles must build.
        """
        found = lookup_owner(text, "", "")
        if found.unknown:  # neither numbers nor root
            passwd, group = self._read(root, "etc/passwd"), self._read(root, "etc/group")
            found = lookup_owner(text, passwd, group)
        for error in found.unknown:
            log.warning("owner not found", reason=error.message, owner=f"{found.uid}:{found.gid}")
        return found.uid, found.gid

    def _read(self, root: Stack, path: str) -> str:
        content = self.trees.read_file(root.layers, path)
        return (content or b"").decode("utf-8", "surrogateescape")

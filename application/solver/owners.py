"""Who a user name of a Dockerfile is, in a given root."""

from img.application.layers.trees import Trees
from img.application.log import logger
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.filesystem.ownership import lookup_owner

log = logger("owners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Looks names up in the /etc/passwd and /etc/group of a root, read out of its layers."""

    trees: Trees

    def of(self, text: str, root: Stack) -> tuple[int, int]:
        """Return uid and gid of ``user[:group]``. Raises IdOutOfRange.

        A name that the root's files do not have counts as lookup_owner says, with a warning:
        BuildKit does so without a word, and what it builds has to build here.
        """
        if all(part.isdigit() for part in text.split(":")):
            found = lookup_owner(text, "", "")
        else:
            passwd, group = self._read(root, "etc/passwd"), self._read(root, "etc/group")
            found = lookup_owner(text, passwd, group)
        for error in found.unknown:
            log.warning("owner not found", reason=error.message, owner=f"{found.uid}:{found.gid}")
        return found.uid, found.gid

    def _read(self, root: Stack, path: str) -> str:
        content = self.trees.read_file(root.layers, path)
        return (content or b"").decode("utf-8", "surrogateescape")

"""Who a user name of a Dockerfile is, in a given root."""

from dataclasses import dataclass

from img.application.solver.results import Stack
from img.application.trees import Trees
from img.domain.filesystem.ownership import lookup_owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Looks names up in the /etc/passwd and /etc/group of a root, read out of its layers."""

    trees: Trees

    def of(self, text: str, root: Stack) -> tuple[int, int]:
        """Return uid and gid of ``user[:group]``. Raises BuildError for a name nobody has."""
        if all(part.isdigit() for part in text.split(":")):
            return lookup_owner(text, "", "")
        return lookup_owner(text, self._read(root, "etc/passwd"), self._read(root, "etc/group"))

    def _read(self, root: Stack, path: str) -> str:
        content = self.trees.read_file(root.layers, path)
        return (content or b"").decode("utf-8", "surrogateescape")

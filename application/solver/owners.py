"""Who a user name of a Dockerfile is, in a given root."""

from img.application.log import logger
from img.application.solver.results import Stack
from img.application.trees import Trees
from img.domain.dataclass import dataclass
from img.domain.filesystem.ownership import UnknownGroup, UnknownUser, lookup_owner

log = logger("owners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Looks names up in the /etc/passwd and /etc/group of a root, read out of its layers."""

    trees: Trees

    def of(self, text: str, root: Stack) -> tuple[int, int]:
        """Return uid and gid of ``user[:group]``. Raises IdOutOfRange.

        A name that nobody has counts as 0, with a warning: BuildKit does so without a word, and
        what it builds has to build here.
        """
        if all(part.isdigit() for part in text.split(":")):
            return lookup_owner(text, "", "")
        passwd, group = self._read(root, "etc/passwd"), self._read(root, "etc/group")
        try:
            return lookup_owner(text, passwd, group)
        except UnknownUser as error:
            log.warning("owner taken as root", reason=error.message)
            return lookup_owner(f"0:{text.partition(':')[2]}", passwd, group)
        except UnknownGroup as error:
            log.warning("group taken as root's", reason=error.message)
            return lookup_owner(f"{text.partition(':')[0]}:0", passwd, group)

    def _read(self, root: Stack, path: str) -> str:
        content = self.trees.read_file(root.layers, path)
        return (content or b"").decode("utf-8", "surrogateescape")

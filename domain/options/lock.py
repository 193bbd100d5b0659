"""Modes of lock files: ``img lock``, and ``img bake --lock``."""

from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean

_UPDATE = "update"


@dataclass(frozen=True, slots=True)
class LockChanges:
    """The differences between a lock file and a build, a line for each."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockMode:
    """The file is written, or only compared with a build."""

    check: bool = False  # fail if the build uses other names
    diff: bool = False  # show what an update of all names would change
    update: tuple[str, ...] = ()  # names to look up again, "" for all

    def __post_init__(self) -> None:
        if self.check and (self.diff or self.update):
            raise UsageError("--check excludes --diff and --update")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "LockMode | None":
        """Return the mode of all ``--lock`` of a bake, None if there is none. Raises UsageError."""
        asked = set(texts)
        for text in texts:
            if (flag := parse_boolean(text)) is not None:
                asked.discard(text)
                if flag:
                    asked.add("")
        if not asked:
            return None
        update = [text for text in texts if text.partition("=")[0] == _UPDATE]
        if unknown := asked - {"", "check", "diff", *update}:
            raise UsageError(
                f"invalid value {sorted(unknown)[0]!r} of --lock",
                hint="check, diff, update or update=NAME",
            )
        return cls(
            check="check" in asked,
            diff="diff" in asked,
            update=tuple(text.partition("=")[2] for text in update),
        )

    @property
    def writes(self) -> bool:
        """True if the file is written."""
        return not (self.check or self.diff)

    @property
    def looked_up(self) -> tuple[str, ...]:
        """The names to look up again, "" for all."""
        return ("",) if self.diff else self.update

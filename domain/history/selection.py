"""The choice of records: by ID, by age, by filters."""

from collections.abc import Iterable, Sequence

from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError, UsageError
from img.domain.history.record import BuildRecord, texts_in

_LATEST = "^"
_REF = "img/img/"  # buildx's references of builds name a builder and a node too
STATUSES = ("running", "completed", "error", "canceled", "interrupted")
FILTERS = ("status", "name", "command", "context", "id")


class NoSuchBuild(NotFoundError):
    """No record has the selector."""

    def __init__(self, selector: str, reason: str = "") -> None:
        super().__init__(reason or f"no record of a build {selector}", hint="see `img history ls`")
        self.selector = selector


def build_ref(record: str) -> str:
    """Return the reference of the build with this record (``buildx.build.ref`` of metadata)."""
    return f"{_REF}{record}"


def chosen_id(selector: str, ids: Sequence[str]) -> str:
    """Return the ID that ``selector`` stands for; ``ids`` are all of them, the latest first.

    "" and ``^0`` are the latest build, ``^1`` the one before, and so on; other selectors are the
    beginning of an ID, or a reference. Raises NoSuchBuild, UsageError.
    """
    if is_ref(selector):
        selector = selector.removeprefix(_REF)
    if not selector or selector.startswith(_LATEST):
        number = selector.removeprefix(_LATEST) or ("1" if selector else "0")
        if not number.isdecimal() or len(number) > 6:
            raise UsageError(f"{selector} is no build", hint="such as ^1, or the start of an ID")
        if int(number) >= len(ids):
            text = f"there are records of {len(ids)} builds" if ids else "no build is recorded yet"
            raise NoSuchBuild(selector, f"no build {selector}: {text}" if selector else text)
        return ids[int(number)]
    found = [each for each in ids if each.startswith(selector)]
    if not found:
        raise NoSuchBuild(selector)
    if len(found) > 1:
        raise UsageError(f"{selector} is the start of {len(found)} IDs", hint="use more of the ID")
    return found[0]


def is_ref(text: str) -> bool:
    """Return whether ``text`` is the reference of a build, as ``build_ref`` returns it."""
    return text.startswith(_REF) and len(text) == len(_REF) + 12


def is_selector(text: str) -> bool:
    """Return whether ``text`` can stand for a build."""
    if is_ref(text):
        text = text.removeprefix(_REF)
    return text.startswith(_LATEST) or (
        0 < len(text) <= 12 and all(each in "0123456789abcdef" for each in text)
    )


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Conditions of ``--filter``: all have to be met, of several with one name one."""

    wanted: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "RecordFilter":
        """Return the filter. Raises UsageError."""
        wanted = []
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals or name not in FILTERS:
                raise UsageError(f'"{text}" is no filter', hint=f"known: {', '.join(FILTERS)}")
            if name == "status" and value not in STATUSES:
                raise UsageError(f'"{value}" is no status', hint=f"known: {', '.join(STATUSES)}")
            wanted.append((name, value))
        return cls(tuple(wanted))

    def matches(self, record: BuildRecord) -> bool:
        """Return whether the record meets the conditions."""
        facts = {
            "status": [record.status],
            "name": [record.name, *(name for image in record.images for name in image.names)],
            "command": [record.command],
            "context": texts_in(record.options.get("context")),
            "id": [record.id],
        }
        names = {name for name, _ in self.wanted}
        return all(
            any(
                each == value or (name in ("id", "name", "context") and value in each)
                for wanted, value in self.wanted
                if wanted == name
                for each in facts[name]
            )
            for name in names
        )

"""Disk usage of the state, item by item."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.go.quantities import BadQuantity, parse_duration


class Kind(Enum):
    """The kind of an item; the comments are the names in docker and buildx."""

    IMAGE = "image"
    LAYER = "layer"  # regular
    SNAPSHOT = "snapshot"
    CACHE_MOUNT = "cache-mount"  # exec.cachemount
    HISTORY = "history"  # a record of a build
    LEFTOVER = "leftover"
    STATE = "state"  # internal


_THEIR_NAMES = {
    "regular": Kind.LAYER,
    "exec.cachemount": Kind.CACHE_MOUNT,
    "internal": Kind.STATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedItem:
    """An item of the state: a blob with its file index, a snapshot, a cache directory …"""

    id: str
    kind: Kind
    size: int  # bytes on disk
    description: str
    kept_by: str = ""  # the reason why it is not reclaimable: an image's name, or a running process
    created: datetime | None = None
    used: datetime | None = None  # when it was last needed
    uses: int = 0
    keys: tuple[Digest, ...] = ()  # of the cache records that name it
    needed: datetime | None = None  # when a result on top of it was last needed
    depth: int = 0  # number of steps below it
    resumable: bool = False

    @property
    def reclaimable(self) -> bool:
        """Return whether it may be deleted."""
        return not self.kept_by

    @property
    def mutable(self) -> bool:
        """Return whether builds write to it."""
        return self.kind is Kind.CACHE_MOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Conditions for items; an item has to meet all of them."""

    text: str = ""  # a part of the id or of the description
    ids: frozenset[str] = frozenset()  # prefixes
    kinds: frozenset[Kind] = frozenset()
    until: datetime | None = None  # not needed since then
    descriptions: frozenset[str] = frozenset()
    facts: Mapping[str, bool] = field(default_factory=dict)

    def matches(self, item: UsedItem) -> bool:
        """Return whether ``item`` meets all conditions."""
        return (
            (self.text in item.id or self.text in item.description)
            and (not self.ids or any(item.id.startswith(each) for each in self.ids))
            and (not self.kinds or item.kind in self.kinds)
            and (self.until is None or (item.used is not None and item.used <= self.until))
            and (not self.descriptions or item.description in self.descriptions)
            and all(_FACTS[name](item) is wanted for name, wanted in self.facts.items())
        )


_FACTS: dict[str, Callable[[UsedItem], bool]] = {
    "reclaimable": lambda item: item.reclaimable,
    "inuse": lambda item: not item.reclaimable,
    "mutable": lambda item: item.mutable,
    "immutable": lambda item: not item.mutable,
}
FILTERS = ("id", "type", "until", "description", *_FACTS)
_BOOLEANS = {"": True, "true": True, "1": True, "false": False, "0": False}


def parse_filters(texts: Iterable[str], since: "Since") -> UsageFilter:
    """Return the filter of ``--filter``: ``name=value``, or a part of an id or a description.

    ``since`` converts the value of ``until`` to a time. Raises UsageError.
    """
    text, until = "", None
    ids: set[str] = set()
    descriptions: set[str] = set()
    kinds: set[Kind] = set()
    facts: dict[str, bool] = {}
    for each in texts:
        name, equals, value = each.partition("=")
        if name in _FACTS and value.lower() in _BOOLEANS:
            facts[name] = _BOOLEANS[value.lower()]
        elif not equals:
            text = each
        elif name == "id":
            ids.add(value)
        elif name == "description":
            descriptions.add(value)
        elif name == "type":
            kinds.add(_kind(value))
        elif name in ("until", "unused-for"):
            until = since(value)
        else:
            raise UsageError(
                f'"{each}" is no filter', hint=f"known: {', '.join(FILTERS)}; or a part of a name"
            )
    return UsageFilter(
        text=text,
        ids=frozenset(ids),
        kinds=frozenset(kinds),
        until=until,
        descriptions=frozenset(descriptions),
        facts=facts,
    )


def _kind(name: str) -> Kind:
    try:
        return _THEIR_NAMES.get(name) or Kind(name)
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise UsageError(f'"{name}" is no type', hint=f"known: {known}") from None


class Since:
    """A reader of times: RFC 3339, seconds since 1970, or a duration before now (``24h``)."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self, text: str) -> datetime:
        """Return the time that ``text`` names. Raises UsageError."""
        try:
            return self._now - timedelta(microseconds=parse_duration(text) / 1000)
        except (BadQuantity, OverflowError):
            pass
        try:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError:
            pass
        try:
            return datetime.fromtimestamp(float(text), UTC)
        except (ValueError, OverflowError):
            raise UsageError(
                f'"{text}" is no time', hint="such as 24h, 2026-01-31 or 2026-01-31T08:00:00Z"
            ) from None

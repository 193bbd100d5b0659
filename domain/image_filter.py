"""Which images are meant: ``--filter`` of ``img ls`` and ``img image prune``.

Source: docker's docs/reference/commandline/image_ls.md, "Filtering".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.reference import ImageReference

FILTERS = ("reference", "dangling", "label", "before", "since", "until")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What filters look at."""

    name: str  # in full; the digest where there is no name
    reference: ImageReference | None
    dangling: bool  # no name of the image has a tag
    labels: Mapping[str, str] | None  # None where the image does not tell: it is damaged
    created: datetime | None  # by the image's own config


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Conditions, all of which have to hold; of several patterns one has to match."""

    text: str = ""  # part of the name
    patterns: tuple[str, ...] = ()
    dangling: bool | None = None
    labels: tuple[tuple[str, str | None], ...] = ()  # None: whatever the value
    no_labels: tuple[tuple[str, str | None], ...] = ()
    before: datetime | None = None
    since: datetime | None = None

    def matches(self, facts: ImageFacts) -> bool:
        """Tell whether the image is meant."""
        return (
            self.text in facts.name
            and (not self.patterns or any(_names(each, facts) for each in self.patterns))
            and self.dangling in (None, facts.dangling)
            and self._labels_match(facts.labels)
            and (self.before is None or (facts.created is not None and facts.created < self.before))
            and (self.since is None or (facts.created is not None and facts.created > self.since))
        )

    def _labels_match(self, labels: Mapping[str, str] | None) -> bool:
        """Tell whether ``labels`` are as wanted; nobody can say so of those that are not known."""
        if labels is None:
            return not (self.labels or self.no_labels)
        return all(_has(labels, *each) for each in self.labels) and not any(
            _has(labels, *each) for each in self.no_labels
        )


def parse_image_filters(
    texts: Iterable[str],
    patterns: Sequence[str],
    *,
    created: Callable[[str], datetime],
    ago: Callable[[str], datetime],
) -> ImageFilter:
    """Return what ``--filter`` and names behind the options ask for.

    ``created`` returns when an image was made, ``ago`` turns ``24h`` or a date into a moment.
    Raises UsageError, and what these raise.
    """
    text, dangling = "", None
    references = [*patterns]
    labels: dict[str, list[tuple[str, str | None]]] = {"label": [], "label!": []}
    before: list[datetime] = []
    since: list[datetime] = []
    for each in texts:
        name, equals, value = each.partition("=")
        if not equals:
            text = each
        elif name == "reference":
            references.append(value)
        elif name == "dangling" and value.lower() in _BOOLEANS:
            dangling = _BOOLEANS[value.lower()]
        elif name in labels:
            key, has_value, wanted = value.partition("=")
            labels[name].append((key, wanted if has_value else None))
        elif name == "before":
            before.append(created(value))
        elif name == "until":
            before.append(ago(value))
        elif name == "since":
            since.append(created(value))
        else:
            raise UsageError(
                f'"{each}" is no filter', hint=f"known: {', '.join(FILTERS)}; or a part of a name"
            )
    for pattern in references:
        _check(pattern)
    return ImageFilter(
        text=text,
        patterns=tuple(references),
        dangling=dangling,
        labels=tuple(labels["label"]),
        no_labels=tuple(labels["label!"]),
        before=min(before, default=None),
        since=max(since, default=None),
    )


def _check(pattern: str) -> None:
    from img.domain.go.path_match import BadPattern, matches

    try:
        matches(pattern, "")
    except BadPattern as error:
        raise UsageError(
            str(error), hint=r"a backslash before [, *, ? and \ means the sign"
        ) from None


def _names(pattern: str, facts: ImageFacts) -> bool:
    """Tell whether ``pattern`` matches the name, or the repository alone.

    As FamiliarMatch in distribution/reference has it, for names in short. One that begins with the
    domain is meant for the name in full.
    """
    from img.domain.go.path_match import matches

    reference = facts.reference
    if reference is None:
        return False
    tagged = reference.with_tag(reference.tag)
    spellings = [reference.familiar, tagged.familiar, reference.familiar_name]
    if pattern.startswith(f"{reference.domain}/"):
        spellings += [str(reference), str(tagged), reference.repository]
    return any(matches(pattern, spelling) for spelling in spellings)


def _has(labels: Mapping[str, str], key: str, value: str | None) -> bool:
    return key in labels and value in (None, labels[key])

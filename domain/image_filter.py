"""Filters of images: ``--filter`` of ``img ls`` and ``img image prune``.

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
    """The facts about an image that filters use."""

    name: str  # the full name; the digest of an image without a name
    reference: ImageReference | None
    dangling: bool  # the image has no name with a tag
    labels: Mapping[str, str] | None  # None for a damaged image
    created: datetime | None  # from the image's config


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Conditions; all of them have to hold, and one of the patterns has to match."""

    text: str = ""  # a part of the name
    patterns: tuple[str, ...] = ()
    dangling: bool | None = None
    labels: tuple[tuple[str, str | None], ...] = ()  # None: any value
    no_labels: tuple[tuple[str, str | None], ...] = ()
    before: datetime | None = None
    since: datetime | None = None

    def matches(self, facts: ImageFacts) -> bool:
        """Return whether the image meets all conditions."""
        return (
            self.text in facts.name
            and (not self.patterns or any(_names(each, facts) for each in self.patterns))
            and self.dangling in (None, facts.dangling)
            and self._labels_match(facts.labels)
            and (self.before is None or (facts.created is not None and facts.created < self.before))
            and (self.since is None or (facts.created is not None and facts.created > self.since))
        )

    def _labels_match(self, labels: Mapping[str, str] | None) -> bool:
        """Return whether ``labels`` match; unknown labels match only if no label is wanted."""
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
    """Return the filter of ``--filter`` and of the names after the options.

    ``created`` returns the creation time of an image, ``ago`` converts ``24h`` or a date to a time.
    Raises UsageError, and the errors of both.
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
    """Return whether ``pattern`` matches the name or the repository.

    It is compared with the short names (distribution/reference, FamiliarMatch). A pattern that
    begins with the domain is compared with the full name.
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

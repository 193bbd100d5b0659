"""The layers and the waste of an image, as a report shows them."""

from collections.abc import Iterable, Iterator, Sequence

from img.domain.filesystem.entry import FILE
from img.domain.filesystem.layer_story import Change, ChangedPath, LayerStory, Reason, Waste
from img.domain.report.build_report import ReportLayer, ReportWaste, short_text

_COST = 60  # bytes of a wasted file in a report, without its paths


def layer_row(
    changes: Sequence[ChangedPath],
    waste: Iterable[Waste],
    *,
    step: str,
    digest: str,
    size: int,
    of_base: bool,
) -> ReportLayer:
    """Return the row of a layer; ``waste`` is of this layer alone."""
    count = {kind: sum(each.change is kind for each in changes) for kind in Change}
    files = (
        each.entry.size
        for each in changes
        if each.change is not Change.REMOVED and each.entry.kind == FILE
    )
    return ReportLayer(
        step=short_text(step),
        digest=digest,
        size=size,
        of_base=of_base,
        unpacked=sum(files),
        added=count[Change.ADDED],
        changed=count[Change.CHANGED],
        removed=count[Change.REMOVED],
        wasted=sum({each.path: each.size for each in waste}.values()),
    )


def waste_by_layer(story: LayerStory) -> list[list[Waste]]:
    """Return the waste of each layer."""
    found: list[list[Waste]] = [[] for _ in story.changes]
    for each in story.waste:
        found[each.layer].append(each)
    return found


def totals_of(waste: Iterable[Waste]) -> Iterator[tuple[str, int, int]]:
    """Yield the number of files and their bytes for each reason that there is."""
    sizes: dict[Reason, list[int]] = {}
    for each in waste:
        sizes.setdefault(each.reason, []).append(each.size)
    for reason in Reason:
        if found := sizes.get(reason):
            yield reason.value, len(found), sum(found)


def largest_waste(waste: Iterable[Waste], budget: int) -> Iterator[ReportWaste]:
    """Yield the first of ``waste``, as many as ``budget`` bytes of a report hold."""
    for each in waste:
        path, original = short_text(each.path), short_text(each.original)
        budget -= _COST + len(path.encode()) + len(original.encode())
        if budget < 0:
            return
        yield ReportWaste(
            reason=each.reason.value,
            path=path,
            size=each.size,
            layer=each.layer,
            by=each.by,
            original=original,
        )

"""Two contents of one target to one (bake/bake.go, "Target.Merge")."""

from collections.abc import Callable, Sequence
from typing import Any

from img.domain.bake.definition.attributes import Contents, entries_of, pairs_of, texts_of
from img.domain.bake.definition.entries import Entry


def merge_contents(first: Contents, second: Contents) -> Contents:
    """Return ``first`` with what ``second`` says instead or in addition."""
    merged = dict(first)
    for name, content in second.items():
        if content is None:
            continue
        before = merged.get(name)
        rule = _RULES.get(name)
        if rule is None or before is None:
            if name != "description" or content:
                merged[name] = content if rule is None else rule(type(content)(), content)
        else:
            merged[name] = rule(before, content)
    return merged


def normalized(contents: Contents) -> Contents:
    """Return contents without empty and repeated elements of lists."""
    made = dict(contents)
    for name in contents.keys() & _PLAIN_LISTS:
        made[name] = without_repeats([text for text in texts_of(contents, name) if text])
    for name in contents.keys() & {"output", "cache-to", "cache-from"}:
        made[name] = _swapping_repeats(entries_of(contents, name))
    if "contexts" in contents:
        contexts = pairs_of(contents, "contexts")
        made["contexts"] = {key: value for key, value in contexts.items() if value}
    if made.get("network") == "host":
        made["entitlements"] = without_repeats([*texts_of(made, "entitlements"), "network.host"])
    return made


_PLAIN_LISTS = frozenset(
    (
        "annotations",
        "tags",
        "platforms",
        "no-cache-filter",
        "ulimits",
        "entitlements",
        "inherits",
    )
)


def without_repeats(items: Sequence[str]) -> list[str]:
    """Return the items in their order, each once."""
    return list(dict.fromkeys(items))


def _swapping_repeats(entries: Sequence[Entry]) -> list[Entry]:
    # The last entry takes the place of a repeated one (util/buildflags/utils.go, "removeDupes").
    kept = list(entries)
    for at in range(len(kept) - 2, -1, -1):
        for other in range(at + 1, len(kept)):
            if kept[at] == kept[other]:
                kept[other] = kept[-1]
                kept.pop()
                break
    return kept


def _update(before: Any, content: Any) -> Any:
    return {**before, **content}


def _append(before: Any, content: Any) -> Any:
    return without_repeats([text for text in (*before, *content) if text])


def _concat(before: Any, content: Any) -> Any:
    return [*before, *content]


def _by(key: str) -> Callable[[Any, Any], Any]:
    def merge(before: Any, content: Any) -> Any:
        made = {str(entry.get(key, "")): entry for entry in before}
        for entry in content:
            made[str(entry.get(key, ""))] = entry
        return list(made.values())

    return merge


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "args": _update,
    "labels": _update,
    "contexts": _update,
    "extra-hosts": _update,
    "resources": _update,
    "cache-from": lambda before, content: _swapping_repeats([*before, *content]),
    "annotations": _append,
    "no-cache-filter": _append,
    "ulimits": _append,
    "entitlements": _append,
    "inherits": _append,
    "attest": _by("type"),
    "secret": _by("id"),
    "ssh": _by("id"),
    "policy": _concat,
}

"""``--set`` (bake/bake.go, "newOverrides", "AddOverrides")."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from img.domain.bake.definition.attributes import (
    RESOURCES,
    Contents,
    Resource,
    entries_of,
    texts_of,
)
from img.domain.bake.definition.entries import (
    BadEntry,
    Entry,
    attest_entries,
    cache_entries,
    output_entries,
    policy_entries,
    secret_entries,
    ssh_entries,
)
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.definition.merging import merge_contents
from img.domain.bake.errors import BakeError
from img.domain.go.path_match import BadPattern, matches

_TEXTS = ("context", "dockerfile", "target", "call", "shm-size", "network")
_NAMED = {
    "args": "invalid format for args, expecting args.<name>=<value>",
    "contexts": "invalid format for contexts, expecting contexts.<name>=<value>",
    "labels": "invalid format for labels, expecting labels.<name>=<value>",
    "extra-hosts": "invalid format for extra-hosts, expecting extra-hosts.<name>=<value>",
}
_ALWAYS_NAMED = ("args", "contexts", "resources", "secret")
_NEVER_APPENDED = ("resources", "secret")
_LISTS = ("tags", "platforms", "no-cache-filter", "ulimits")
_ALIASES = {"platform": "platforms"}
_APPENDED = ("annotations", "entitlements")
_ENTRIES: Mapping[str, tuple[str, Callable[[str], list[Entry]]]] = {
    "output": ("output", output_entries),
    "cache-from": ("cache-from", cache_entries),
    "cache-to": ("cache-to", cache_entries),
    "secrets": ("secret", secret_entries),
    "ssh": ("ssh", ssh_entries),
    "policy": ("policy", policy_entries),
}
_WITH_PATHS = ("output", "cache-from", "cache-to", "secret", "ssh")


class Override(NamedTuple):
    """One key of a target with all values that were given for it."""

    key: str
    values: tuple[str, ...]
    append: bool


def parse_overrides(
    texts: Iterable[str], targets: Iterable[str], environment: Mapping[str, str]
) -> dict[str, dict[str, Override]]:
    """Return overrides by the names of targets. Raises BakeError."""
    names = list(targets)
    found: dict[str, dict[str, Override]] = {}
    for text in texts:
        override, pattern = _parse(text, environment)
        matching = _matching(pattern, names)
        if not matching:
            raise BakeError(f"could not find any target matching '{pattern}'")
        _check(text)
        if override is None:
            continue
        for name in matching:
            known = found.setdefault(name, {})
            before = known.get(override.key)
            values = override.values if before is None else before.values + override.values
            known[override.key] = override._replace(values=values)
    return found


def _parse(text: str, environment: Mapping[str, str]) -> tuple[Override | None, str]:
    key, equals, value = text.partition("=")
    append = key.endswith("+")
    key = key.removesuffix("+")
    pattern, *parts = key.split(".", 2)
    if not parts:
        raise BakeError(f"invalid override key {key}, expected target.name")
    name = ".".join(parts)
    if not equals:
        if parts[0] != "args":
            raise BakeError(f"invalid override {text}, expected target.name=value")
        if len(parts) < 2 or parts[1] not in environment:
            return None, pattern
        value = environment[parts[1]]
    return Override(name, (value,), append), pattern


def _check(text: str) -> None:
    given = text.partition("=")[0]
    _, key, *name = given.removesuffix("+").split(".", 2)
    if key in _ALWAYS_NAMED and not name:
        raise BakeError(f"invalid key {given}, {key} requires name")
    if key in _NEVER_APPENDED and given.endswith("+"):
        raise BakeError(f"invalid key {given}, {key} does not support append")


def _matching(pattern: str, names: list[str]) -> list[str]:
    try:
        return [name for name in names if name == pattern or matches(pattern, name)]
    except BadPattern:
        raise BakeError(
            f"could not match targets with '{pattern}': syntax error in pattern"
        ) from None


def override_contents(contents: Contents, overrides: Iterable[Override]) -> Contents:
    """Return the contents of a target with overrides. Raises BakeError."""
    for override in overrides:
        try:
            contents = _overridden(contents, override)
        except BadEntry as error:
            raise BakeError(str(error)) from None
    return contents


def paths_of_overrides(
    target: str, texts: Iterable[str], environment: Mapping[str, str]
) -> Contents:
    """Return the outputs, caches, secrets and SSH keys that ``--set`` gives a target.

    The other attributes with paths are not in it. Raises BakeError, BadEntry.
    """
    made: dict[str, list[Entry]] = {name: [] for name in _WITH_PATHS}
    for text in texts:
        override, pattern = _parse(text, environment)
        if override is None or not _matching(pattern, [target]):
            continue
        key, _, sub = override.key.partition(".")
        if key == "secret":
            entries = _parsed(secret_entries, override.values)
            made[key] += [{"id": sub, **entry} for entry in entries]
        elif key in _ENTRIES and (name := _ENTRIES[key][0]) in made:
            made[name] += _parsed(_ENTRIES[key][1], override.values)
    return dict(made)


def _overridden(contents: Contents, override: Override) -> Contents:
    key, _, sub = override.key.partition(".")
    key = _ALIASES.get(key, key)
    last = override.values[-1]
    if key in _TEXTS:
        return {**contents, key: last}
    if key in _NAMED:
        if not sub:
            raise BakeError(_NAMED[key])
        return merge_contents(contents, {key: {sub: last}})
    if key in _LISTS:
        return {**contents, key: _listed(texts_of(contents, key), override)}
    if key in _APPENDED:
        return merge_contents(contents, {key: list(override.values)})
    if key == "attest":
        return merge_contents(contents, {key: _parsed(attest_entries, override.values)})
    if key in _ENTRIES:
        return _entries(contents, override, *_ENTRIES[key])
    match key:
        case "secret":
            return _secret(contents, sub, last)
        case "resources":
            return merge_contents(contents, {key: {sub: _resource(sub, last)}})
        case "no-cache" | "pull":
            return {**contents, key: _bool(key, last)}
        case "push":
            return set_push(contents, push=_bool(key, last))
        case "load":
            return set_load(contents) if _bool(key, last) else contents
    raise BakeError(f"unknown key: {key}")


def _listed(before: list[str], override: Override) -> list[str]:
    values = [value for value in override.values if value]
    return [*before, *values] if override.append else values


def _parsed(parse: Callable[[str], list[Entry]], values: Iterable[str]) -> list[Entry]:
    return [entry for value in values if value for entry in parse(value)]


def _entries(
    contents: Contents, override: Override, name: str, parse: Callable[[str], list[Entry]]
) -> Contents:
    made = _parsed(parse, override.values)
    before = entries_of(contents, name)
    if override.append:
        if name in ("secret", "ssh"):
            return merge_contents(contents, {name: made})
        return {**contents, name: [*before, *made]}
    return {**contents, name: made}


def _secret(contents: Contents, name: str, value: str) -> Contents:
    if not name:
        raise BakeError("invalid format for secret, expecting secret.<id>=<value>")
    if not any(entry.get("id") == name for entry in entries_of(contents, "secret")):
        raise BakeError(f'secret "{name}" must be declared before it can be overridden')
    (entry,) = secret_entries(value) or [{}]
    if entry.get("id", name) != name:
        raise BakeError(
            f'secret override id "{entry["id"]}" does not match declared secret "{name}"'
        )
    return merge_contents(contents, {"secret": [{"id": name, **entry}]})


def _resource(name: str, value: str) -> Resource:
    if name not in RESOURCES:
        raise BakeError(f"unknown resources key {name}")
    if RESOURCES[name] is str:
        return value
    try:
        return int(value) if value.isascii() else int("x")
    except ValueError:
        raise BakeError(f"invalid value {value} for int64 key resources.{name}") from None


def _bool(key: str, value: str) -> bool:
    try:
        return parse_bool(value)
    except BadVariable:
        raise BakeError(f"invalid value {value} for boolean key {key}") from None


def set_push(contents: Contents, *, push: bool) -> Contents:
    """Return contents with images that are pushed, or not (bake/bake.go, "setPushOverride")."""
    outputs = entries_of(contents, "output")
    if not push:
        kept = [entry for entry in outputs if entry.get("type") != "registry"]
        for entry in kept:
            if entry.get("type") == "image":
                entry["push"] = "false"
        return (
            {**contents, "output": [dict(sorted(entry.items())) for entry in kept]}
            if outputs
            else contents
        )
    found = False
    for entry in outputs:
        match entry.get("type"):
            case "docker":
                continue
            case "image":
                entry["push"] = "true"
        found = True
    if not found:
        outputs.append({"push": "true", "type": "image"})
    return {**contents, "output": [dict(sorted(entry.items())) for entry in outputs]}


def set_load(contents: Contents) -> Contents:
    """Return contents with images that are loaded (bake/bake.go, "setLoadOverride")."""
    outputs = entries_of(contents, "output")
    for entry in outputs:
        match entry.get("type"):
            case "docker" if "dest" not in entry:
                return contents
            case "docker" | "image" | "registry" | "oci":
                continue
            case _:
                return contents
    return {**contents, "output": [*outputs, {"type": "docker"}]}

"""The targets that are asked for, resolved (bake/bake.go, "ReadTargets")."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from img.domain.bake.definition.attributes import Contents, pairs_of, texts_of
from img.domain.bake.definition.definition import Definition, GroupDefinition
from img.domain.bake.definition.files import BASE
from img.domain.bake.definition.merging import merge_contents, normalized, without_repeats
from img.domain.bake.definition.overrides import Override, override_contents, parse_overrides
from img.domain.bake.definition.remote import placed_remotely
from img.domain.bake.errors import BakeError
from img.domain.go.path_match import BadPattern, matches

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|(?:github\.com|git@)", re.IGNORECASE)
LINK = "target:"


class Plan(NamedTuple):
    """Targets by name, those that others link to among them, and the groups that were met."""

    targets: dict[str, Contents]
    groups: dict[str, GroupDefinition]
    linked: frozenset[str]


def links_of(contents: Contents) -> dict[str, str]:
    """Return the targets that named contexts link to, by the name of the context."""
    contexts = pairs_of(contents, "contexts")
    return {
        name: place.removeprefix(LINK) for name, place in contexts.items() if place.startswith(LINK)
    }


def in_order(targets: Mapping[str, Contents]) -> list[str]:
    """Return the names of ``targets``, each behind those that it links to.

    A plan has no link to itself, and none to a target that it lacks.
    """
    ordered: dict[str, None] = {}
    waiting = list(reversed(list(targets)))
    while waiting:
        name = waiting[-1]
        before = [each for each in links_of(targets[name]).values() if each not in ordered]
        if before:
            waiting.extend(before)
            continue
        waiting.pop()
        ordered[name] = None
    return list(ordered)


def plan(
    definition: Definition,
    names: Iterable[str],
    overrides: Iterable[str],
    environment: Mapping[str, str],
) -> Plan:
    """Return the targets of ``names``, "default" if there is none. Raises BakeError."""
    try:
        return _Planner(definition, overrides, environment).plan(list(names) or ["default"])
    except RecursionError:
        raise BakeError("targets or groups name one another too often") from None


class _Planner:
    def __init__(
        self, definition: Definition, overrides: Iterable[str], environment: Mapping[str, str]
    ) -> None:
        self._definition = definition
        self._environment = environment
        self._overrides: dict[str, dict[str, Override]] = parse_overrides(
            overrides, definition.targets, environment
        )
        self._resolved: dict[str, Contents] = {}
        self._linked: set[str] = set()
        self._followed: set[str] = set()
        self._cut = False

    def plan(self, names: list[str]) -> Plan:
        asked = [name for given in names for name in self._expanded(given.replace(".", "_"))]
        groups: dict[str, GroupDefinition] = {}
        targets: dict[str, Contents] = {}
        for name in asked:
            found, met = self._members(name, {})
            for target in found:
                if target not in targets:
                    targets[target] = self._complete(target)
            groups.update({group: self._definition.groups[group] for group in met})
        for name in list(targets):
            if name not in self._followed:
                self._link(name, targets, ())
        groups["default"] = self._default(asked, groups.get("default"))
        for contents in targets.values():
            self._add_epoch(contents)
        return Plan(targets, groups, frozenset(self._linked))

    def _default(self, asked: list[str], known: GroupDefinition | None) -> GroupDefinition:
        members = list(known.targets) if known else []
        others = [name for name in asked if name != "default" or not known]
        if not others:
            assert known is not None
            return known._replace(targets=tuple(sorted(set(known.targets))))
        description = known.description if known else ""
        return GroupDefinition("default", tuple(sorted({*members, *others})), description)

    def _expanded(self, pattern: str) -> list[str]:
        if not any(char in pattern for char in "*?[]"):
            return [pattern]
        known = {**self._definition.groups, **self._definition.targets}
        try:
            found = sorted(name for name in known if matches(pattern, name))
        except BadPattern:
            found = []
        if not found:
            raise BakeError(f'could not find any target matching "{pattern}"')
        return found

    def _members(
        self, name: str, seen: dict[str, tuple[list[str], list[str]]]
    ) -> tuple[list[str], list[str]]:
        """Return the targets and the groups that a name means."""
        if name in seen:
            return seen[name]
        group = self._definition.groups.get(name)
        if group is None:
            return [name], []
        seen[name] = ([], [])
        targets: list[str] = []
        groups = [name]
        for member in group.targets:
            found, met = self._members(member, seen)
            targets.extend(found or [member])  # a group in itself is looked up as a target
            groups.extend(met)
        seen[name] = (without_repeats(targets), without_repeats(groups))
        return seen[name]

    def _complete(self, name: str) -> Contents:
        contents = dict(self._target(name))
        contents.pop("inherits", None)
        base = contents.pop(BASE, ".")
        contents.setdefault("context", base)
        if not contents.get("dockerfile"):
            contents["dockerfile"] = "Dockerfile"
        if self._definition.remote:
            contents = placed_remotely(contents, self._definition.remote)
        contents["context"] = shown_context(str(contents["context"]))
        return contents

    def _target(self, name: str) -> Contents:
        """Return the contents of a target with those of its parents."""
        self._cut = False
        visited: dict[str, Contents | None] = {}
        contents = self._visited(name, visited)
        if not self._cut:
            # Where a cycle was cut, the contents depend on where it was entered.
            self._resolved.update({k: v for k, v in visited.items() if v is not None})
        assert contents is not None
        return contents

    def _visited(self, name: str, visited: dict[str, Contents | None]) -> Contents | None:
        if name in self._resolved:
            return self._resolved[name]
        if name in visited:
            self._cut = self._cut or visited[name] is None
            return visited[name]
        own = self._definition.targets.get(name)
        if own is None:
            raise BakeError(f"failed to find target {name}")
        visited[name] = None
        contents: Contents = {}
        for parent in texts_of(own, "inherits"):
            inherited = self._visited(parent, visited)
            if inherited is not None:
                contents = merge_contents(contents, inherited)
        contents = merge_contents(contents, own)
        contents = override_contents(contents, self._overrides.get(name, {}).values())
        visited[name] = normalized(contents)
        return visited[name]

    def _link(self, name: str, targets: dict[str, Contents], above: tuple[str, ...]) -> None:
        above = (*above, name)
        for link in pairs_of(targets[name], "contexts").values():
            if not link.startswith(LINK):
                continue
            base = link.removeprefix(LINK)
            if base == name:
                raise BakeError(f"target {base} cannot link to itself")
            if base in above:
                raise BakeError(f"infinite loop from {name} to {base}")
            if base not in targets:
                targets[base] = {**self._complete(base), "output": [{"type": "cacheonly"}]}
                self._linked.add(base)
            if base not in self._followed:
                self._link(base, targets, above)
            self._pass_up(targets[base], targets[name])
            _check_platforms(base, targets[base], name, targets[name])
        self._followed.add(name)

    def _pass_up(self, base: Contents, user: Contents) -> None:
        needed = texts_of(base, "entitlements")
        if needed:
            known = texts_of(user, "entitlements")
            user["entitlements"] = without_repeats([*known, *needed])

    def _add_epoch(self, contents: Contents) -> None:
        epoch = self._environment.get("SOURCE_DATE_EPOCH")
        if epoch:
            contents["args"] = {"SOURCE_DATE_EPOCH": epoch, **pairs_of(contents, "args")}


def _check_platforms(base: str, of_base: Contents, user: str, of_user: Contents) -> None:
    theirs, ours = texts_of(of_base, "platforms"), texts_of(of_user, "platforms")
    if len(theirs) > 1 and len(ours) > 1 and not set(ours) <= set(theirs):
        raise BakeError(
            f"target {base} can't be used by {user} because its platforms "
            f"[{' '.join(theirs)}] are not a subset of [{' '.join(ours)}]"
        )


def shown_context(context: str) -> str:
    """Return a context as plans show it: a local path is cleaned."""
    if context.startswith("cwd://"):
        context = context.removeprefix("cwd://") or "."
    elif _REMOTE.match(context) or context == "-":
        return context
    cleaned = posixpath.normpath(context) if context else "."
    return cleaned.replace("//", "/", 1) if cleaned.startswith("//") else cleaned

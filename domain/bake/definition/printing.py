"""Plans and lists as text (commands/bake.go)."""

import json
from collections.abc import Iterable

from img.domain.bake.definition.attributes import TARGET, Contents
from img.domain.bake.definition.definition import Definition, GroupDefinition
from img.domain.bake.definition.plan import Plan
from img.domain.bake.functions.json_text import encode_json, encode_string
from img.domain.bake.values.types import DYNAMIC
from img.domain.bake.values.value import Value

_ESCAPED = ("args", "labels", "annotations", "extra-hosts", "dockerfile-inline")
_KEPT_EMPTY = frozenset(
    (
        "context",
        "dockerfile",
        "dockerfile-inline",
        "target",
        "network",
        "shm-size",
        "call",
        "pull",
        "no-cache",
    )
)
_TAB = 8


def print_plan(plan: Plan) -> str:
    """Return the JSON that ``--print`` shows."""
    return _json({"group": shown_groups(plan), "target": shown_targets(plan)})


def shown_groups(plan: Plan) -> dict[str, object]:
    """Return the groups of a plan as they are printed."""
    return {name: _group(group) for name, group in sorted(plan.groups.items())}


def shown_targets(plan: Plan) -> dict[str, object]:
    """Return the targets of a plan as they are printed."""
    return {name: _target(contents) for name, contents in sorted(plan.targets.items())}


def _json(shown: object) -> str:
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _group(group: GroupDefinition) -> dict[str, object]:
    shown: dict[str, object] = {"description": group.description} if group.description else {}
    return {**shown, "targets": list(group.targets)}


def _target(contents: Contents) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name in TARGET:
        content: object = contents.get(name)
        if content is None or (not content and name not in _KEPT_EMPTY):
            continue
        if isinstance(content, dict) and name != "resources":
            content = dict(sorted(content.items()))
        shown[name] = _escaped(content) if name in _ESCAPED else content
    return shown


def _escaped(content: object) -> object:
    """Double the signs that would begin a template if this was read again."""
    match content:
        case str():
            return content.replace("${", "$${").replace("%{", "%%{")
        case dict():
            return {key: _escaped(value) for key, value in content.items()}
        case list():
            return [_escaped(item) for item in content]
    return content


def list_targets(definition: Definition, *, as_json: bool) -> str:
    """Return all targets and groups, as a table or as JSON."""
    rows: list[tuple[str, str, bool]] = []
    for name, group in definition.groups.items():
        members = ", ".join(sorted(group.targets))
        text = f"{group.description} ({members})" if group.description else members
        rows.append((name, text, True))
    for name, contents in definition.targets.items():
        if name not in definition.groups:
            rows.append((name, str(contents.get("description") or ""), False))
    rows = sorted(row for row in rows if not row[0].startswith("_"))
    if not as_json:
        return _table([("TARGET", "DESCRIPTION"), *((name, text) for name, text, _ in rows)])
    shown: list[dict[str, object]] = []
    for name, text, is_group in rows:
        entry: dict[str, object] = {"name": name}
        if text:
            entry["description"] = text
        if is_group:
            entry["group"] = True
        shown.append(entry)
    return _json(shown) + "\n"


def list_variables(definition: Definition, *, as_json: bool) -> str:
    """Return all variables with their values, as a table or as JSON."""
    rows: list[tuple[str, str, str | None, str]] = []
    for variable in sorted(definition.variables, key=lambda of: of.name):
        of = "" if variable.type is None else variable.type.friendly
        if variable.type is DYNAMIC:
            of = "any type"
        text = _shown(variable.value, dynamic=variable.type is DYNAMIC)
        rows.append((variable.name, of, text, variable.description))
    if not as_json:
        header = ("VARIABLE", "TYPE", "VALUE", "DESCRIPTION")
        lines = [
            (name, of, "<null>" if text is None else text, description)
            for name, of, text, description in rows
        ]
        return _table([header, *lines])
    shown = []
    for name, of, text, description in rows:
        entry = {"name": name}
        if description:
            entry["description"] = description
        if of:
            entry["type"] = of
        if text is not None:
            entry["value"] = text
        shown.append(entry)
    return _json(shown) + "\n"


def _shown(value: Value, *, dynamic: bool) -> str | None:
    if value.is_null:
        return None
    text = encode_json(value)
    if dynamic:
        return f'{{"value":{text},"type":{encode_string(value.type.friendly)}}}'
    return text.strip('"')


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return columns with tabs between them, as Go's tabwriter sets them."""
    rows = list(rows)
    widths = [
        -(-(max(len(row[at]) for row in rows) + 1) // _TAB) * _TAB for at in range(len(rows[0]))
    ]
    lines = []
    for row in rows:
        line = ""
        for cell, width in zip(row[:-1], widths, strict=False):
            line += cell + "\t" * -(-(width - len(cell)) // _TAB)
        lines.append(line + row[-1])
    return "\n".join(lines) + "\n"

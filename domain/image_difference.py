"""The difference between two images: files, packages, configuration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from img.domain.dataclass import dataclass
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.paths import printable
from img.domain.filesystem.tree import FileTree
from img.domain.packages.package import Package

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs; ``details`` are texts as "mode 0644 → 0755"."""

    kind: Kind
    name: str
    details: tuple[str, ...] = ()
    growth: int = 0  # bytes


def file_differences(before: FileTree, after: FileTree) -> Iterator[Difference]:
    """Yield the differences of files, sorted by path; times of files do not count."""
    old, new = ({entry.path: entry for entry in tree.walk("")} for tree in (before, after))
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path), new.get(path)
        shown = printable(f"/{path}")
        if one is None and other is not None:
            yield Difference(kind="added", name=shown, growth=other.size)
        elif one is not None and other is None:
            yield Difference(kind="removed", name=shown, growth=-one.size)
        elif one is not None and other is not None and (details := tuple(_changes(one, other))):
            growth = other.size - one.size
            yield Difference(kind="changed", name=shown, details=details, growth=growth)


def _changes(one: Entry, other: Entry) -> Iterator[str]:
    if one.kind != other.kind:
        yield f"type {one.kind} → {other.kind}"
    elif one.kind == FILE and (one.digest, one.size) != (other.digest, other.size):
        yield "content"
    if one.link != other.link:
        yield f"link {printable(one.link)} → {printable(other.link)}"
    if one.mode != other.mode:
        yield f"mode {one.mode:04o} → {other.mode:04o}"
    if (one.uid, one.gid) != (other.uid, other.gid):
        yield f"owner {one.uid}:{one.gid} → {other.uid}:{other.gid}"
    if one.xattrs != other.xattrs:
        yield "extended attributes"
    if one.device != other.device:
        yield "device"


def package_differences(
    before: Sequence[Package], after: Sequence[Package]
) -> Iterator[Difference]:
    """Yield the differences of packages by kind and name; several versions are one change."""
    old, new = _versions(before), _versions(after)
    for key in sorted(old.keys() | new.keys()):
        kind, name = key
        one, other = old.get(key, ()), new.get(key, ())
        if one == other:
            continue
        shown = f"{kind} {name}"
        if not one or not other:
            versions = other or one
            yield Difference(kind="added" if other else "removed", name=shown, details=versions)
        else:
            change = f"{', '.join(one)} → {', '.join(other)}"
            yield Difference(kind="changed", name=shown, details=(change,))


def _versions(packages: Sequence[Package]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], set[str]] = {}
    for package in packages:
        found.setdefault((package.kind, package.name), set()).add(package.version)
    return {key: tuple(sorted(versions)) for key, versions in found.items()}


def config_differences(
    before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Difference]:
    """Yield the differences of two configurations as JSON; history and layers do not count."""
    old, new = _flat(before), _flat(after)
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        if one is None or other is None:
            kind: Kind = "removed" if other is None else "added"
            yield Difference(kind=kind, name=name, details=(one or other or "",))
        else:
            yield Difference(kind="changed", name=name, details=(f"{one} → {other}",))


def _flat(config: Mapping[str, object]) -> Mapping[str, str]:
    """Return the settings by name; a variable of Env and each label has a line of its own."""
    made: dict[str, str] = {}
    run = config.get("config")
    for name, value in run.items() if isinstance(run, dict) else ():
        match value:
            case list() if name == "Env":
                for variable in map(str, value):
                    made[f"Env {variable.partition('=')[0]}"] = variable.partition("=")[2]
            case dict():
                made |= {f"{name} {key}": _text(each) for key, each in value.items()}
            case None | "" | []:
                pass
            case _:
                made[name] = _text(value)
    for name in ("architecture", "os", "variant", "author"):
        if value := config.get(name):
            made[name] = _text(value)
    return made


def _text(value: object) -> str:
    match value:
        case list():
            return " ".join(map(_text, value))
        case {}:
            return ""
        case _:
            return str(value)

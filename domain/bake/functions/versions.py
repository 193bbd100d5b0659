"""Semantic versions and constraints (Masterminds/semver v3)."""

import re
from typing import NamedTuple

from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.value import Value, boolean

_TAIL = (
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+(?P<meta>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_VERSION = re.compile(rf"v?(\d{{1,18}})(?:\.(\d{{1,18}}))?(?:\.(\d{{1,18}}))?{_TAIL}")
_PART = r"(?:\d{1,18}|[xX*])"
_CONSTRAINT = re.compile(
    rf"\s*(?P<op>=>|=<|>=|<=|!=|~>|=|>|<|~|\^)?\s*v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?"
    rf"(?:\.(?P<patch>{_PART}))?{_TAIL}\s*"
)
_RANGE = re.compile(r"\s*(v?[0-9xX*][\w.+*-]*)\s+-\s+(v?[0-9xX*][\w.+*-]*)\s*")
_AND = re.compile(r"\s*,\s*|(?<=[\w*])\s+(?=[=!<>~^v\dxX*])")


class _Version(NamedTuple):
    major: int
    minor: int
    patch: int
    pre: str

    def key(self) -> tuple[object, ...]:
        return (self.major, self.minor, self.patch, not self.pre, _pre_key(self.pre))


def _pre_key(pre: str) -> tuple[tuple[int, int, str], ...]:
    # Numbers come before words, and compare as numbers (semver.org, 11).
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if part
    )


class _Constraint(NamedTuple):
    operator: str
    version: _Version
    given: int  # how many of major, minor and patch are numbers

    def allows(self, version: _Version) -> bool:
        if version.pre and not self.version.pre and self.operator != "!=":
            return False
        mine, theirs = self.version.key(), version.key()
        match self.operator:
            case "" | "=":
                return self._equal(version)
            case "!=":
                return not self._equal(version)
            case ">":
                if self.given == 1:
                    return version.major > self.version.major
                if self.given == 2:
                    return version[:2] > self.version[:2]
                return self.given > 0 and theirs > mine
            case "<":
                return theirs < mine
            case ">=" | "=>":
                return theirs >= mine
            case "<=" | "=<":
                if self.given < 3:
                    return version[: self.given] <= self.version[: self.given]
                return theirs <= mine
            case "~" | "~>":
                return self._tilde(version)
        return self._caret(version)

    def _equal(self, version: _Version) -> bool:
        if self.given < 3:
            return self._tilde(version)
        return version.key() == self.version.key()

    def _tilde(self, version: _Version) -> bool:
        if version.key() < self.version.key():
            return False
        # ~0.0.0 with all parts written is any version (constraints.go, constraintTilde).
        fixed = min(self.given, 2)
        return version[:fixed] == self.version[:fixed]

    def _caret(self, version: _Version) -> bool:
        if version.key() < self.version.key():
            return False
        if self.version.major > 0 or self.given == 1:
            return self.given == 0 or version.major == self.version.major
        if version.major > 0:
            return self.given == 0
        if self.version.minor > 0 or self.given == 2:
            return version.minor == self.version.minor
        if version.minor > 0:
            return False
        return version.patch == self.version.patch


def _version(text: str) -> _Version:
    found = _VERSION.fullmatch(text)
    if not found:
        raise FunctionFault("invalid semantic version")
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    return _Version(major, minor, patch, found["pre"] or "")


def _constraints(text: str) -> list[list[_Constraint]]:
    made = []
    for alternative in text.split("||"):
        parts = list(_AND.split(_RANGE.sub(r" >=\1,<=\2 ", alternative).strip()))
        row = []
        for part in parts:
            found = _CONSTRAINT.fullmatch(part)
            if not found:
                raise FunctionFault(f"improper constraint: {text}")
            row.append(_constraint(found))
        made.append(row)
    return made


def _constraint(found: re.Match[str]) -> _Constraint:
    numbers: list[int] = []
    for name in ("major", "minor", "patch"):
        part = found[name]
        if part is None or part in "xX*":
            break
        numbers.append(int(part))
    given = len(numbers)
    major, minor, patch = numbers + [0] * (3 - given)
    pre = (found["pre"] or "") if given == 3 else ""
    return _Constraint(found["op"] or "", _Version(major, minor, patch, pre), given)


def _semvercmp(version: Value, constraint: Value) -> Value:
    parsed = _version(version.text)
    rows = _constraints(constraint.text)
    return boolean(any(all(one.allows(parsed) for one in row) for row in rows))


VERSIONS = {"semvercmp": function("version:s contraint:s", _semvercmp)}

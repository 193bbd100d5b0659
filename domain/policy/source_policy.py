"""BuildKit's source policies (sourcepolicy/pb/policy.proto, engine.go, matcher.go)."""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum
from typing import TypeVar

from img.domain.bake.regexp.machine import Regexp, Spans, compile_regexp
from img.domain.bake.regexp.parser import BadRegexp
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.oci.fields import Fields, InvalidDocument
from img.domain.policy.violation import PolicyViolated

LARGEST = 4 << 20  # bytes of a policy
_MOST_CONVERSIONS = 20
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_NAME = "source policy"


class BadSourcePolicy(UsageError):
    """A source policy that cannot be read."""


class Action(Enum):
    """The effect of a rule."""

    ALLOW = 0
    DENY = 1
    CONVERT = 2


class MatchType(Enum):
    """The kind of a pattern."""

    WILDCARD = 0
    EXACT = 1
    REGEX = 2


class Condition(Enum):
    """The comparison of an attribute."""

    EQUAL = 0
    NOTEQUAL = 1
    MATCHES = 2


_Choice = TypeVar("_Choice", Action, MatchType, Condition)


@dataclass(frozen=True, slots=True)
class Source:
    """A source of a build by BuildKit's name, such as ``docker-image://…``, and its attributes."""

    identifier: str
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A condition of an attribute; one that is absent is ""."""

    key: str
    value: str
    condition: Condition

    def holds(self, attributes: Mapping[str, str]) -> bool:
        """Return whether the condition is true."""
        actual = attributes.get(self.key, "")
        match self.condition:
            case Condition.EQUAL:
                return actual == self.value
            case Condition.NOTEQUAL:
                return actual != self.value
            case Condition.MATCHES:
                return _compiled(self.value).find(actual, 0, _free) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern of sources, and the action for those that match."""

    action: Action
    identifier: str
    match_type: MatchType = MatchType.WILDCARD
    constraints: tuple[Constraint, ...] = ()
    new_identifier: str = ""
    new_attributes: Mapping[str, str] | None = field(default=None, hash=False)

    def matches(self, source: Source) -> bool:
        """Return whether the rule is about ``source``."""
        if not all(each.holds(source.attributes) for each in self.constraints):
            return False
        if source.identifier == self.identifier:
            return True
        return self.match_type is not MatchType.EXACT and (
            self._pattern().find(source.identifier, 0, _free) is not None
        )

    def converted(self, source: Source) -> Source:
        """Return the source that replaces ``source``."""
        wanted = self._formatted(source.identifier, self.new_identifier or self.identifier)
        return Source(
            wanted or source.identifier, {**source.attributes, **(self.new_attributes or {})}
        )

    def __str__(self) -> str:
        return f"{self.action.name} {self.identifier}"

    def _pattern(self) -> Regexp:
        if self.match_type is MatchType.REGEX:
            return _compiled(self.identifier)
        return _compiled(_of_wildcard(self.identifier))

    def _formatted(self, text: str, template: str) -> str:
        """Return ``template`` with ``$1`` or ``${1}`` replaced (Go's regexp, Expand)."""
        match self.match_type:
            case MatchType.EXACT:
                return template
            case MatchType.WILDCARD:
                pattern = self._pattern()
                spans = pattern.find(text, 0, _free)
                return text if spans is None else _expanded(template, text, spans, pattern.names)
            case MatchType.REGEX:
                return _replaced(self._pattern(), text, template)


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """Rules; of ALLOW and DENY the last one that matches decides, CONVERT starts again."""

    rules: tuple[Rule, ...]
    name: str = ""  # of its file, for messages

    @classmethod
    def parse(cls, content: bytes, name: str) -> "SourcePolicy":
        """Return the policy in a JSON file. Raises BadSourcePolicy."""
        try:
            fields = Fields.parse(content, _NAME)
            fields.number("version")
            rules = tuple(_rule(each, number) for number, each in enumerate(_list(fields, "rules")))
            _refuse_others(fields)
        except InvalidDocument as error:
            raise BadSourcePolicy(f"{name}: {error.message}") from None
        return cls(rules, name)


def evaluated(policies: tuple[SourcePolicy, ...], source: Source) -> Source:
    """Return the source that ``policies`` choose in place of ``source``, which may be the same one.

    Each conversion starts again with the first policy. Raises PolicyViolated for a source that is
    denied, or converted without end.
    """
    for _ in range(_MOST_CONVERSIONS + 1):
        changed = _converted(policies, source)
        if changed is None:
            return source
        source = changed
    raise PolicyViolated("CONVERT", f"{source.identifier} is converted again and again")


def _converted(policies: tuple[SourcePolicy, ...], source: Source) -> Source | None:
    for policy in policies:
        denied: Rule | None = None
        for rule in policy.rules:
            if not rule.matches(source):
                continue
            match rule.action:
                case Action.ALLOW:
                    denied = None
                case Action.DENY:
                    denied = rule
                case Action.CONVERT:
                    changed = rule.converted(source)
                    if changed != source:
                        return changed
        if denied is not None:
            raise PolicyViolated(
                f"{denied}, {policy.name}", f"{source.identifier} is denied", hint=None
            )
    return None


def _rule(fields: Fields, number: int) -> Rule:
    action = _choice(fields, "action", Action)
    selector = fields.nested("selector")
    if selector is None:
        fields.refuse("selector", "is missing")
    rule = Rule(
        action=action,
        identifier=selector.required_text("identifier"),
        match_type=_choice(selector, "match_type", MatchType),
        constraints=tuple(
            Constraint(
                key=each.required_text("key"),
                value=each.text("value"),
                condition=_choice(each, "condition", Condition),
            )
            for each in _list(selector, "constraints")
        ),
    )
    _refuse_others(selector)
    updates = fields.nested("updates")
    if action is Action.CONVERT and updates is None:
        fields.refuse("updates", "is missing, and a CONVERT needs it")
    if updates is not None:
        has_attributes = "attrs" in updates
        attributes = updates.text_map("attrs")
        rule = replace(
            rule,
            new_identifier=updates.text("identifier"),
            new_attributes=attributes if has_attributes else None,
        )
        _refuse_others(updates)
    _refuse_others(fields)
    _check_patterns(rule, number)
    return rule


def _list(fields: Fields, name: str) -> tuple[Fields, ...]:
    return fields.nested_list(name)


def _refuse_others(fields: Fields) -> None:
    """Refuse unknown fields: a rule with a misspelled word would allow what it should deny."""
    for name in fields.rest():
        fields.refuse(name, "is unknown")


def _choice(fields: Fields, name: str, kind: type[_Choice]) -> _Choice:
    """Return a choice by its name or its number; 0 if it is absent (protobuf's JSON)."""
    value = fields.peek(name)
    if value is None or isinstance(value, int):
        number = fields.number(name)
        found = next((each for each in kind if each.value == number), None)
    else:
        word = fields.text(name)
        found = next((each for each in kind if each.name == word), None)
    if found is None:
        fields.refuse(name, f"must be one of {', '.join(each.name for each in kind)}")
    return found


def _check_patterns(rule: Rule, number: int) -> None:
    try:
        if rule.match_type is not MatchType.EXACT:
            rule._pattern()
        for each in rule.constraints:
            if each.condition is Condition.MATCHES:
                _compiled(each.value)
    except (BadRegexp, BadSourcePolicy) as error:
        raise InvalidDocument(_NAME, f"rules[{number}]", str(error)) from None


def _of_wildcard(text: str) -> str:
    """Return the regular expression for a wildcard (BuildKit, util/wildcard)."""
    if "**" in text:
        raise BadSourcePolicy(f'invalid wildcard "**" in {text!r}')
    quoted = "".join(f"\\{each}" if each in r"\.+?()|[]{}^$" else each for each in text)
    return f"^{quoted.replace('*', '(.*)')}$"


def _compiled(pattern: str) -> Regexp:
    return compile_regexp(pattern)


def _free(_steps: int) -> None:
    """Count nothing: the time is linear, and names are short."""


def _expanded(template: str, text: str, spans: Spans, names: tuple[str, ...] | list[str]) -> str:
    def group(found: "re.Match[str]") -> str:
        if found[1]:
            return "$"
        word = found[2] or found[3]
        if word.isdecimal():
            number = int(word)
        else:
            number = [*names].index(word) + 1 if word in names else -1
        if not 0 <= number < len(spans) // 2:
            return ""
        start, end = spans[2 * number : 2 * number + 2]
        return "" if start < 0 else text[start:end]

    return _REFERENCE.sub(group, template)


def _replaced(pattern: Regexp, text: str, template: str) -> str:
    made: list[str] = []
    at = 0
    for spans in pattern.find_all(text, _free):
        made += (text[at : spans[0]], _expanded(template, text, spans, pattern.names))
        at = spans[1]
    return "".join([*made, text[at:]])

"""Functions of regular expressions (cty/function/stdlib/regexp.go)."""

import re
from collections.abc import Callable

from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import Function, FunctionFault
from img.domain.bake.regexp.machine import Regexp, Spans, compile_regexp
from img.domain.bake.regexp.parser import BadRegexp
from img.domain.bake.values.types import STRING, ObjectOf, TupleOf, Type
from img.domain.bake.values.value import Value, list_of, null, object_of, string, tuple_of

Spend = Callable[[int], None]
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def _compiled(pattern: str) -> Regexp:
    try:
        regexp = compile_regexp(pattern)
    except BadRegexp as error:
        kind, _, where = str(error).partition(": ")
        message = f"{kind} in {where.strip('`')}" if where else kind
        raise FunctionFault(f"invalid regexp pattern: {message}", 0) from None
    if any(regexp.names) and not all(regexp.names):
        raise FunctionFault(
            "invalid regexp pattern: cannot mix both named and unnamed capture groups", 0
        )
    return regexp


def _result(regexp: Regexp, text: str, spans: Spans) -> Value:
    if not regexp.names:
        return string(text[spans[0] : spans[1]])
    groups = []
    for at in range(2, len(spans), 2):
        start, end = spans[at : at + 2]
        groups.append(null(STRING) if start < 0 or end < 0 else string(text[start:end]))
    if regexp.names[0]:
        return object_of(dict(zip(regexp.names, groups, strict=True)))
    return tuple_of(groups)


def _type(regexp: Regexp) -> Type:
    if not regexp.names:
        return STRING
    if regexp.names[0]:
        return ObjectOf(dict.fromkeys(regexp.names, STRING))
    return TupleOf((STRING,) * len(regexp.names))


def _regex(pattern: Value, text: Value, spend: Spend) -> Value:
    regexp = _compiled(pattern.text)
    found = regexp.find(text.text, 0, spend)
    if found is None:
        raise FunctionFault("pattern did not match any part of the given string")
    return _result(regexp, text.text, found)


def _regexall(pattern: Value, text: Value, spend: Spend) -> Value:
    regexp = _compiled(pattern.text)
    found = [_result(regexp, text.text, spans) for spans in regexp.find_all(text.text, spend)]
    return list_of(_type(regexp), found)


def _regex_replace(text: Value, pattern: Value, replacement: Value, spend: Spend) -> Value:
    try:
        regexp = compile_regexp(pattern.text)
    except BadRegexp as error:
        raise FunctionFault(f"error parsing regexp: {error}") from None
    made, at = [], 0
    for spans in regexp.find_all(text.text, spend):
        made.append(text.text[at : spans[0]])
        made.append(_expanded(regexp, replacement.text, text.text, spans))
        at = spans[1]
        spend(1 + len(made[-1]) // 64)
    return string("".join(made) + text.text[at:])


def _expanded(regexp: Regexp, template: str, text: str, spans: Spans) -> str:
    def group(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        name = found[2] or found[3]
        if name.isascii() and name.isdigit():
            number = int(name[:9])
        elif name in regexp.names:
            number = regexp.names.index(name) + 1
        else:
            return ""
        if 2 * number >= len(spans) or spans[2 * number] < 0:
            return ""
        return text[spans[2 * number] : spans[2 * number + 1]]

    return _REFERENCE.sub(group, template)


def pattern_functions(spend: Spend) -> dict[str, Function]:
    """Return the functions; ``spend`` counts the work of patterns."""
    return {
        "regex": function("pattern:s string:s", lambda p, s: _regex(p, s, spend)),
        "regexall": function("pattern:s string:s", lambda p, s: _regexall(p, s, spend)),
        "regex_replace": function(
            "str:s pattern:s replace:s", lambda s, p, r: _regex_replace(s, p, r, spend)
        ),
    }

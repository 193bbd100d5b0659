"""BuildKit's source policies, with the cases of its own engine."""

import json

import pytest

from img.domain.policy.source_policy import BadSourcePolicy, Source, SourcePolicy, evaluated
from img.domain.policy.violation import PolicyViolated

_BUSYBOX = "docker-image://docker.io/library/busybox:latest"
_ALPINE = "docker-image://docker.io/library/alpine:latest"


def _policy(*rules: dict[str, object]) -> SourcePolicy:
    return SourcePolicy.parse(json.dumps({"version": 1, "rules": rules}).encode(), "p.json")


def _rule(action: str, identifier: str, to: str = "", **selector: object) -> dict[str, object]:
    rule: dict[str, object] = {
        "action": action,
        "selector": {"identifier": identifier, **selector},
    }
    return rule | ({"updates": {"identifier": to}} if to else {})


def _evaluated(source: str, *rules: dict[str, object], **attributes: str) -> str:
    return evaluated((_policy(*rules),), Source(source, attributes)).identifier


def test_without_a_rule_that_matches_a_source_is_allowed() -> None:
    assert _evaluated(_BUSYBOX) == _BUSYBOX
    assert _evaluated(_BUSYBOX, _rule("DENY", _ALPINE)) == _BUSYBOX


def test_the_last_of_allow_and_deny_decides() -> None:
    allow, deny = _rule("ALLOW", _BUSYBOX), _rule("DENY", _BUSYBOX)

    assert _evaluated(_BUSYBOX, deny, allow) == _BUSYBOX
    assert _evaluated(_BUSYBOX, allow, deny, allow) == _BUSYBOX
    with pytest.raises(PolicyViolated, match=r"busybox:latest is denied \(policy: DENY .*p.json"):
        _evaluated(_BUSYBOX, allow, deny)


def test_each_policy_has_to_allow_a_source() -> None:
    policies = (_policy(_rule("ALLOW", _BUSYBOX)), _policy(_rule("DENY", _BUSYBOX)))

    with pytest.raises(PolicyViolated):
        evaluated(policies, Source(_BUSYBOX))


@pytest.mark.parametrize(
    ("kind", "pattern", "matches"),
    [
        ("WILDCARD", "docker-image://docker.io/*", True),
        ("WILDCARD", "*busybox*", True),
        ("WILDCARD", "docker-image://docker.io/library/busybox", False),
        ("WILDCARD", "docker-image://docker-io/*", False),
        ("EXACT", _BUSYBOX, True),
        ("EXACT", "docker-image://docker.io/*", False),
        ("REGEX", r"docker\.io/library/[a-c]", True),
        ("REGEX", r"^docker-image://[^/]+$", False),
        (0, "*", True),
        (2, "^x", False),
    ],
)
def test_patterns(kind: object, pattern: str, matches: bool) -> None:
    rule = _rule("DENY", pattern, match_type=kind)

    if matches:
        with pytest.raises(PolicyViolated):
            _evaluated(_BUSYBOX, rule)
    else:
        assert _evaluated(_BUSYBOX, rule) == _BUSYBOX


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("EQUAL", "sha256:1", True),
        ("EQUAL", "sha256:2", False),
        ("NOTEQUAL", "sha256:2", True),
        ("NOTEQUAL", "sha256:1", False),
        ("MATCHES", "^sha256:", True),
        ("MATCHES", "^sha512:", False),
    ],
)
def test_conditions_of_attributes(condition: str, value: str, holds: bool) -> None:
    constraint = {"key": "http.checksum", "value": value, "condition": condition}
    policy = _policy(_rule("DENY", "https://*", constraints=[constraint]))
    source = Source("https://a/b", {"http.checksum": "sha256:1"})

    if holds:
        with pytest.raises(PolicyViolated):
            evaluated((policy,), source)
    else:
        assert evaluated((policy,), source) == source


@pytest.mark.parametrize(
    ("kind", "pattern", "to", "made"),
    [
        ("EXACT", _BUSYBOX, _ALPINE, _ALPINE),
        (
            "WILDCARD",
            "docker-image://docker.io/library/*:*",
            "docker-image://r.example/${1}:$2-$$1",
            "docker-image://r.example/busybox:latest-$1",
        ),
        ("REGEX", r"docker\.io/(?P<path>.*)", "r.example/${path}",
         "docker-image://r.example/library/busybox:latest"),
    ],
)  # fmt: skip
def test_sources_are_converted(kind: str, pattern: str, to: str, made: str) -> None:
    assert _evaluated(_BUSYBOX, _rule("CONVERT", pattern, to, match_type=kind)) == made


def test_a_converted_source_is_judged_again() -> None:
    convert = _rule("CONVERT", _BUSYBOX, _ALPINE)

    assert _evaluated(_BUSYBOX, convert, _rule("DENY", _BUSYBOX)) == _ALPINE
    with pytest.raises(PolicyViolated, match="alpine:latest is denied"):
        _evaluated(_BUSYBOX, convert, _rule("DENY", "*alpine*"))
    with pytest.raises(PolicyViolated, match="again and again"):
        _evaluated(_BUSYBOX, convert, _rule("CONVERT", _ALPINE, _BUSYBOX))


def test_attributes_are_added() -> None:
    rule = _rule("CONVERT", "https://a/*") | {"updates": {"attrs": {"http.checksum": "sha256:1"}}}

    found = evaluated((_policy(rule),), Source("https://a/b"))

    # As BuildKit, which takes the pattern itself without an identifier.
    assert found.attributes == {"http.checksum": "sha256:1"}
    exact = _rule("CONVERT", "https://a/b") | {"updates": {"attrs": {"http.checksum": "sha256:1"}}}
    assert evaluated((_policy(exact),), Source("https://a/b")).identifier == "https://a/b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no JSON"),
        (b"[]", "must be an object"),
        (b'{"rulez":[]}', "rulez"),
        (b'{"rules":{}}', "must be a list"),
        (b'{"rules":[{"action":"DENY"}]}', "selector"),
        (b'{"rules":[{"action":"BLOCK","selector":{"identifier":"*"}}]}', "ALLOW, DENY, CONVERT"),
        (b'{"rules":[{"action":7,"selector":{"identifier":"*"}}]}', "ALLOW, DENY, CONVERT"),
        (b'{"rules":[{"action":true,"selector":{"identifier":"*"}}]}', "must be"),
        (b'{"rules":[{"action":"DENY","selector":{}}]}', "identifier"),
        (b'{"rules":[{"action":"DENY","selector":{"identifier":"**"}}]}', "invalid wildcard"),
        (b'{"rules":[{"action":"DENY","selector":{"identifier":"(","match_type":2}}]}', "rules"),
        (b'{"rules":[{"action":"DENY","selector":{"identifier":"*","matchtype":2}}]}', "unknown"),
        (b'{"rules":[{"action":"CONVERT","selector":{"identifier":"*"}}]}', "updates"),
    ],
)
def test_wrong_policies_are_refused(text: bytes, says: str) -> None:
    with pytest.raises(BadSourcePolicy, match=says):
        SourcePolicy.parse(text, "p.json")

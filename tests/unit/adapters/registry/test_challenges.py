"""Challenges of registries in WWW-Authenticate."""

import pytest

from img.adapters.registry.challenges import parse_challenges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        # RFC 9110, 5.6.3: blanks beside the "=" are to be taken, and not to be made.
        ('Bearer realm = "x"', [("bearer", {"realm": "x"})]),
        ('Bearer realm ="x",service="y"', [("bearer", {"realm": "x", "service": "y"})]),
        (
            'Bearer realm="x",service=\t"y" , scope =z',
            [("bearer", {"realm": "x", "service": "y", "scope": "z"})],
        ),
        ('Negotiate, Basic realm = "x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Bearer  realm="x" , service="y"', [("bearer", {"realm": "x", "service": "y"})]),
        # It knows one challenge a header; RFC 9110 lets a header hold several.
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate YII=, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate YI==,Bearer realm="x"', [("negotiate", {}), ("bearer", {"realm": "x"})]),
        ("NTLM a/b+c, Basic", [("ntlm", {}), ("basic", {})]),
        (
            'Basic realm="a,b", Bearer realm="c"',
            [("basic", {"realm": "a,b"}), ("bearer", {"realm": "c"})],
        ),
        ('Bearer realm="\\"a\\\\"', [("bearer", {"realm": '"a\\'})]),
        ("", []),
        (", ,", []),
    ],
)
def test_a_header_has_its_challenges(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    challenges = parse_challenges([header])

    assert [(each.scheme, dict(each.parameters)) for each in challenges] == found

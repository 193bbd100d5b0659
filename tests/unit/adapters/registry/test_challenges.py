"""What registries offer in WWW-Authenticate."""

import pytest

from img.adapters.registry.challenges import parse_challenges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        # As distribution reads them (internal/client/auth/challenge, parseValueAndParams).
        ('Bearer realm = "x"', [("bearer", {})]),
        ('Bearer realm ="x",service="y"', [("bearer", {})]),
        ('Bearer realm="x",service= "y",scope="z"', [("bearer", {"realm": "x"})]),
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

"""Tests of names and rights in the cache service of GitHub Actions."""

import json
from base64 import urlsafe_b64encode

import pytest

from img.domain.actions_cache import (
    ENTRY_VERSION,
    ActionsScope,
    InvalidActionsToken,
    blob_key,
    index_key,
    index_number,
    scopes_of,
)
from img.domain.digest import Digest

NOW = 1000.0
MAIN = ActionsScope(name="refs/heads/main", can_read=True, can_write=False)
BRANCH = ActionsScope(name="refs/heads/b", can_read=True, can_write=True)


def a_token(**claims: object) -> str:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


def test_scopes_are_those_of_the_claim() -> None:
    access = '[{"Scope":"refs/heads/b","Permission":3},{"Scope":"refs/heads/main","Permission":1}]'

    assert scopes_of(a_token(ac=access, exp=1001, nbf=999), NOW) == (BRANCH, MAIN)


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("", "no JSON Web Token"),
        ("a.b", "no JSON Web Token"),
        ("a.é.c", "no JSON Web Token"),
        ("a.!!!.c", "no JSON Web Token"),
        (f"a.{urlsafe_b64encode(b'[1]').decode()}.c", "no JSON Web Token"),
        (a_token(), "names no scopes"),
        (a_token(ac="["), "names no scopes"),
        (a_token(ac='{"Scope":"x"}'), "names no scopes"),
        (a_token(ac="[]", exp=1000), "has expired"),
        (a_token(ac="[]", nbf=1001), "not valid yet"),
    ],
)
def test_a_token_that_cannot_be_used(token: str, problem: str) -> None:
    with pytest.raises(InvalidActionsToken, match=problem):
        scopes_of(token, NOW)


def test_what_is_no_scope_is_passed_over() -> None:
    access = json.dumps([None, {"Scope": 1, "Permission": 3}, {"Scope": "x", "Permission": 2}])

    (scope,) = scopes_of(a_token(ac=access), NOW)

    assert scope == ActionsScope(name="x", can_read=False, can_write=True)


def test_keys_and_version_are_those_of_buildkit() -> None:
    digest = Digest.of(b"")

    assert ENTRY_VERSION == "693bb7016429d80366022f036f84856888c9f13e00145f5f6f4dce303a38d6f2"
    assert blob_key(digest) == f"buildkit-blob-1-{digest}"
    assert index_key("buildkit", "refs/heads/main", 7) == "index-buildkit-1-f921bd05#7"
    assert index_number(index_key("s#1", "x", 7)) == 7
    assert index_number("index-s-1-0123#x") == 0

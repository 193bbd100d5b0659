"""Identities that signatures without a key are required to have."""

import pytest

from img.domain.errors import UsageError
from img.domain.signing.identity import Identity, Wanted


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        (Wanted(text="a@b"), "a@b", True),
        (Wanted(text="a@b"), "xa@b", False),
        (Wanted(pattern="a@"), "xa@b", True),  # as cosign: a match anywhere
        (Wanted(pattern="^a@"), "xa@b", False),
        (Wanted(text="a@b", pattern="^x"), "a@b", False),
        (Wanted(), "", False),
        (Wanted(pattern="a"), "a" * 5000, False),
    ],
)
def test_a_text_or_a_pattern_decides(wanted: Wanted, found: str, fits: bool) -> None:
    assert wanted.fits(found) is fits


def test_identity_and_issuer_are_both_required() -> None:
    for subject, issuer in ((Wanted(text="a"), Wanted()), (Wanted(), Wanted(text="b"))):
        with pytest.raises(UsageError, match="an identity and its issuer"):
            Identity(subject=subject, issuer=issuer)
    with pytest.raises(UsageError, match="invalid regular expression"):
        Wanted(pattern="(")


def test_the_found_identity_is_named() -> None:
    identity = Identity(subject=Wanted(text="a"), issuer=Wanted(text="b"))

    assert identity.problem(["x", "a"], "b") == ""
    assert identity.problem(["x", "y"], "b") == "one is by x, y, not by a"
    assert identity.problem(["a"], "c") == "one is by an identity of c, not of b"
    assert identity.problem([], "") == "one is by an identity of nothing, not of b"

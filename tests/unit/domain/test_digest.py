"""Digests: of known algorithms, and of others that documents may name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import DIGITS, Digest, InvalidDigest, UnsupportedDigest

_WORDS = st.text("abz09", min_size=1, max_size=4)
_ALGORITHMS = st.builds(
    lambda first, rest: first + "".join(rest),
    _WORDS,
    st.lists(st.builds("{}{}".format, st.sampled_from("+._-"), _WORDS), max_size=2),
)
_ENCODED = st.text("aZ09=_-", min_size=1, max_size=40)


@given(st.binary(), st.sampled_from(sorted(DIGITS)))
def test_what_was_computed_is_read_again(content: bytes, algorithm: str) -> None:
    digest = Digest(algorithm, "0" * DIGITS[algorithm]).of_same(content)

    assert Digest.parse(str(digest)) == Digest.of_document(str(digest)) == digest


@given(_ALGORITHMS.filter(lambda algorithm: algorithm not in DIGITS), _ENCODED)
def test_a_document_may_name_what_nobody_here_can_verify(algorithm: str, encoded: str) -> None:
    text = f"{algorithm}:{encoded}"
    digest = Digest.of_document(text)

    assert str(digest) == text
    with pytest.raises(InvalidDigest):
        Digest.parse(text)
    with pytest.raises(UnsupportedDigest, match="sha256"):
        digest.of_same(b"")


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "a:", ":a", "sha256", "a/b:c", "../a:b", "a:../b", "a:b/c", "A:b", "a+:b"),
        *("a:b+c", "a b:c", "a:b\n", "sha256:00", f"sha256:{'A' * 64}", f"a:{'b' * 200}"),
    ],
)
def test_what_is_no_digest_is_refused_wherever_it_stands(text: str) -> None:
    for parse in (Digest.parse, Digest.of_document):
        with pytest.raises(InvalidDigest):
            parse(text)

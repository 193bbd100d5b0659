"""Names of images, as users type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.image_name import AmbiguousImage, ImageName
from img.domain.reference import ImageReference, InvalidReference

DIGEST = Digest.of(b"image")
OTHER = Digest("sha512", DIGEST.encoded + "0" * 64)


@pytest.mark.parametrize("text", ["app", "app:1", "quay.io/a/b", f"app@{DIGEST}", "no-id"])
def test_most_texts_are_names_and_nothing_else(text: str) -> None:
    name = ImageName.parse(text)

    assert name == ImageName(text=text, reference=ImageReference.parse(text))
    assert not name.may_be(DIGEST)
    assert name.digest is None


@pytest.mark.parametrize("text", [str(DIGEST), DIGEST.encoded])
def test_an_id_in_full_is_no_name(text: str) -> None:
    name = ImageName.parse(text)

    assert name.reference is None
    assert name.digest == DIGEST
    assert name.may_be(DIGEST)


@pytest.mark.parametrize("length", [1, 4, 12, 63])
@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_what_is_cut_short_may_be_both(prefix: str, length: int) -> None:
    text = prefix + DIGEST.encoded[:length]
    name = ImageName.parse(text)

    assert name.reference == ImageReference.parse(text)
    assert name.digest is None
    assert name.may_be(DIGEST)
    assert name.may_be(OTHER) is (prefix == "")
    assert not name.may_be(Digest.of(b"another"))


@pytest.mark.parametrize(
    "text", ["", "A", "sha256:", "sha256:xyz!", f"sha256:{DIGEST.encoded.upper()}@", "0" * 65 + ":"]
)
def test_what_can_be_neither_is_refused_as_a_name(text: str) -> None:
    with pytest.raises(InvalidReference):
        ImageName.parse(text)


_LIKE_IDS = st.from_regex(r"(sha256:|sha512:)?[a-f0-9]{0,140}(@|:)?", fullmatch=True)


@given(st.one_of(st.text(), _LIKE_IDS))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        name = ImageName.parse(text)
    except ImgError:
        return
    assert name.text == text
    assert (name.reference is None) == (name.digest is not None)
    assert not name.digits or text.endswith(name.digits)


def test_of_many_candidates_some_are_shown() -> None:
    error = AmbiguousImage("ab", [f"ab{i}" for i in range(7)])

    assert error.message.endswith(": ab0, ab1, ab2, ab3, ab4 and 2 more")
    assert "more of the ID" in (error.hint or "")

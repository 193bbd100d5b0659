"""URLs are shown without what opens them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.url import Url, redact_credentials, redact_urls

_PART = st.text("abcXYZ019.-_~%!$&'()*+,;=", min_size=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ada:lovelace@host/x", "https://xxxxx:xxxxx@host/x"),
        ("https://t0ken@github.com/a/b.git#main", "https://xxxxx@github.com/a/b.git#main"),
        ("https://a@b@host/", "https://xxxxx@host/"),
        ("RUN git clone https://t@h/x && curl 'http://u:p@h'", None),
        ('["curl","https://u:p@h/x","a@b"]', '["curl","https://xxxxx:xxxxx@h/x","a@b"]'),
        ("X=http://u:p@proxy:3128/", "X=http://xxxxx:xxxxx@proxy:3128/"),
        ("https://h/x?a=1&X-Amz-Signature=ab12&b=2", "https://h/x?a=1&X-Amz-Signature=xxxxx&b=2"),
        ("https://h/x?sig=a%2Fb", "https://h/x?sig=xxxxx"),
        ("https://h/x?access_token=a", "https://h/x?access_token=xxxxx"),
        ("https://h/x?private_token=a;y=1", "https://h/x?private_token=xxxxx;y=1"),
        ("'https://h/x?token=a' b", "'https://h/x?token=xxxxx' b"),
    ],
)
def test_secrets_in_urls_are_hidden(text: str, expected: str | None) -> None:
    found = redact_urls(text)

    assert found == expected or expected is None
    assert "p@" not in found
    assert "t@" not in found


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a@b",
        "https://host/x?tokens=1&design=2&assign=3",
        "git@github.com:a/b.git",
        "mailto:ada@host",
        "no URL: a://",
        "COPY a@b /",
        "RUN echo :// @",
    ],
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert redact_urls(text) == text


@given(user=_PART, password=_PART, before=st.text(), after=st.text())
def test_no_password_is_left_in_any_text(user: str, password: str, before: str, after: str) -> None:
    url = f"https://{user}:{password}@host/path"
    text = f"{before} {url} {after}"

    assert f":{password}@" not in redact_urls(text).replace(before, "")
    assert redact_urls(url) == redact_credentials(url) == "https://xxxxx:xxxxx@host/path"


@pytest.mark.parametrize("unit", ["a", "a://", "https://x@", "?token", "://", "https://h?a=1&"])
def test_long_texts_take_no_quadratic_time(unit: str) -> None:
    redact_urls(unit * (1_000_000 // len(unit)))


_PIECES = st.sampled_from(
    ["h", ".io", ":80", "u:p@", "@", "/", "a b", "é", "%2f", "%zz", "{", "[::1]", "?q=1", "#f", "%"]
)


@given(st.lists(_PIECES, max_size=6).map(lambda pieces: "https://" + "".join(pieces)))
def test_an_address_is_written_once_and_for_all(text: str) -> None:
    url = Url.parse(text)
    if url is None:
        return

    again = Url.parse(url.address)

    assert again is not None
    assert (again.address, again.host, again.path) == (url.address, url.host, url.path)
    assert again.user == url.user
    assert " " not in url.address


def test_text_that_is_no_utf8_is_kept_as_its_bytes() -> None:
    url = Url.parse("https://h/\udce9")
    assert url is not None
    assert url.address == "https://h/%E9"

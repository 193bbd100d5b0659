"""Forms of secrets in files."""

import base64
import json
import shlex
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.secret_forms import SHORTEST, forms_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).map(
    lambda text: text.encode()
)
SECRETS = TEXTS.filter(lambda value: len(value.strip()) >= SHORTEST)

DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "base64": base64.b64encode,
    "base64 of a pair": lambda value: base64.b64encode(b"user:" + value + b":x"),
    "base64 of a line": lambda value: base64.b64encode(b"u" + value + b"\n"),
    "wrapped base64": base64.encodebytes,
    "URL-safe base64": base64.urlsafe_b64encode,
    "URL-quoted": lambda value: quote(value, safe="").encode(),
    "URL-quoted path": lambda value: quote(value).encode(),
    "form": lambda value: quote_plus(value).encode(),
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "JSON": lambda value: json.dumps(value.decode()).encode(),
    "JSON in UTF-8": lambda value: json.dumps(value.decode(), ensure_ascii=False).encode(),
    "XML": lambda value: escape(value.decode()).encode(),
    "UTF-16": lambda value: value.decode().encode("utf-16-le"),
    "reversed": lambda value: value[::-1],
}


@pytest.mark.parametrize("disguise", DISGUISES)
@given(secret=SECRETS, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_secret_is_found_in_each_disguise(
    disguise: str, secret: bytes, before: bytes, after: bytes
) -> None:
    text = before + DISGUISES[disguise](secret.strip()) + after

    assert any(form in text for form in forms_of(secret))


@given(secret=SECRETS)
def test_a_secret_is_found_where_a_shell_quotes_it(secret: bytes) -> None:
    quoted = shlex.quote(secret.strip().decode()).replace("'\"'\"'", "'\\''")

    assert any(form in quoted.encode() for form in forms_of(secret))


@given(secret=SECRETS, text=st.binary(max_size=200))
def test_each_form_is_long_and_says_what_it_is(secret: bytes, text: bytes) -> None:
    forms = forms_of(secret)

    assert all(len(form) >= SHORTEST and name for form, name in forms.items())


@pytest.mark.parametrize("value", [b"", b"12345", b"  1234 \n"])
def test_short_values_have_no_forms(value: bytes) -> None:
    assert forms_of(value) == {}

"""Files about registries with anything at all in them: rules, or an error that names the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.adapters.registry.registries_conf import read_registry_rules
from img.domain.errors import ImgError
from img.domain.reference import ImageReference
from img.domain.registries import RegistriesUnreadable

_KEYS = (
    *("registry", "prefix", "location", "insecure", "blocked", "mirror", "pull-from-mirror"),
    *("mirror-by-digest-only", "aliases", "registries", "block", "mirrors", "http", "server"),
    *("host", "capabilities", "skip_verify", "https://m.test/v2", "quay.io", "ca", "x"),
)
_TEXTS = ("", "quay.io", "*.io", "m.test/v2", "http://[::1", "https://m.test", "QUAY", "all", "/")
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from(_TEXTS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=4)


def _toml(value: Any) -> str:
    """Return the value as TOML has it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _use(place: Path) -> None:
    rules = read_registry_rules({"IMG_REGISTRIES_CONF": str(place)})
    for name in ("quay.io/a/b", "docker.io/library/x:1"):
        reference = ImageReference.parse(name)
        rules.is_insecure(reference.repository)
        rules.pull_places(reference)
        rules.push_place(reference)


@given(document=_DOCUMENTS, as_hosts=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_file_says_it_is_rules_or_an_error(
    document: dict[str, Any], as_hosts: bool, tmp_path: Path
) -> None:
    text = "\n".join(f"{json.dumps(key)} = {_toml(value)}" for key, value in document.items())
    place = tmp_path / "conf"
    file = place / "quay.io" / "hosts.toml" if as_hosts else tmp_path / "registries.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    try:
        _use(place if as_hosts else file)
    except ImgError as error:
        assert error.message  # a message is all that is promised


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + b"[" * 50_000,
        b"a = " + b"9" * 5000,
        b"a = \xff",
        b"\x00",
        b"a",
        b"a.b.c.d = 1\na.b = 2",
    ],
    ids=["deep", "long number", "no UTF-8", "NUL", "no value", "twice"],
)
def test_what_is_no_toml_is_told_with_the_file(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "registries.conf"
    file.write_bytes(text)

    with pytest.raises(RegistriesUnreadable, match=r"registries\.conf"):
        read_registry_rules({"IMG_REGISTRIES_CONF": str(file)})

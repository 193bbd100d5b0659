"""Arbitrary content in files of credentials: it gives credentials, none, or an error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.adapters.credential_store.containers_auth import (
    ContainersAuthCredentials,
    DockercfgCredentials,
)
from img.adapters.credential_store.docker_config import DockerConfigCredentials
from img.adapters.linux.outsider import HelperResult
from img.application.ports.credential_store import Credentials, CredentialsUnreadable
from img.domain.reference import DOCKER_HUB_SERVER

_KEYS = (
    *("auths", "credHelpers", "credsStore", "quay.io", "auth", "username", "password", "docker.io"),
    *("identitytoken", "registrytoken", DOCKER_HUB_SERVER, "quay.io/team", "https://quay.io/v1/"),
)
_LEAVES = (None, True, 0, 1e300, "", "YTpi", "YQ==", "\ud800", "keys", "../sh", "\x00", "a" * 300)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=10,
)
_ANSWERS = st.one_of(
    st.binary(max_size=8), _VALUES.map(lambda value: json.dumps(value).encode("utf-8"))
)


@given(
    document=_VALUES,
    answer=_ANSWERS,
    code=st.sampled_from((0, 0, 1)),
    kind=st.sampled_from(
        (DockerConfigCredentials, ContainersAuthCredentials, DockercfgCredentials)
    ),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_file_says_somebody_is_found_or_not(
    document: Any, answer: bytes, code: int, kind: type[DockerConfigCredentials], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(document))
    store = kind(file, run=lambda *_: HelperResult(code=code, stdout=answer, stderr=b""))
    ada = Credentials(username="ada", password="lovelace")

    for server in ("quay.io", DOCKER_HUB_SERVER):
        for use in (
            lambda server=server: store.get(server, "team/app"),
            lambda server=server: store.put(server, ada),
            lambda server=server: store.remove(server),
        ):
            try:
                use()
            except CredentialsUnreadable as error:
                assert error.message  # a message is all that is promised


@pytest.mark.parametrize(
    "text", [b'{"auths":' + b"[" * 60_000, b"\xff", b"{", b'{"a":' + b"9" * 5000]
)
def test_what_is_no_json_is_told_with_the_file(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text)

    with pytest.raises(CredentialsUnreadable, match=r"config\.json"):
        DockerConfigCredentials(file).get("quay.io")

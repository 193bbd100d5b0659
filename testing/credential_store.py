"""Contract suite of credential stores."""

import pytest

from img.application.ports.credential_store import Credentials, CredentialStore
from img.domain.reference import DOCKER_HUB_SERVER

_ADA = Credentials(username="ada", password="pass:with:colons")
_BOB = Credentials(username="bob", password="🔑")


class CredentialStoreContract:
    """Promises of every CredentialStore.

    Fixtures: ``store``, an empty store.
    """

    def test_nobody_is_known_at_first(self, store: CredentialStore) -> None:
        assert store.get("quay.io") is None
        assert store.get("quay.io", "team/app") is None

    @pytest.mark.parametrize("server", ["quay.io", "localhost:5000", DOCKER_HUB_SERVER])
    def test_what_was_put_is_found_for_the_server_and_its_repositories(
        self, store: CredentialStore, server: str
    ) -> None:
        store.put(server, _ADA)

        assert store.get(server) == _ADA
        assert store.get(server, "team/app") == _ADA

    def test_servers_are_kept_apart(self, store: CredentialStore) -> None:
        store.put("quay.io", _ADA)
        store.put("quay.io:5000", _BOB)

        assert store.get("quay.io") == _ADA
        assert store.get("quay.io:5000") == _BOB
        assert store.get("ghcr.io") is None

    def test_the_last_put_counts(self, store: CredentialStore) -> None:
        store.put("quay.io", _ADA)
        store.put("quay.io", _BOB)

        assert store.get("quay.io") == _BOB

    @pytest.mark.parametrize(
        "credentials",
        [Credentials(username="ada", identity_token="long"), Credentials(registry_token="raw")],
    )
    def test_tokens_are_kept_as_passwords_are(
        self, store: CredentialStore, credentials: Credentials
    ) -> None:
        store.put("quay.io", credentials)

        assert store.get("quay.io") == credentials

    def test_what_was_removed_is_gone_and_the_rest_stays(self, store: CredentialStore) -> None:
        store.put("quay.io", _ADA)
        store.put("ghcr.io", _BOB)

        assert store.remove("quay.io")

        assert store.get("quay.io") is None
        assert store.get("ghcr.io") == _BOB

    def test_there_is_nothing_to_remove_twice(self, store: CredentialStore) -> None:
        store.put("quay.io", _ADA)

        assert store.remove("quay.io")
        assert not store.remove("quay.io")

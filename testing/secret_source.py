"""Contract suite of sources of secrets and SSH agents."""

import pytest

from img.application.ports.secret_source import SecretSource

SECRET = b"s3cret\xff\n"


class SecretSourceContract:
    """Promises of every SecretSource.

    Fixtures: ``source``, with the secret ``token`` (SECRET), the secret ``empty`` (no bytes) and
    the agent ``keys``.
    """

    def test_a_secret_comes_byte_for_byte_each_time(self, source: SecretSource) -> None:
        assert [source.secret("token") for _ in range(2)] == [SECRET, SECRET]
        assert source.secret("empty") == b""

    @pytest.mark.parametrize("name", ["other", "", "keys"])
    def test_an_unknown_secret_is_none(self, source: SecretSource, name: str) -> None:
        assert source.secret(name) is None

    def test_an_agent_has_a_socket_each_time(self, source: SecretSource) -> None:
        for _ in range(2):
            with source.agent("keys", mode=0o600, uid=0, gid=0) as path:
                assert path

    @pytest.mark.parametrize("name", ["other", "token"])
    def test_an_unknown_agent_is_none(self, source: SecretSource, name: str) -> None:
        with source.agent(name, mode=0o600, uid=0, gid=0) as path:
            assert path is None

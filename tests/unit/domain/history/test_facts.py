"""Names of variables that hold secrets."""

import pytest

from img.domain.history.facts import is_secret_name


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "githubToken", "NPMTOKEN", "DB_PASSWORD", "GITHUB_PAT", "PASSPHRASE", "AWS_KEY_ID"],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["PATH", "MONKEY", "TOKENIZERS", "COMPASS", "KEY_FILE", "PUBLIC_KEY", "TOKEN_VERSION"]
)
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)

"""Secrets that records must not have."""

import pytest

from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import CopyFiles, Exec, InlineFile, Operation
from img.domain.history.facts import is_secret_name, kept_operation
from img.domain.history.journal import JournalEntry, without


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


def test_secrets_in_heredocs_are_not_kept() -> None:
    file = InlineFile(name=FileName("f"), content="pw=hunter2 https://me:pw@h/\n")
    operations: tuple[Operation, ...] = (
        CopyFiles(sources=(), inline=(file,), destination="/"),
        Exec(argv=("sh",), files=(file,)),
    )
    for operation in operations:
        entry: JournalEntry = {"e": "solved", "operation": kept_operation(operation)}

        text = str(without({"hunter2": "hidden:1"}, entry))

        assert "pw=hidden:1 https://xxxxx:xxxxx@h/" in text
        assert "hunter2" not in text

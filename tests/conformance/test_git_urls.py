"""Names of git repositories, and URLs without their secrets, against BuildKit's own answers."""

import pytest

from img.domain.git_reference import BadGitReference, GitReference, GitUrl, NotGit
from img.domain.url import redact_credentials
from tests.support.conformance_tables import Row, is_there, table_rows

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


def reference(text: str) -> tuple[bool, Row | None]:
    """Return whether ``text`` names a repository, and what of it in the tables' words."""
    try:
        found = GitReference.parse(text)
    except NotGit:
        return False, None
    except BadGitReference:
        return True, None
    parts = {
        "Remote": found.remote,
        "ShortName": found.short_name,
        "Ref": found.ref,
        "SubDir": found.subdir,
        "Checksum": found.checksum,
        "MTime": found.mtime,
        "FetchByCommit": found.fetch_by_commit,
        "IndistinguishableFromLocal": found.like_a_path,
        "UnencryptedTCP": found.unencrypted,
    }
    return True, {key: value for key, value in parts.items() if value}


def url(text: str) -> Row:
    try:
        found = GitUrl.parse(text)
    except NotGit:
        return {"error": True}
    parts: Row = {"host": found.host, "path": found.path}
    parts |= {"remote": found.remote, "scheme": found.scheme}
    if found.query:
        parts["query"] = {name: list(values) for name, values in found.query.items()}
    if found.user:
        parts["user"] = found.user
    if found.has_fragment:
        parts |= {"ref": found.ref, "subdir": found.subdir}
    return parts


def without_pointers(row: Row | None) -> Row | None:
    """Leave out what the tables show as addresses of Go's booleans."""
    if row is None:
        return None
    return {key: value for key, value in row.items() if key not in {"KeepGitDir", "Submodules"}}


@pytest.mark.parametrize("row", table_rows("git_urls"), ids=lambda row: row["text"])
def test_git_urls_are_read_as_buildkit_reads_them(row: Row) -> None:
    expected = row["git_context"], without_pointers(row["ref"])
    assert reference(row["text"]) == expected
    assert url(row["text"]) == ({"error": True} if "error" in row["url"] else row["url"])


@pytest.mark.parametrize("row", table_rows("redact_urls"), ids=lambda row: row["url"])
def test_no_credentials_are_left_in_a_url(row: Row) -> None:
    assert redact_credentials(row["url"]) == row["expect"]

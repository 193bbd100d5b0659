"""Names, platforms and credentials as the Go originals read them: five tables.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

from pathlib import Path
from typing import Any

import pytest

from img.adapters.credential_store.docker_config import DockerConfigCredentials
from img.adapters.registry.challenges import parse_challenges
from img.application.ports.credential_store import Credentials, CredentialsUnreadable
from img.domain.platform import InvalidPlatform, Platform, parse_platforms, preference
from img.domain.reference import ImageReference, InvalidReference, ReferenceParts
from tests.support.conformance_tables import Row, table_rows

HOST = Platform("linux", "amd64")


def rows(table: str) -> list[Any]:
    found = table_rows(table)
    if not found:
        reason = "$IMG_CONFORMANCE names no conformance tables"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(row, id=row["id"]) for row in found]


@pytest.mark.parametrize("row", rows("references"))
def test_a_reference_is_split_by_the_strict_grammar(row: Row) -> None:
    if "parse" not in row["expect"]:
        with pytest.raises(InvalidReference):
            ReferenceParts.parse(row["ref"])
        return

    parts = ReferenceParts.parse(row["ref"])

    expected = row["expect"]["parse"]
    assert (parts.domain, parts.path) == (expected["domain"], expected["path"])
    assert parts.tag == expected.get("tag", "")
    assert str(parts.digest or "") == expected.get("digest", "")


@pytest.mark.parametrize("row", rows("references"))
def test_a_reference_means_what_docker_pull_means_by_it(row: Row) -> None:
    if "normalized" not in row["expect"]:
        with pytest.raises(InvalidReference):
            ImageReference.parse(row["ref"])
        return

    name = ImageReference.parse(row["ref"], default_tag=False)

    expected = row["expect"]["normalized"]
    assert str(name) == expected["canonical"]
    assert (name.domain, name.path) == (expected["domain"], expected["path"])
    assert name.tag == expected.get("tag", "")
    assert str(name.digest or "") == expected.get("digest", "")
    assert (name.familiar, name.familiar_name) == (expected["familiar"], expected["familiar_name"])
    assert str(ImageReference.parse(row["ref"])) == expected["with_default_tag"]


@pytest.mark.parametrize("row", rows("platforms"))
def test_a_platform_is_read_as_containerd_reads_it(row: Row) -> None:
    if "error" in row:
        with pytest.raises(InvalidPlatform):
            Platform.parse(row["text"], HOST)
        return

    platform = Platform.parse(row["text"], HOST)

    expected = row["expect"]
    assert platform.full_name == expected["normalized"]
    assert (platform.os, platform.architecture) == (expected["os"], expected["architecture"])
    assert platform.os_version == expected["os_version"]
    assert list(platform.os_features) == (expected["os_features"] or [])


@pytest.mark.parametrize("row", rows("platform_lists"))
def test_a_list_of_platforms_is_read_as_buildkit_reads_it(row: Row) -> None:
    if "error" in row:
        with pytest.raises(InvalidPlatform):
            parse_platforms(row["value"], HOST)
        return

    assert [each.full_name for each in parse_platforms(row["value"], HOST)] == row["expect"]


@pytest.mark.parametrize("row", rows("platform_match"))
def test_a_platform_takes_what_containerd_lets_it_take(row: Row) -> None:
    wanted = Platform.parse(row["want"], HOST)
    offered = [Platform.parse(text, HOST) for text in row["candidates"]]
    ranks = [preference(wanted, platform) for platform in offered]

    matches = {text: rank is not None for text, rank in zip(row["candidates"], ranks, strict=True)}
    assert matches == row["expect"]["match"]
    ranked = [(rank, i) for i, rank in enumerate(ranks) if rank is not None]
    best_first = [offered[i] for _, i in sorted(ranked)]
    assert best_first == [Platform.parse(text, HOST) for text in row["expect"]["preference"]]


@pytest.mark.parametrize("row", rows("registry_auth"))
def test_credentials_are_found_where_go_containerregistry_finds_them(
    row: Row, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(row["config"], "utf-8")
    name = ImageReference.parse(row["repository"])
    store = DockerConfigCredentials(file)
    if "error" in row:
        with pytest.raises(CredentialsUnreadable):
            store.get(name.server, name.path)
        return

    expected = row["expect"]
    assert (store.get(name.server, name.path) or Credentials()) == Credentials(
        username=expected.get("username", ""),
        password=expected.get("password", ""),
        identity_token=expected.get("identitytoken", ""),
        registry_token=expected.get("registrytoken", ""),
    )


@pytest.mark.parametrize("row", rows("www_authenticate"))
def test_a_challenge_is_read_as_distribution_reads_it(row: Row) -> None:
    assert [
        {"scheme": challenge.scheme, "parameters": dict(challenge.parameters)}
        for challenge in parse_challenges(row["headers"])
    ] == row["expect"]

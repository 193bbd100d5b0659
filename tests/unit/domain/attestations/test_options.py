"""Options for attestations."""

from collections.abc import Sequence

import pytest

from img.domain.attestations.options import parse_attestations
from img.domain.attestations.wanted import NO_ATTESTATIONS, ProvenanceWanted, SbomWanted
from img.domain.errors import UsageError


@pytest.mark.parametrize(
    ("attest", "provenance", "sbom"),
    [
        ([], "", ""),
        ([], "false", "0"),
        ([], "disabled=true", "DISABLED=1"),
        (["type=provenance,disabled=true", "type=sbom,disabled=1"], "", ""),
        (["type=provenance", "type=sbom"], "false", "false"),
        (["type=sbom", "type=sbom,disabled=true"], "", ""),
    ],
)
def test_an_attestation_that_is_off_is_none(
    attest: Sequence[str], provenance: str, sbom: str
) -> None:
    assert parse_attestations(attest, provenance, sbom) == NO_ATTESTATIONS


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("true", ProvenanceWanted()),
        ("mode=max", ProvenanceWanted()),
        ("mode=full", ProvenanceWanted()),
        ("disabled=false", ProvenanceWanted()),
        ("mode=min,version=v0.2", ProvenanceWanted(mode="min", version="v0.2")),
        ("builder-id=https://x,reproducible=true", ProvenanceWanted(
            builder_id="https://x", reproducible=True)),
        ("inline-only=true,filename=p.json", ProvenanceWanted(
            inline_only=True, filename="p.json")),
        ("complete-materials=true", ProvenanceWanted(complete=True)),
    ],
)  # fmt: skip
def test_provenance_has_the_attributes_of_buildkit(text: str, wanted: ProvenanceWanted) -> None:
    assert parse_attestations([], text).provenance == wanted
    if "=" in text:
        assert parse_attestations([f"type=provenance,{text}"]).provenance == wanted


def test_other_attributes_of_sbom_are_variables_of_the_scanner() -> None:
    wanted = parse_attestations(["type=sbom,generator=docker.io/x/y,FOO=bar"])

    assert wanted.sbom == SbomWanted(generator="docker.io/x/y", variables={"foo": "bar"})
    assert wanted.provenance is None


def test_build_args_of_buildkit_ask_for_attestations_too() -> None:
    arguments = {"BUILDKIT_ATTEST_PROVENANCE": "mode=min", "BUILDKIT_ATTEST_SBOM": "true"}

    wanted = parse_attestations([], build_args=arguments)

    assert wanted.provenance == ProvenanceWanted(mode="min") and wanted.sbom == SbomWanted()
    assert parse_attestations([], "false", "false", build_args=arguments) == NO_ATTESTATIONS


@pytest.mark.parametrize(
    ("attest", "provenance", "message"),
    [
        (["type=foo"], "", 'unknown attestation type "foo"'),
        (["mode=min"], "", "attestation type not specified"),
        ([], "mode=bad", 'invalid mode "bad"'),
        ([], "version=v2", "invalid provenance SLSA version: v2"),
        ([], "filename=../x", "cannot be the name of a file"),
        ([], "capture-usage=true", "img measures no use of resources"),
        ([], "colour=red", "img knows no attribute 'colour'"),
        ([], "maybe", "must be a key=value pair"),
    ],
)
def test_wrong_values_are_refused(attest: list[str], provenance: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_attestations(attest, provenance)


def test_attestations_are_in_an_index_or_beside_the_image() -> None:
    assert parse_attestations([], "true", place="referrer").as_referrers
    assert not parse_attestations([], "true", place="index").as_referrers
    with pytest.raises(UsageError, match="--attest-as"):
        parse_attestations([], "true", place="tag")

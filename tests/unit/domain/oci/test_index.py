"""Selection of a manifest in an index."""

import pytest

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index, NoPlatformMatch
from img.domain.platform import Platform


def _offering(*names: str) -> Index:
    return Index(
        manifests=tuple(
            Descriptor(
                media_type=media_types.OCI_MANIFEST,
                digest=Digest.of(name.encode()),
                size=1,
                platform=_platform(name) if name else None,
            )
            for name in names
        )
    )


def _platform(name: str) -> Platform:
    return Platform.parse(name, Platform("linux", "amd64"))


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        ("linux/arm64", "linux/amd64 linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/amd64 linux/arm64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v5 linux/arm/v6", "linux/arm/v6"),
        ("linux/arm/v7", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v7 linux/arm/v5", "linux/arm/v5"),
        ("linux/amd64", "linux/amd64/v3 linux/amd64", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v2"),
        ("linux/amd64", "unknown/unknown linux/386 linux/amd64", "linux/amd64"),
        ("linux/amd64", "linux(+gpu)/amd64 linux/amd64", "linux/amd64"),
        ("linux(+gpu)/amd64", "linux/amd64 linux(+gpu)/amd64", "linux(+gpu)/amd64"),
        ("linux(+gpu)/amd64", "linux(+gpu)/386 linux/amd64", "linux/amd64"),
    ],
)
def test_the_best_of_those_that_it_runs_is_taken(wanted: str, offered: str, taken: str) -> None:
    found = _offering(*offered.split()).best_for(_platform(wanted))

    assert found.platform is not None
    assert found.platform.full_name == _platform(taken).full_name


def test_of_equals_the_first_is_taken() -> None:
    index = Index(
        manifests=(*_offering("linux/amd64").manifests, *_offering("linux/amd64").manifests)
    )

    assert index.best_for(Platform("linux", "amd64")) is index.manifests[0]


def test_who_offers_nothing_that_runs_is_told_what_there_is() -> None:
    index = _offering("linux/arm64", "linux/s390x", "unknown/unknown")

    with pytest.raises(NoPlatformMatch) as error:
        index.best_for(Platform("linux", "amd64"))

    assert error.value.message == (
        "no match for platform in manifest: linux/amd64 (available: linux/arm64, linux/s390x)"
    )


def test_what_names_no_platform_is_taken_if_nothing_else_fits() -> None:
    assert _offering("", "linux/arm64").best_for(Platform("linux", "amd64")).platform is None
    fits = _offering("", "linux/arm64").best_for(Platform("linux", "arm64"))
    assert str(fits.platform) == "linux/arm64"

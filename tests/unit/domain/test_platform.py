"""Platforms; the answers in platform_answers.jsonl are those of containerd/platforms 1.0.0-rc.4.

Its ``Parse``, ``Normalize``, ``FormatAll`` and ``Only`` were run on random platforms.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from img.domain.platform import InvalidPlatform, Platform, preference

_HOST = Platform("linux", "arm64")
_ANSWERS = [
    json.loads(line)
    for line in Path(__file__).with_name("platform_answers.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("linux", "linux/arm64"),
        ("amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/ARM", "linux/arm/v7"),
        ("linux/arm64/v8", "linux/arm64"),
        ("windows", "windows/arm64"),
    ],
)
def test_what_is_left_out_comes_from_the_host(text: str, name: str) -> None:
    assert str(Platform.parse(text, _HOST)) == name


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "a/b/c/d", "nonsense", "linux/amd64,linux/arm"]
)
def test_what_names_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text, _HOST)


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_the_kernels_names_of_machines_are_known(machine: str, name: str) -> None:
    assert str(Platform.of_machine(machine)) == name


def test_a_strange_variant_suits_itself_alone() -> None:
    strange = Platform("linux", "amd64", "weird")

    assert preference(strange, strange) == 0
    assert preference(Platform("linux", "amd64"), strange) is None


def test_an_image_for_another_system_suits_nobody() -> None:
    assert preference(Platform("linux", "amd64"), Platform("windows", "amd64")) is None


@pytest.mark.parametrize("row", [row for row in _ANSWERS if "text" in row], ids=str)
def test_a_platform_has_the_name_that_containerd_gives_it(row: dict[str, Any]) -> None:
    host = Platform("linux", "amd64")
    if row["name"] is None:
        with pytest.raises(InvalidPlatform):
            Platform.parse(row["text"], host)
        return

    assert Platform.parse(row["text"], host).full_name == row["name"]


def test_platforms_are_chosen_in_the_order_of_containerd() -> None:
    for row in _ANSWERS:
        if "want" not in row:
            continue
        wanted = Platform.parse(row["want"], _HOST)
        ranks = [
            preference(wanted, Platform(os, architecture, variant, version, tuple(features)))
            for os, architecture, variant, version, features in row["offered"]
        ]

        best_first = sorted((rank, i) for i, rank in enumerate(ranks) if rank is not None)

        assert [i for _, i in best_first] == row["best_first"], row


def test_features_are_named_in_their_order_and_kept_as_they_came() -> None:
    platform = Platform.parse("linux(+gpu+b+gpu)/amd64", _HOST)

    assert platform.full_name == "linux(+b+gpu)/amd64"
    assert platform.os_features == ("gpu", "b", "gpu")

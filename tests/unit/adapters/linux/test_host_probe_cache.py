"""Refusals are cached while their conditions stay the same."""

import json
from pathlib import Path

from img.adapters.linux.host_probe_cache import HostProbeCache


def test_what_was_refused_is_known_with_the_reason(tmp_path: Path) -> None:
    path = str(tmp_path / "refused.json")
    assert HostProbeCache(path).reason("overlay") is None

    HostProbeCache(path).record_refusal("overlay", "no such thing")

    assert HostProbeCache(path).reason("overlay") == "no such thing"
    assert HostProbeCache(path).reason("fuse") is None


def test_what_is_forgotten_is_tried_again_and_the_rest_stays(tmp_path: Path) -> None:
    probes = HostProbeCache(str(tmp_path / "refused.json"))
    probes.record_refusal("overlay", "no")
    probes.record_refusal("fuse", "neither")

    probes.forget("overlay")
    probes.forget("overlay")

    assert probes.reason("overlay") is None
    assert probes.reason("fuse") == "neither"


def test_it_does_not_count_after_the_machine_has_started_anew(tmp_path: Path) -> None:
    path = tmp_path / "refused.json"
    HostProbeCache(str(path)).record_refusal("overlay", "no")
    records = json.loads(path.read_text())
    records["overlay"]["where"][0] = "another boot"
    path.write_text(json.dumps(records))

    assert HostProbeCache(str(path)).reason("overlay") is None


def test_what_cannot_be_read_or_written_is_nothing(tmp_path: Path) -> None:
    for text in ("", "{", "[]", '{"overlay": 1}'):
        (tmp_path / "refused.json").write_text(text)
        assert HostProbeCache(str(tmp_path / "refused.json")).reason("overlay") is None

    nowhere = HostProbeCache(str(tmp_path / "nowhere/refused.json"))
    assert nowhere.reason("overlay") is None
    nowhere.forget("overlay")


def test_what_worked_is_known_until_it_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "refused.json")
    assert not HostProbeCache(path).is_allowed("overlay")

    HostProbeCache(path).record_success("overlay")

    assert HostProbeCache(path).is_allowed("overlay")
    assert HostProbeCache(path).reason("overlay") is None
    HostProbeCache(path).record_refusal("overlay", "no")
    assert not HostProbeCache(path).is_allowed("overlay")

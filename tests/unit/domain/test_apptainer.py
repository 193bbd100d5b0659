"""Files that Apptainer expects in an image."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from img.domain.apptainer import missing_places, runtime_files
from img.domain.oci.config import RunConfig

_ODD = 'it\'s "odd" $HOME `x` \\ }\nand long'


def files(run: RunConfig) -> Mapping[str, bytes]:
    return {entry.path: content for entry, content in runtime_files(run)}


def run_script(run: RunConfig, *arguments: str, tmp_path: Path) -> Sequence[str]:
    (tmp_path / "run").write_bytes(files(run)[".singularity.d/runscript"])
    done = subprocess.run(
        ["/bin/sh", tmp_path / "run", *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.split("|")[:-1]


_SHOW = ("printf", "%s|")


@pytest.mark.parametrize(
    ("entry_point", "command", "arguments", "shown"),
    [
        (_SHOW, (_ODD, ""), (), [_ODD, ""]),
        (_SHOW, ("default",), ("a  b", ""), ["a  b", ""]),
        (None, (*_SHOW, "x"), (), ["x"]),
        ((), ("false",), (*_SHOW, "y"), ["y"]),
    ],
)
def test_an_image_runs_as_in_docker(
    entry_point: Sequence[str] | None,
    command: Sequence[str],
    arguments: Sequence[str],
    shown: Sequence[str],
    tmp_path: Path,
) -> None:
    run = RunConfig(
        entrypoint=None if entry_point is None else tuple(entry_point), cmd=tuple(command)
    )

    assert run_script(run, *arguments, tmp_path=tmp_path) == shown


def test_variables_of_the_image_are_defaults(tmp_path: Path) -> None:
    run = RunConfig(env=(("PATH", "/bin:/usr/bin"), ("A", _ODD), ("B", "image"), ("no.name", "1")))
    script = files(run)[".singularity.d/env/10-docker2singularity.sh"]
    (tmp_path / "env").write_bytes(script + b'printf "%s|" "$PATH" "$A" "$B"\n')

    done = subprocess.run(
        ["/bin/sh", tmp_path / "env"],
        env={"PATH": "/host", "B": "caller"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split("|")[:-1] == ["/bin:/usr/bin", _ODD, "caller"]


def test_labels_are_readable() -> None:
    labels = files(RunConfig(labels={"b": "ü", "a": "1"}))[".singularity.d/labels.json"]

    assert json.loads(labels) == {"a": "1", "b": "ü"}


def test_places_for_mounts_are_added_where_they_are_missing() -> None:
    missing = [each.path for each in missing_places(frozenset({"etc", "etc/hosts", "tmp"}))]

    assert missing == ["dev", "home", "proc", "root", "sys", "var", "var/tmp", "etc/resolv.conf"]

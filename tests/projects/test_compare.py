import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.projects.bases import STAGES
from tests.projects.compare import Difference, compare, known
from tests.projects.report import Found, compared
from tests.projects.saved import Saved, read
from tests.projects.table import INPUTS, PROJECTS, Project

_HISTORY = [{"created": "2026-01-01T00:00:00Z", "created_by": "RUN make"}]


def _member(name: str, content: bytes = b"", **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for fact, value in facts.items():
        setattr(member, fact, value)
    return member, content


def _directory(name: str, **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, type=tarfile.DIRTYPE, **{"mode": 0o755, **facts})


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, type=tarfile.LNKTYPE, linkname=target)


Entries = Sequence[tuple[tarfile.TarInfo, bytes]]


def _packed(entries: Entries) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _image(place: Path, *layers: Entries, config: Mapping[str, Any] | None = None) -> Saved:
    packed = [_packed(layer) for layer in layers]
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in packed]
    document = {"rootfs": {"diff_ids": diff_ids}, "history": _HISTORY, **(config or {})}
    names = [f"{number}/layer.tar" for number in range(len(packed))]
    manifest = [{"Config": "config.json", "Layers": names}]
    archive = place / "image.tar"
    archive.write_bytes(
        _packed(
            [
                _member("manifest.json", json.dumps(manifest).encode()),
                _member("config.json", json.dumps(document).encode()),
                # One as docker saves it, the others as registries have them.
                *(
                    _member(name, gzip.compress(layer) if number else layer)
                    for number, (name, layer) in enumerate(zip(names, packed, strict=True))
                ),
            ]
        )
    )
    return read(archive, {})


def test_layers_hide_and_replace_what_is_below(tmp_path: Path) -> None:
    image = _image(
        tmp_path,
        [
            _directory("./"),
            _directory("./etc/"),
            _member("etc/gone", b"1"),
            _member("etc/kept", b"2"),
            _directory("cache"),
            _member("cache/old", b"3"),
            _directory("tree"),
            _member("tree/leaf", b"4"),
            _directory("same", mode=0o700),
            _member("same/leaf", b"5"),
        ],
        [
            _member("etc/.wh.gone"),
            _member("cache/.wh..wh..opq"),
            _member("cache/new", b"6"),
            _member("tree", b"now a file"),
            _directory("same", mode=0o1777, uid=7),
        ],
    )

    assert sorted(image.files) == [
        "/cache", "/cache/new", "/etc", "/etc/kept", "/same", "/same/leaf", "/tree",
    ]  # fmt: skip
    assert image.files["/tree"].kind == "file"
    assert (image.files["/same"].mode, image.files["/same"].uid) == ("1777", 7)


def test_names_of_one_file_are_known_over_layers(tmp_path: Path) -> None:
    image = _image(
        tmp_path,
        [_member("a", b"1"), _link("b", "a"), _link("c", "./b")],
        [_member("a", b"2")],
    )

    assert image.names == {"/b": ("/b", "/c"), "/c": ("/b", "/c")}
    assert image.files["/a"].content != image.files["/b"].content


def test_a_name_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        _image(tmp_path, [_link("b", "a")])


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("missing", []),
        ("kind", [_directory("f", mode=0o644)]),
        ("mode", [_member("f", b"1", mode=0o4755)]),
        ("uid", [_member("f", b"1", uid=1)]),
        ("gid", [_member("f", b"1", gid=1)]),
        ("link", [_member("f", type=tarfile.SYMTYPE, linkname="x")]),
        ("device", [_member("f", type=tarfile.CHRTYPE, devmajor=1, devminor=3)]),
        ("xattrs", [_member("f", b"1", pax_headers={"SCHILY.xattr.user.x": "1"})]),
        ("names", [_member("f", b"1"), _link("g", "f")]),
    ],
)
def test_each_fact_of_an_entry_is_compared(tmp_path: Path, what: str, changed: Entries) -> None:
    ours = _image(tmp_path, [_member("f", b"1")])
    theirs = _image(tmp_path, changed)

    found = compare(ours, theirs).entries

    assert ("/f", what) in [(difference.where, difference.what) for difference in found]
    assert compare(ours, ours).entries == ()


def test_contents_are_told_apart_from_entries(tmp_path: Path) -> None:
    ours = _image(tmp_path, [_member("f", b"1")])
    theirs = _image(tmp_path, [_member("f", b"2", mtime=9)])

    found = compare(ours, theirs)

    assert (found.entries, found.contents) == ((), ["/f"])


def test_paths_that_two_builds_do_not_both_have_count_as_contents(tmp_path: Path) -> None:
    ours = _image(tmp_path, [_member("cache/1", b""), _member("made", b"")])
    theirs = _image(tmp_path, [_member("cache/2", b""), _member("cache/3", b"", mode=0o600)])
    images = compare(ours, theirs)

    found = compared(Found(seconds=1, entries=2), images, "/cache/[12]")

    assert found.contents == ["/cache/1", "/cache/2"]
    assert [text.partition(":")[0] for text in found.differences] == ["/cache/3", "/made"]


@pytest.mark.parametrize(
    ("where", "config"),
    [
        ("config.User", {"config": {"User": "app"}}),
        ("architecture", {"architecture": "arm64"}),
        ("history 0", {"history": [{"created_by": "RUN make all"}]}),
        ("history 1", {"history": [*_HISTORY, {"created_by": "RUN more"}]}),
    ],
)
def test_config_and_history_are_compared(
    tmp_path: Path, where: str, config: Mapping[str, Any]
) -> None:
    found = compare(_image(tmp_path), _image(tmp_path, config=config)).config

    assert [difference.where for difference in found] == [where]


def test_times_and_what_is_not_said_are_not_compared(tmp_path: Path) -> None:
    history = [{"created": "2001-01-01T00:00:00Z", "created_by": "RUN make", "empty_layer": False}]
    empty = {"config": {"Labels": None, "Tty": False}, "created": "now", "history": history}

    assert compare(_image(tmp_path), _image(tmp_path, config=empty)).config == ()


def _line(text: str) -> dict[str, object]:
    return {"created_by": text, "empty_layer": True}


@pytest.mark.parametrize(
    ("difference", "is_known"),
    [
        (("/proc", "missing", None, "directory"), True),
        (("/proc", "missing", "directory", None), False),
        (("/srv", "missing", None, "directory"), False),
        (("history 1", "history", _line("EXPOSE [80/tcp]"), _line("EXPOSE map[80/tcp:{}]")), True),
        (("history 1", "history", _line("EXPOSE [81/tcp]"), _line("EXPOSE map[80/tcp:{}]")), False),
        (("history 1", "history", _line("COPY --chown=a:b x y"), _line("COPY x y")), True),
        (("history 1", "history", _line("HEALTHCHECK {x}"), _line("HEALTHCHECK &{x}")), True),
        (("history 1", "history", _line("HEALTHCHECK {x}"), _line("CMD x")), False),
        (("history 1", "history", _line("ARG TARGETARCH=x"), _line("ARG TARGETARCH")), True),
        (("history 1", "history", _line("ARG X=x"), _line("ARG X")), False),
        (("history 1", "history", _line("RUN --x y"), _line("RUN y")), False),
    ],
)
def test_the_age_of_the_peer_explains_some_differences(
    difference: tuple[str, str, object, object], is_known: bool
) -> None:
    where, what, ours, theirs = difference

    assert known(Difference(where=where, what=what, ours=ours, theirs=theirs)) is is_known


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_each_project_has_its_files_and_base_images(project: Project) -> None:
    assert (project.context / "Dockerfile").is_file()
    assert set(project.bases) <= STAGES.keys()


def test_each_directory_is_a_project() -> None:
    names = {directory.name for directory in INPUTS.iterdir()}

    assert names == {project.name for project in PROJECTS}
    assert len(names) == len(PROJECTS)

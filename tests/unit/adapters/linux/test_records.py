"""Records between processes: what comes back is what was sent, and nothing else comes."""

import json
from collections.abc import Mapping
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.executor.reports import MountPoint, Report
from img.adapters.linux import records
from img.adapters.syscall_supervisor.root.level import Emulation
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    FileMount,
    Network,
    OverlayRoot,
    Process,
    TmpfsMount,
    TreeMount,
    Ulimit,
)

TEXT = st.text(
    st.characters(min_codepoint=1) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)
ROOTS = st.builds(DirectoryRoot, path=TEXT) | st.builds(
    OverlayRoot, lowers=st.lists(TEXT).map(tuple), upper=TEXT, work=TEXT, target=TEXT
)
MOUNTS = st.one_of(
    st.builds(BindMount, source=TEXT, target=TEXT),
    st.builds(TmpfsMount, target=TEXT),
    st.builds(FileMount, target=TEXT, content=st.binary()),
    st.builds(TreeMount, root=ROOTS, source=TEXT, target=TEXT),
)
PROCESSES = st.builds(
    Process,
    argv=st.lists(TEXT).map(tuple),
    env=st.dictionaries(TEXT, TEXT),
    mounts=st.lists(MOUNTS).map(tuple),
    hosts=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
    network=st.sampled_from(Network),
    ulimits=st.lists(st.builds(Ulimit, name=TEXT, soft=st.integers(-1, 9), hard=st.just(-1))).map(
        tuple
    ),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(
    st.builds(
        Launch,
        PROCESSES,
        ROOTS,
        st.sampled_from(LaunchMode),
        TEXT,
        TEXT,
        st.none() | st.sampled_from(Emulation),
    )
)
def test_a_launch_comes_back_as_it_was_sent(launch: Launch) -> None:
    assert records.decode(records.encode(launch), Launch) == launch


def test_fields_with_their_defaults_at_the_end_are_left_out() -> None:
    network, step = Network.NONE, Process(argv=("a",), env={})

    assert records.encode(step) == b'["Process",["a"],{}]'
    assert records.encode(Process(argv=("a",), env={}, network=network)) == (
        b'["Process",["a"],{},"/","","none"]'
    )
    assert records.decode(b'["Process",["a"],{}]', Process) == step


@given(ANYTHING.map(json.dumps).map(str.encode) | st.binary())
def test_what_is_no_report_is_refused_and_nothing_else_happens(message: bytes) -> None:
    try:
        report = records.decode(message, Report)
    except records.BadRecord:
        return
    assert records.decode(records.encode(report), Report) == report


class _Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("plain", "kind"),
    [
        ("true", int),
        ("1", bool),
        ("1.0", int),
        ("18446744073709551616", int),
        ("null", str),
        ('"no base64!"', bytes),
        ('"blue"', _Colour),
        ("[1,2]", tuple[int]),
        ('{"a":1}', Mapping[str, str]),
        ('["Ended","1"]', Report),
        ('["Ended"]', Report),
        ('["Ended",1,2]', Report),
        ('["Launch",1]', Report),
        ('["__class__"]', Report),
        ("[[],1]", Report),
        ("[]", Report),
        ("[" * 100_000, Report),
        ("1" * 10_000, int),
    ],
)
def test_values_of_other_types_are_refused(plain: str, kind: object) -> None:
    with pytest.raises(records.BadRecord):
        records.decode(plain.encode(), kind)


@pytest.mark.parametrize("path", ["", "/etc", "../x", "a/..", "a//b", "./a", "a\0"])
def test_a_stub_is_a_clean_path_in_the_root(path: str) -> None:
    with pytest.raises(records.BadRecord):
        records.decode(json.dumps(["MountPoint", path, True, 0, 7]).encode(), Report)
    assert records.decode(b'["MountPoint","a/b",true,0,7]', Report) == MountPoint("a/b", True, 0, 7)


def test_what_cannot_be_sent_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="object cannot be sent"):
        records.encode(object())

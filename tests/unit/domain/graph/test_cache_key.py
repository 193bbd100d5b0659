from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.filesystem.file_name import FileName
from img.domain.graph.cache_key import FORMAT, content_key, definition_key
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    ExecMount,
    FetchGit,
    FetchUrl,
    InlineFile,
    MakeDirectory,
    Operation,
    PullBase,
    ReadContext,
)
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit, Volume

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")

# Every operation with a second value for each of its fields.
VARIED: list[tuple[Operation, dict[str, Any]]] = [
    (
        PullBase(reference="a", manifest=ONE, platform=Platform("linux", "amd64")),
        {"manifest": TWO, "platform": Platform("linux", "arm64")},
    ),
    (ReadContext(), {"name": "n"}),
    (
        FetchUrl(url="u", filename=FileName("f")),
        {"url": "v", "filename": FileName("g"), "checksum": ONE},
    ),
    (
        FetchGit(remote="r"),
        {
            "remote": "s",
            "ref": "v1",
            "subdir": "d",
            "checksum": "c0ffee",
            "keep_git_dir": True,
            "commit_mtime": True,
            "submodules": False,
        },
    ),
    (
        CopyFiles(sources=("a",), destination="/"),
        {
            "sources": ("a", "b"),
            "inline": (InlineFile(name=FileName("a"), content="c"),),
            "destination": "/d/",
            "chown": "1",
            "chmod": "755",
            "exclude": ("x",),
            "parents": True,
            "link": True,
            "unpack": True,
            "unpack_fetched": True,
            "source_inputs": (2,),
            "epoch": 0,
        },
    ),
    (MakeDirectory(path="/a"), {"path": "/b", "owner": "u", "epoch": 0}),
    (
        Exec(argv=("a",), hosts=(("h", "1.1.1.1"),)),
        {
            "argv": ("a", ""),
            "env": (("A", "1"),),
            "cwd": "/c",
            "user": "u",
            "network": Network.NONE,
            "insecure": True,
            "mounts": (ExecMount(type="tmpfs", target="/t"),),
            "hosts": (("i", "1.1.1.1"),),
            "shm_size": 1,
            "ulimits": (Ulimit(name="nofile", soft=1, hard=2),),
            "files": (InlineFile(name=FileName("a"), content="c"),),
            "epoch": 0,
            "hostname": "h",
            "devices": ("d",),
            "platform": Platform("linux", "arm64"),
            "volumes": (Volume(source="/s", target="/t", read_only=True, device=1, inode=2),),
        },
    ),
]
UNDECIDING = {(PullBase, "reference"), (Exec, "hidden_env")}


@pytest.mark.parametrize(("operation", "others"), VARIED, ids=lambda each: type(each).__name__)
def test_each_deciding_field_changes_the_keys(operation: Operation, others: dict[str, Any]) -> None:
    changed = [replace(operation, **{name: value}) for name, value in others.items()]
    definitions = {definition_key(each, (ONE,)) for each in (operation, *changed)}
    contents = {content_key(each, ONE) for each in (operation, *changed)}
    assert len(definitions) == len(contents) == len(others) + 1


@pytest.mark.parametrize(("operation", "others"), VARIED, ids=lambda each: type(each).__name__)
def test_the_test_above_leaves_no_field_out(operation: Operation, others: dict[str, Any]) -> None:
    names = {each.name for each in fields(operation)}
    assert names - others.keys() == {name for kind, name in UNDECIDING if kind is type(operation)}


def test_what_depends_on_the_network_is_in_no_key() -> None:
    here = Exec(argv=("a",), hosts=(("h", "1.1.1.1"),), hidden_env=(("http_proxy", "p"),))
    there = replace(here, hosts=(("h", "2.2.2.2"),), hidden_env=())
    assert definition_key(here, (ONE,)) == definition_key(there, (ONE,))
    assert content_key(here, ONE) == content_key(there, ONE)


def test_the_name_of_a_base_is_in_no_key() -> None:
    base = PullBase(reference="a", manifest=ONE, platform=Platform("linux", "amd64"))
    assert definition_key(base, ()) == definition_key(replace(base, reference="b"), ())


def test_the_two_kinds_of_keys_are_never_equal() -> None:
    assert definition_key(ReadContext(), (ONE,)) != content_key(ReadContext(), ONE)


def test_what_was_kept_by_keys_of_another_format_is_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keys() -> set[Digest]:
        return {definition_key(Exec(argv=("a",)), (ONE,)), content_key(Exec(argv=("a",)), ONE)}

    now = keys()
    monkeypatch.setattr("img.domain.graph.cache_key.FORMAT", FORMAT - 1)

    assert now.isdisjoint(keys())
    assert FORMAT > 1  # of which mounts of directories were found by other modes


words = st.text(alphabet=st.characters(codec="utf-8"), max_size=6)
execs = st.builds(
    Exec,
    argv=st.lists(words, max_size=3).map(tuple),
    env=st.lists(st.tuples(words, words), max_size=2).map(tuple),
    cwd=words,
    user=words,
    network=st.sampled_from(Network),
    files=st.lists(st.builds(InlineFile, name=words, content=words), max_size=2).map(tuple),
)
inputs = st.lists(st.sampled_from([ONE, TWO, None]), max_size=3).map(tuple)


@given(execs, inputs, execs, inputs)
def test_keys_are_equal_exactly_where_operation_and_inputs_are(
    one: Exec, its: tuple[Digest | None, ...], other: Exec, others: tuple[Digest | None, ...]
) -> None:
    same = (one, its) == (other, others)
    assert (definition_key(one, its) == definition_key(other, others)) == same

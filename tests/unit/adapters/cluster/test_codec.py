"""Tasks and answers as records: what comes back is what was sent, and nothing else comes."""

import json
from dataclasses import replace

import pytest

from img.adapters.cluster import codec
from img.adapters.cluster.codec import BadRecord
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import ClusterError, LayersMissing, OtherVersion, WorkerUnfit
from img.domain.digest import Digest
from img.domain.errors import BuildError, HostError, ImgError, RemoteError
from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    ExecMount,
    FetchGit,
    InlineFile,
    MakeDirectory,
)
from img.domain.graph.task import KeptMount, TaskOperation, VertexAnswer
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit, Volume
from img.testing.vertex_workers import NOON, a_layer, a_task

MOUNTS = (KeptMount(name="\udcff\0None:0:0:", layers=(a_layer("a"), a_layer("b"))),)
OPERATIONS: list[TaskOperation] = [
    MakeDirectory(path="/a", owner="me", epoch=5),
    FetchGit(remote="https://host/r.git", ref="main", subdir="a", checksum="1" * 40),
    CopyFiles(
        sources=("a\udcff",),
        destination="/b/",
        inline=(InlineFile(name=FileName("f"), content="text", mode=0o600),),
        source_inputs=(1,),
    ),
    Exec(
        argv=("make", "-j\udc80"),
        env=(("A", "b"),),
        network=Network.NONE,
        mounts=(ExecMount(type="cache", target="/c", id="c", sharing="locked", mode=0o700),),
        ulimits=(Ulimit(name="nofile", soft=5, hard=-1),),
        hidden_env=(("http_proxy", "http://p"),),
        platform=Platform("linux", "arm64", "v8"),
    ),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_task_comes_back_as_it_was(operation: TaskOperation) -> None:
    task = replace(
        a_task("make", platform=Platform("linux", "arm64")),
        operation=operation,
        ignore_cache=True,
        store="dir:/shared",
        retries=2,
        limit_ms=1500,
        mounts=MOUNTS,
        mount_limit=1 << 30,
    )

    assert codec.decode_task(codec.encode_task(task)) == task


@pytest.mark.parametrize(
    "answer",
    [
        VertexAnswer(layer=None, created=NOON, keeps=True),
        VertexAnswer(layer=a_layer("x"), created=NOON, content=Digest.of(b"content"), cached=True),
    ],
)
def test_an_answer_comes_back_with_its_worker(answer: VertexAnswer) -> None:
    found = codec.answer_from(codec.encode_answer(answer), "tcp://a:1")

    assert found == replace(answer, worker="tcp://a:1")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BuildError("no", hint="do"), BuildError),
        (RemoteError("no", hint="do"), RemoteError),
        (WorkerUnfit("", HostError("no", hint="do")), WorkerUnfit),
        (LayersMissing("", [Digest.of(b"x")]), LayersMissing),
        (OtherVersion("w", "1", "2"), ClusterError),
        (StepCanceled(), StepCanceled),
    ],
)
def test_an_error_is_raised_with_its_family(error: ImgError, kind: type[ImgError]) -> None:
    with pytest.raises(kind) as caught:
        codec.answer_from(codec.encode_error(error), "tcp://a:1")

    assert caught.value.exit_code == (
        6 if isinstance(caught.value, ClusterError) else error.exit_code
    )
    if kind in (BuildError, RemoteError):
        assert (caught.value.message, caught.value.hint) == ("no", "do")


def changed(record: str, old: str, new: str) -> str:
    assert old in record
    return record.replace(old, new)


TASK = codec.encode_task(a_task("make"))
ANSWER = codec.encode_answer(VertexAnswer(layer=a_layer("x"), created=NOON))


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "{}",
        "é",
        "[" * 100_000,
        ANSWER,
        changed(TASK, '"Exec"', '"FetchGit"'),
        changed(TASK, "sha256", "md5"),
        changed(TASK, "registry.example/base", "-o ProxyCommand=x"),
        changed(TASK, "vnd.oci.image.layer.v1.tar+gzip", "octet-stream"),
        changed(TASK, "false,null", 'false,"linux/amd64"'),
        json.dumps([*json.loads(TASK), 1]),
    ],
)
def test_a_record_that_is_no_task_is_refused(record: str) -> None:
    with pytest.raises(BadRecord):
        codec.decode_task(record)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "null",
        "é",
        TASK,
        changed(ANSWER, "sha256", "sha1"),
        changed(ANSWER, "vnd.oci.image.layer.v1.tar+gzip", "vnd.oci.image.config.v1+json"),
        changed(ANSWER, '+gzip",', '+gzip",-'),
        changed(ANSWER, str(round(NOON.timestamp())), "9" * 18),
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_the_worker(record: str) -> None:
    with pytest.raises(ClusterError, match="tcp://a:1"):
        codec.answer_from(record, "tcp://a:1")


def test_a_worker_refuses_a_task_with_files_of_its_own() -> None:
    volume = Volume(source="/etc", target="/data", read_only=True, device=1, inode=2)
    task = replace(a_task("make"), operation=Exec(argv=("a",), volumes=(volume,)))

    with pytest.raises(BadRecord, match="files of the worker"):
        codec.decode_task(codec.encode_task(task))


def test_kept_mounts_come_back_and_other_records_do_not() -> None:
    record = codec.encode_kept(MOUNTS)

    assert codec.kept_from(record) == MOUNTS
    for bad in (
        "",
        "{}",
        ANSWER,
        changed(record, "sha256", "md5"),
        codec.encode_kept(MOUNTS * 999),
    ):
        with pytest.raises(BadRecord):
            codec.kept_from(bad)

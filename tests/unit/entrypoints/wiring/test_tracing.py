"""Each adapter that a build may use records its questions, or prevents a trace, or asks nothing."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from img.adapters.linux.id_map import IdMap
from img.adapters.linux.waiting_file import WaitingFile
from img.adapters.storage import build_traces
from img.domain.errors import HostError
from img.domain.resources import Resources
from img.entrypoints import trace, wiring
from img.entrypoints.lazy import LazyName
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import Container
from img.entrypoints.wiring.setup import Setup
from img.entrypoints.wiring.tracing import recording, unrecorded

_RECORDED = {
    *("RecordedBlobStore", "RecordedContexts", "RecordedDatabase", "RecordedIndexStore"),
    "RecordedPrograms",
    # These ask the database.
    *("SqliteBlobOrigins", "SqliteCacheStore", "SqliteFileDigestStore", "SqliteImageStore"),
}
_ASK_NOTHING = {
    *("DockerfileParseParser", "SystemClock", "FileStateLock", "FileScratchSpace"),
    *("PlainProgress", "SilentProgress", "SeveralSinks", "BuildFacts"),
    "AutoSnapshotter",  # the trial of overlays is recorded; all else changes the state
    *("NaiveSnapshotter", "OverlaySnapshotter"),  # until there is a root to prepare
    "FileBuildHistory",  # it only writes
    "FileStateSpace",  # for tidying up after the trace
    "ThreadWorkers",  # the steps that they run ask
}
# A build that uses one of these leaves no trace: the objects are made when they are used.
_MADE_WHEN_USED = {
    *(
        "GitProgram",
        "OpenedRemoteCaches",
        "OpenedSharedBlobStores",
        "RequestsWebFetcher",
        "DirectoryContext",
    ),
    "GitWorkingCopies",
    *("DirectoryCacheMounts", "DirectoryContextViews", "LocalSecrets", "LocalOutputFiles"),
    "LocalVolumes",
    *("usual_auth_files", "ContainersAuthCredentials", "MirroredRegistry", "OrasRegistry"),
    *(
        "read_registry_rules",
        "CiVariables",
        "trust_in",
        "TarLayerArchive",
        "DirectoryLayouts",
        "DirectoryLayoutWriter",
    ),
}
# Chosen by settings that leave no trace.
_OTHER_SETTINGS = {
    *("SharedBlobs", "WithSharedBlobs", "WithSharedImages"),
    *("BinfmtPrograms", "Database", "FileBlobStore", "FileIndexStore", "LocalContexts"),
    *("MemoryBlobOrigins", "MemoryBlobStore", "MemoryCacheStore", "MemoryFileDigestStore"),
    *("MemoryImageStore", "MemoryIndexStore", "NamespacedCacheStore", "OciLayoutBlobStore"),
    *("OciLayoutImageStore", "LinuxControlGroups", "ScriptedExecutor", "RawJsonProgress"),
    *("CallbackProgress", "CiSections", "SpanProgress"),
    *("export", "prepare", "MemoryBuildHistory", "DaskCluster"),
    *("TerminalProgress", "FuseSnapshotter"),
}
_OF_OTHER_COMMANDS = {
    *("ArchiveImporter", "archive_members", "decompressed", "LinuxSurvey"),
    *("DockerArchiveExporter", "OciArchiveExporter", "OciLayoutExporter", "Sif", "Squashfs"),
    *("Access", "CosignKeys", "HtmlReports", "LocalTerminal", "OrasRegistryContents"),
    "SigstoreIdentities",
    # Builds with a cluster leave no trace.
    *("DirectorySharedBlobs", "HostProcessLauncher", "read_regular", "require_extra"),
}
_MODULES = sorted(path.stem for path in Path(wiring.__path__[0]).glob("[a-z]*.py"))


def adapters() -> set[str]:
    """Return the names of all adapters of the wiring."""
    return {
        value._name
        for module in _MODULES
        for value in vars(import_module(f"img.entrypoints.wiring.{module}")).values()
        if isinstance(value, LazyName) and value._module.startswith("img.adapters.")
    }


def test_every_adapter_is_of_one_of_these_kinds() -> None:
    kinds = (_RECORDED, _ASK_NOTHING, _MADE_WHEN_USED, _OTHER_SETTINGS, _OF_OTHER_COMMANDS)

    assert adapters() == set().union(*kinds)
    assert sum(map(len, kinds)) == len(set().union(*kinds))


def a_setup(tmp_path: Path, host: BuildHost | None = None, **chosen: Any) -> Setup:
    settings = Settings(
        state=tmp_path,
        platform=host_platform(),
        **{"progress": "plain", **chosen},
    )
    return Setup(settings=settings, host=host or BuildHost(id_map=IdMap.SAME), snapshotter="auto")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trace.CommandLine:
    made = trace.CommandLine(["build", "."], str(tmp_path))
    monkeypatch.setattr(trace, "current", made)
    return made


@pytest.fixture
def output(line: trace.CommandLine, tmp_path: Path) -> Iterator[WaitingFile]:
    """Return a file; what is written to it is kept for a trace of ``line``."""
    with WaitingFile(tmp_path / "output", "wb") as file:
        line.keep_output({1: file}, 100)
        yield file


def test_output_is_kept_until_the_recording_stops(tmp_path: Path, output: WaitingFile) -> None:
    recorder = recording(a_setup(tmp_path)).recorder
    assert recorder is not None
    output.write(b"text")
    assert output.kept == bytearray(b"text")

    recorder.stop("the state changed")
    output.write(b"text")

    assert output.kept is None


def test_output_is_not_kept_without_a_recording(tmp_path: Path, output: WaitingFile) -> None:
    assert recording(a_setup(tmp_path, BuildHost(id_map=IdMap.SINGLE))).recorder is None

    assert output.kept is None


@pytest.mark.parametrize(("size", "stored"), [(100, 1), (101, 0)])
def test_output_larger_than_a_trace_leaves_none(
    size: int,
    stored: int,
    output: WaitingFile,
    line: trace.CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[object] = []
    monkeypatch.setattr(trace, "is_settled", lambda *_: True)
    monkeypatch.setattr(build_traces, "store", lambda *each: found.append(each[-1]))
    output.write(b"x" * size)

    line.store([])

    assert found == [[(1, b"x" * size)]][:stored]


@pytest.mark.usefixtures("line")
def test_usual_settings_leave_a_trace(tmp_path: Path) -> None:
    assert recording(a_setup(tmp_path)).recorder is not None
    assert recording(a_setup(tmp_path, BuildHost(id_map=IdMap.SUBORDINATE))).recorder is not None
    for backend in ("overlay", "naive"):
        assert recording(a_setup(tmp_path, snapshotter=backend)).recorder is not None


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    "chosen",
    [
        {"store": "oci-layout"},
        {"foreign": True},
        {"snapshotter": "fuse"},
        {"snapshotter": "another-package"},
        {"executor": "chroot"},
        {"executor": "another-package"},
        {"registry": "another-package"},
        {"credentials": "another-package"},
        {"progress": "tty"},
        {"progress": "rawjson"},
        {"debug": True},
        {"userns": True},
        {"secrets": ("a",)},
        {"agents": ("a",)},
        {"resources": Resources(memory=1 << 30)},
    ],
)
def test_other_settings_leave_none(chosen: dict[str, Any], tmp_path: Path) -> None:
    assert recording(a_setup(tmp_path, **chosen)).recorder is None


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    "host",
    [
        BuildHost(id_map=None, obstacle=HostError("no namespaces")),
        BuildHost(id_map=IdMap.SINGLE, id_obstacle=HostError("one id")),
        BuildHost(id_map=IdMap.SAME, executor_name="chroot"),
        BuildHost(id_map=IdMap.SAME, obstacle=HostError("no executor")),
    ],
)
def test_hosts_whose_layers_may_differ_leave_none(host: BuildHost, tmp_path: Path) -> None:
    assert recording(a_setup(tmp_path, host)).recorder is None


def test_a_state_of_another_place_leaves_none(tmp_path: Path, line: trace.CommandLine) -> None:
    line.state = "/elsewhere"

    assert recording(a_setup(tmp_path)).recorder is None


def test_without_a_command_line_there_is_none(tmp_path: Path) -> None:
    assert recording(a_setup(tmp_path)).recorder is None


def test_adapters_that_do_not_record_are_made_when_they_are_used(tmp_path: Path) -> None:
    container = Container(a_setup(tmp_path))

    for name, provider in unrecorded(container).items():
        assert type(provider()).__name__ == "LazyObject", name
    container.close()


@pytest.mark.parametrize(
    ("words", "leaves"),
    [
        (["build", "."], True),
        (["build", "-t", "a", "--build-arg=B", "-q", "--target", "x", "-f", "Other", "."], True),
        (["build", "--progress=plain", "--no-console", "--label", "a=b", "."], True),
        ([], False),
        (["ls"], False),
        (["--state", "/s", "--backend=naive", "build", "."], True),
        (["--state", "build", "ls"], False),
        (["--debug", "build", "."], False),
        (["image", "build", "."], False),
        (["build", "-"], False),
        (["build", "-tname", "."], False),
        (["build", "--", "."], False),
        *((["build", option, "."], False) for option in ("--pull", "--no-cache", "--push")),
        *((["build", f"{option}=x", "."], False) for option in ("--secret", "--ssh", "-o")),
        *((["build", f"{option}=x", "."], False) for option in ("--iidfile", "--metadata-file")),
        *((["build", f"{option}=x", "."], False) for option in ("--cache-from", "--cache-to")),
        (["build", "-s=/state", "."], False),
        (["build", "-qt", "name", "."], False),
        *((["build", f"{option}=x", "."], False) for option in ("--platform", "--build-context")),
        *((["build", f"{option}=x", "."], False) for option in ("--memory", "--call", "--allow")),
        (["build", "--no-such-option", "."], False),
    ],
)
def test_command_lines_with_other_effects_leave_none(words: list[str], leaves: bool) -> None:
    assert (trace.options_of(words) is not None) is leaves


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("build .", ""),
        ("build -s /a -b naive .", "/a"),
        ("build --state=/a . --state /b", "/b"),
        ("build -s /a --state=/b -q .", "/b"),
        ("-s /a build .", "/a"),
        ("--state=/a -b naive build -s /b .", "/b"),
        ("build --label -s /a", ""),
        ("build -t a=b --build-arg=-s . --backend=overlay", ""),
    ],
)
def test_the_state_of_a_command_line_is_known(words: str, state: str) -> None:
    options = trace.options_of(words.split())

    assert options is not None
    assert options.get("-s", "") == state

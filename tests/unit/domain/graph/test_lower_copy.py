import pytest

from img.domain.digest import Digest
from img.domain.errors import DockerfileError
from img.domain.filesystem.file_name import FileName
from img.domain.graph.arguments import (
    global_arguments,
    source_date_epoch,
    with_source_date_epoch,
)
from img.domain.graph.operations import (
    CopyFiles,
    FetchGit,
    FetchUrl,
    InlineFile,
    MakeDirectory,
    ReadContext,
)
from tests.support.plans import (
    a_dockerfile,
    a_request,
    history_of,
    operation_of,
    plan_of,
)

SUM = Digest.of(b"x")


def copy_of(text: str) -> CopyFiles:
    operation = operation_of(plan_of(text))
    assert isinstance(operation, CopyFiles)
    return operation


def test_sources_are_clean_and_destinations_absolute() -> None:
    copy = copy_of("FROM scratch\nWORKDIR /w\nCOPY ./a/ /../b c* d/")
    assert copy == CopyFiles(sources=("a", "b", "c*"), destination="/w/d/")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", "/w/"), (".", "/w/"), ("./", "/w/"), ("/", "/"), ("/x/.", "/x/"), ("x", "/w/x")],
)
def test_a_destination_says_whether_it_is_a_directory(written: str, meant: str) -> None:
    text = f"FROM scratch\nWORKDIR /w\nARG D={written}\nCOPY a $D"
    assert copy_of(text).destination == meant


def test_heredocs_are_files_whose_variables_are_expanded_but_not_their_quotes() -> None:
    copy = copy_of("FROM scratch\nENV A=1\nCOPY <<x <<'y' /d/\n\"$A\" \\$A\nx\n$A\ny\n")
    assert copy.inline == (
        InlineFile(name=FileName("x"), content='"1" $A\n'),
        InlineFile(name=FileName("y"), content="$A\n"),
    )
    assert copy.sources == ()


def test_parents_keep_their_pivot() -> None:
    copy = copy_of("FROM scratch\nCOPY --parents ./a/./b/*.c x/y /./z /d/")
    assert copy.parents
    assert copy.sources == ("a/./b/*.c", "x/y", "z")


def test_link_is_taken_away_by_chmod() -> None:
    assert copy_of("FROM scratch\nCOPY --link a /").link
    assert not copy_of("FROM scratch\nCOPY --link --chmod=700 a /").link


def test_only_add_unpacks() -> None:
    assert copy_of("FROM scratch\nADD a.tar /").unpack
    assert not copy_of("FROM scratch\nADD --unpack=false a.tar /").unpack
    assert not copy_of("FROM scratch\nCOPY a.tar /").unpack


def test_add_fetches_urls_and_repositories_beside_files() -> None:
    plan = plan_of("FROM scratch\nADD http://h/a%20b?q a https://h/r.git#v1:sub /d/")
    copy = operation_of(plan)
    assert isinstance(copy, CopyFiles)
    inputs = plan.graph.vertices[plan.target].inputs
    assert [plan.graph.vertices[each].operation for each in inputs[1:]] == [
        FetchUrl(url="http://h/a%20b?q", filename=FileName("a b")),
        ReadContext(),
        FetchGit(remote="https://h/r.git", ref="v1", subdir="sub"),
    ]
    assert (copy.sources, copy.source_inputs) == (("a b", "a", ""), (1, 2, 3))


def test_a_kept_git_directory_makes_no_repository_of_a_download() -> None:
    plan = plan_of("FROM scratch\nADD --keep-git-dir http://h/file /\n")
    assert [
        v.operation.filename for v in plan.graph.vertices if isinstance(v.operation, FetchUrl)
    ] == ["file"]


def test_a_checksum_goes_with_the_download() -> None:
    plan = plan_of(f"FROM scratch\nADD --checksum={SUM} http://h/f /")
    assert FetchUrl(url="http://h/f", filename=FileName("f"), checksum=SUM) in [
        vertex.operation for vertex in plan.graph.vertices
    ]


def test_history_shows_what_decides_with_variables_expanded() -> None:
    plan = plan_of("FROM scratch\nARG U=a\nCOPY --chown=$U:b --chmod=755 --link x y /z/")
    assert history_of(plan)[-1] == "COPY --chown=a:b --chmod=755 x y /z/ # buildkit"


def test_workdir_makes_the_directory_for_the_user() -> None:
    plan = plan_of("FROM busybox\nUSER u\nWORKDIR /a/b/")
    assert operation_of(plan) == MakeDirectory(path="/a/b", owner="u")
    assert plan.config.run.working_dir == "/a/b/"


def test_workdir_of_the_root_makes_nothing() -> None:
    plan = plan_of("FROM busybox\nWORKDIR /")
    assert [(item.created_by, item.vertex) for item in plan.history] == [("WORKDIR /", None)]


def test_the_epoch_is_known_to_what_writes_files() -> None:
    request = a_request(build_args={"SOURCE_DATE_EPOCH": "7"})
    for text in ("COPY a /", "WORKDIR /a", "RUN x"):
        operation = operation_of(plan_of(f"FROM busybox\n{text}", request))
        assert getattr(operation, "epoch", None) == 7


@pytest.mark.parametrize(
    ("text", "build_args", "expected"),
    [
        ("", {}, None),
        ("", {"SOURCE_DATE_EPOCH": "7"}, 7),
        ("", {"SOURCE_DATE_EPOCH": "-1"}, -1),
        ("", {"SOURCE_DATE_EPOCH": "+07"}, 7),
        ("", {"SOURCE_DATE_EPOCH": "0"}, 0),
        ("ARG SOURCE_DATE_EPOCH=7", {}, 7),
        ("ARG SOURCE_DATE_EPOCH=-1", {}, -1),
        ("ARG D=7\nARG SOURCE_DATE_EPOCH=${D}0", {}, 70),
        ("ARG SOURCE_DATE_EPOCH", {}, None),
        ("ARG SOURCE_DATE_EPOCH=7", {"SOURCE_DATE_EPOCH": "9"}, 9),
        ("ARG SOURCE_DATE_EPOCH=7", {"SOURCE_DATE_EPOCH": ""}, None),
        ("ARG SOURCE_DATE_EPOCH=context", {}, None),  # not looked up: as not given
    ],
)
def test_the_epoch_comes_from_a_build_arg_or_a_global_one(
    text: str, build_args: dict[str, str], expected: int | None
) -> None:
    plan = plan_of(f"{text}\nFROM busybox\nCOPY a /", a_request(build_args=build_args))
    operation = operation_of(plan)
    assert isinstance(operation, CopyFiles)
    assert plan.epoch == operation.epoch == expected


@pytest.mark.parametrize("seconds", [None, 0, -1, 7])
@pytest.mark.parametrize("build_args", [{}, {"SOURCE_DATE_EPOCH": "context", "A": "1"}])
@pytest.mark.parametrize("default", ["", "=context", "=5"])
def test_an_epoch_that_was_looked_up_is_what_stages_see(
    seconds: int | None, build_args: dict[str, str], default: str
) -> None:
    dockerfile, request = with_source_date_epoch(
        a_dockerfile(f"ARG SOURCE_DATE_EPOCH{default}\nFROM busybox\nARG A"),
        a_request(build_args=build_args),
        seconds,
    )
    arguments = global_arguments(dockerfile, request)
    assert source_date_epoch(request, arguments) == seconds
    assert arguments.get("SOURCE_DATE_EPOCH") == (None if seconds is None else str(seconds))
    assert request.build_args.get("A") == build_args.get("A")


@pytest.mark.parametrize(
    "text", ["x", "²", "7 ", "1_0", "0x7", "contexts", "9" * 17, "9" * 5000, "-99999999999999"]
)
def test_an_epoch_that_no_date_can_tell_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError, match="invalid SOURCE_DATE_EPOCH"):
        plan_of("FROM busybox\nCOPY a /\n", a_request(build_args={"SOURCE_DATE_EPOCH": text}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("COPY http://h/f /", "source can't be a URL for COPY"),
        ("COPY https://h/r.git /", "source can't be a git ref for COPY"),
        ("COPY --chmod=99999 a /", "invalid chmod parameter"),
        (f"ADD --checksum={SUM} a /", "checksum requires HTTP"),
        (f"ADD --checksum={SUM} http://h/a http://h/b /", "multiple sources"),
        ("ADD --checksum=zz http://h/a /", "invalid digest"),
        ("ADD https://h/r.git?nope=1 /", 'unexpected query "nope"'),
        ("COPY ${A:?needed} /", "A: needed"),
    ],
)
def test_what_cannot_be_copied_is_refused_at_its_line(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as refusal:
        plan_of(f"FROM scratch\n{text}")
    assert message in refusal.value.message
    assert refusal.value.lines == (2, 2)

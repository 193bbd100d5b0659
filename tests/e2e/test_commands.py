"""The command line: spellings, messages, columns, argument checks."""

import json
import re
from dataclasses import replace

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext

pytestmark = pytest.mark.any_user

_AGE = r"(Less than a second|1 second|\d+ seconds|About a minute|\d+ minutes) ago"


@pytest.fixture
def app(img: Img, write_context: WriteContext) -> Img:
    img("build", "-q", "-t", "app", write_context("FROM scratch\nCOPY f /\n", {"f": "f" * 5000}))
    return img


def test_build_says_what_it_builds_and_keeps_stdout_free(
    img: Img, write_context: WriteContext
) -> None:
    outcome = img("build", "-t", "jess/img", write_context("FROM scratch\nCOPY f /\n", {"f": "f"}))

    lines = outcome.stderr.splitlines()
    assert lines[:2] == ["Building jess/img", "Setting up the rootfs... this may take a bit."]
    assert lines[-1] == "Successfully built jess/img"
    assert outcome.stdout == ""


def test_build_ends_with_all_that_leads_to_the_image(img: Img, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\nCOPY f /\n", {"f": "f"})
    known = img("build", "-q", "-t", "a", context).stdout.strip()

    outcome = img("build", "-t", "a", "-t", "b:2", "--rm", "--force-rm=0", "--sbom=false", context)
    nameless = img("build", "--quiet=false", context)

    *_, identity, digest, size, first, second, steps, last = outcome.stderr.splitlines()
    assert identity == f"Image ID: {known}"
    assert re.fullmatch(r"Digest: sha256:[0-9a-f]{64}", digest)
    assert re.fullmatch(r"Size: \S+B", size)
    assert first == "Naming to docker.io/library/a:latest"
    assert second == "Naming to docker.io/library/b:2"
    assert re.fullmatch(rf"Steps: 1 cached, 0 run, in [\d.]+s; {size[6:]}, {digest[8:27]}", steps)
    assert last == "Successfully built a"
    assert nameless.stdout.strip() == known
    assert nameless.stderr.splitlines()[-1] == "Successfully built image"


def test_quiet_is_silent_but_for_the_image(app: Img, write_context: WriteContext) -> None:
    outcome = app("build", "-q", "-t", "app", write_context("FROM scratch\nLABEL a=b\n"))

    assert outcome.stderr == ""
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", outcome.stdout)


def test_ls_has_five_columns(app: Img) -> None:
    header, row = app("ls").stdout.splitlines()

    assert re.split(r"\t+", header) == ["NAME", "SIZE", "CREATED AT", "UPDATED AT", "DIGEST"]
    name, size, created, updated, digest = re.split(r"\t+", row)
    assert name == "docker.io/library/app:latest"
    assert re.fullmatch(r"[\d.]+(B|KiB|MiB|GiB)", size)
    assert re.fullmatch(_AGE, created)
    assert re.fullmatch(_AGE, updated)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_ls_filters(app: Img) -> None:
    app("tag", "app", "other:v2")

    assert len(app("ls", "-f", "other").stdout.splitlines()) == 2


def test_ls_of_no_state_is_a_header_alone(img: Img) -> None:
    none = img.with_state(img.home / "none")

    assert none("ls").stdout == "NAME\tSIZE\tCREATED AT\tUPDATED AT\tDIGEST\n"


def test_du_has_four_columns_and_totals(app: Img) -> None:
    lines = app("du").stdout.splitlines()

    assert re.split(r"\t+", lines[0]) == ["ID", "RECLAIMABLE", "SIZE", "DESCRIPTION"]
    assert lines[-2].startswith("Reclaimable:\t")
    assert lines[-1].startswith("Total:\t")
    assert "Total:" not in app("du", "-f", "sha256").stdout


def test_prune_tells_what_it_gave_back(app: Img) -> None:
    app("build", "-q", "-t", "app2", app.home.parent / "context")

    lines = app("prune").stdout.splitlines()

    assert re.split(r"\t+", lines[0]) == ["ID", "RECLAIMABLE", "SIZE", "DESCRIPTION"]
    assert lines[-2].startswith("Reclaimed:\t")
    assert lines[-1].startswith("Total:\t")


def test_tag_and_rm_echo_names_as_typed(app: Img) -> None:
    assert app("tag", "app", "jess/other").stdout == "Successfully tagged app as jess/other\n"
    assert app("rm", "app", "jess/other").stdout.splitlines() == [
        "Removing app...",
        "Successfully removed app",
        "Removing jess/other...",
        "Successfully removed jess/other",
    ]


def test_rm_goes_on_behind_an_image_that_is_not_there(app: Img) -> None:
    app("tag", "app", "second")

    outcome = app("rm", "app", "gone", "second", code=7)

    assert "Successfully removed second" in outcome.stdout
    assert outcome.stderr.count("Error: ") == 1
    assert '"docker.io/library/gone:latest"' in outcome.stderr
    assert app("ls", "-q").stdout == ""


def test_inspect_prints_dockers_document_or_the_config(app: Img) -> None:
    (document,) = json.loads(app("inspect", "app").stdout)
    text = app("inspect", "--config", "app").stdout

    assert document["RepoTags"] == ["app:latest"]
    assert app("inspect", "-f", "{{.Id}}", "app").stdout == document["Id"] + "\n"
    partly = app("inspect", "gone", "app", code=7)
    assert json.loads(partly.stdout) == [document]
    assert '"docker.io/library/gone:latest"' in partly.error_line
    assert text.startswith('{\n\t"')
    assert json.loads(text)["rootfs"]["diff_ids"] == document["RootFS"]["Layers"]


def test_an_image_without_a_name_lives_by_its_id(app: Img, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\nLABEL no=name\n")
    id_ = app("build", "-q", "-o", "type=image", context).stdout.strip()
    short = id_.removeprefix("sha256:")[:12]
    digest = app("images", "--format", "{{.Digest}}", "-f", "label=no=name").stdout.strip()

    assert short in app("image", "ls", "-q", "--filter", "dangling=true").stdout.splitlines()
    for name in (id_, digest[7:20]):
        assert app("inspect", "--format", "{{.Id}}", name).stdout.strip() == id_
    assert app("history", "-q", short).stdout == f"{short}\n"
    app("save", "--format", "oci", "-o", app.home / "saved.tar", digest)
    assert "has no name" in app("push", short, code=1).error_line
    app("tag", short, "named")
    assert "dangling" not in app("rmi", f"named@{digest}").stdout
    assert "not found" in app("inspect", id_, code=7).error_line

    app("build", "-q", "-o", "type=image", context)
    assert f"deleted: {id_}\n" in app("image", "prune").stdout
    assert app("ls", "-q", "-f", "dangling=true").stdout == ""


def test_all_images_go_only_if_that_is_meant(app: Img) -> None:
    assert "--force" in app("image", "prune", "-a", code=1).error_line
    assert "untagged: app:latest" in app("system", "prune", "-af").stdout
    assert app("ls", "-q").stdout == ""


def test_formats_are_dockers(app: Img, write_context: WriteContext) -> None:
    row = json.loads(app("images", "--format", "json", "app").stdout)
    table = app("ls", "--format", "table {{.Repository}}\\t{{.Tag}}", "app").stdout
    item = json.loads(app("du", "--format", "{{json .}}", "-f", "type=state").stdout)
    steps = app("history", "--format", "{{.CreatedBy}}", "--no-trunc", "app").stdout

    assert (row["Repository"], row["Tag"]) == ("app", "latest")
    assert table == "REPOSITORY   TAG\napp          latest\n"
    assert item["Type"] == "state"
    assert "COPY f /" in steps
    assert "known" in app("images", "--format", "{{.Nope}}", code=1).error_line
    assert "no end" in app("inspect", "-f", "{{.Id", "app", code=1).error_line


def test_version_prints_a_block(img: Img) -> None:
    lines = img("version").stdout.splitlines()

    assert lines[0] == "img:"
    assert re.fullmatch(r"\s+version     : \S+", lines[1])
    assert img("--version").stdout.startswith("img version ")


@pytest.mark.registry
def test_pull_and_push_say_what_they_do(img: Img, busybox: str) -> None:
    pulled = img("pull", busybox).stdout.splitlines()
    assert pulled[0] == f"Pulling {busybox}..."
    assert re.fullmatch(r"Pulled: sha256:[0-9a-f]{64}", pulled[1])
    assert re.fullmatch(r"Size: [\d.]+(KiB|MiB)", pulled[2])

    name = busybox.replace("busybox", f"pushed-{img.account.name}")
    img("tag", busybox, name)
    assert img("push", name).stdout.splitlines() == [
        f"Pushing {name}...",
        f"Successfully pushed {name}",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build"], "must pass a path to build"),
        (["build", "-t", "x", "a", "b"], "must pass a path to build"),
        (["build", "-t", "x", ""], "please specify build context"),
        (["build", "--squash-all", "."], "--squash-all is not supported (use --squash=all)"),
        (["build", "--provenance=mode=all", "."], 'invalid mode "all"'),
        (["build", "--attest", "type=foo", "."], 'unknown attestation type "foo"'),
        (["build", "--no-cache=maybe", "."], "invalid value 'maybe' of --no-cache"),
        (["build", "--no-cahce", "."], "no such option: --no-cahce; did you mean --no-cache?"),
        (["build", "-q", "--progress", "loud", "."], "loud is not a valid progress display"),
        (["build", "--progress", "loud", "."], "known: auto, plain, quiet, rawjson, tty"),
        (["build", "--pull=seldom", "."], "invalid --pull 'seldom'"),
        (["build", "-t", "x", "--build-arg", "=v", "."], "invalid build-arg value =v"),
        (["build", "-t", "x", "--label", "=l", "."], "invalid label value =l"),
        (["build", "-t", f"x@sha256:{'0' * 64}", "."], "has a digest, but no image is made to fit"),
        (["build", "-t", "UP", "."], 'parsing image name "UP" failed'),
        (["-b", "zfs", "build", "-t", "x", "."], "zfs is not a valid snapshots backend"),
        (["build", "-t", "x", "--executor", "scripted", "."], "scripted is not a valid executor"),
        (["tags", "--authfile", "gone", "x"], "--authfile gone: no such file"),
        (["ls", "x", "y"], "one NAME or pattern at most"),
        (["du", "x"], "no arguments expected"),
        (["prune", "x"], "no arguments expected"),
        (["version", "x"], "no arguments expected"),
        (["catalog", "localhost:x"], '"localhost:x" is no registry'),
        (["inspect"], "must pass an image to inspect"),
        (["pull"], "must pass an image or repository to pull"),
        (["push"], "must pass an image or repository to push"),
        (["rm"], "must pass an image to remove"),
        (["save"], "must pass an image to save"),
        (["save", "--format", "zip", "x"], '"zip" is not a valid format'),
        (["tag", "x"], "must pass an image or repository and target to tag"),
        (["login", "-u", "x", "-p", "y", "--password-stdin"], "are mutually exclusive"),
        (["login", "--password-stdin"], "must provide --username with --password-stdin"),
        (["login", "127.0.0.1:1"], "cannot perform an interactive login from a non TTY device"),
        (["login", "a", "b"], "login expects zero or one arguments, found 2"),
        (["logout", "a", "b"], "logout expects zero or one arguments, found 2"),
        (["ls", "--no-such"], "o such option"),
    ],
)  # fmt: skip
def test_a_wrong_use_is_told_in_a_line(img_for: ImgFor, arguments: list[str], message: str) -> None:
    outcome = img_for("user")(*arguments, code=1)

    assert message in outcome.error_line
    assert outcome.stdout == ""


def test_progress_is_shown_as_the_environment_says_unless_an_option_does(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    img = img_for("user").with_environment(BUILDKIT_PROGRESS="rawjson")
    context = write_context("FROM scratch\nCOPY f /\n", {"f": "f"})

    first, second = (img("build", *words, context) for words in ([], ["--progress=plain"]))

    lines = map(json.loads, first.stderr.splitlines())  # all of it is for programs
    names = {each["name"] for line in lines for each in line.get("vertexes", ())}
    assert "[1/1] COPY f /" in names
    assert "{" not in second.stderr


def test_a_store_that_keeps_nothing_is_no_choice(img: Img) -> None:
    outcome = img.with_environment(IMG_STORE="memory")("ls", code=1)

    assert outcome.stderr == "Error: memory is not a valid blob store (it is for tests)\n"


@pytest.mark.parametrize("before", [(), ("-s", "state"), ("-d", "--backend", "naive")])
def test_an_unknown_command(img_for: ImgFor, before: tuple[str, ...]) -> None:
    outcome = img_for("user")(*before, "frobnicate", code=1)

    assert outcome.stderr == "img: 'frobnicate' is not an img command.\nSee 'img --help'\n"


def test_an_unknown_command_that_is_nearly_one(img_for: ImgFor) -> None:
    outcome = img_for("user")("biuld", code=1)

    assert outcome.stderr == (
        "img: 'biuld' is not an img command. Did you mean 'build'?\nSee 'img --help'\n"
    )


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("build", "img build [OPTIONS] PATH"),
        ("ls", "img ls [OPTIONS] [NAME]"),
        ("rm", "img rm [OPTIONS] NAME..."),
        ("login", "img login [OPTIONS] [SERVER]"),
        ("unshare", "img unshare [OPTIONS] COMMAND..."),
    ],
)
def test_help_says_which_words_a_command_takes(img_for: ImgFor, command: str, usage: str) -> None:
    assert img_for("user")(command, "--help").stdout.splitlines()[0] == f"Usage: {usage}"


@pytest.mark.parametrize(
    ("arguments", "place", "message"),
    [
        ("ls", ">&-", "cannot write standard output: Bad file descriptor"),
        ("ls", ">/dev/full", "cannot write standard output: No space left on device"),
        ("save app", ">&-", "cannot write standard output: Bad file descriptor"),
        ("save app", ">/dev/full", "cannot write standard output: No space left on device"),
    ],
)
def test_results_that_cannot_get_out_are_an_error(
    app: Img, arguments: str, place: str, message: str
) -> None:
    shell = replace(app, command=("sh", "-c", f'"$0" -m img {arguments} {place}', app.python))

    outcome = shell(code=1)

    assert outcome.stderr.startswith(f"Error: {message}")
    assert outcome.stderr.count("\n") == 1, outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("ls --nope", 1), ("build --progress=rawjson .", 0), ("build --progress=plain .", 1)],
)
def test_messages_that_cannot_get_out_leave_the_exit_code(
    app: Img, arguments: str, code: int
) -> None:
    line = f'"$0" -m img {arguments} 2>/dev/full'
    shell = replace(app, command=("sh", "-c", line, app.python))

    assert shell(code=code, cwd=app.home.parent / "context").stderr == ""


def test_without_any_standard_stream_a_build_goes_well(app: Img) -> None:
    shell = replace(app, command=("sh", "-c", '"$0" -m img "$@" <&- >&- 2>&-', app.python))

    shell("build", "-t", "again", app.home.parent / "context")

    assert "again" in app("ls").stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(img_for: ImgFor, arguments: list[str]) -> None:
    text = img_for("user")(*arguments).stdout

    commands = "build du inspect load login logout ls prune pull push rm save tag version"
    assert [name for name in commands.split() if not re.search(rf"^\s+{name}\s", text, re.M)] == []
    assert 'Use "img [command] --help" for more information about a command.' in text


@pytest.mark.registry
@pytest.mark.userns
def test_the_seeds_spellings_of_flags_work(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    context = write_context(
        f"FROM {busybox} AS one\nARG WORD\nRUN echo $WORD > /word\nFROM scratch\nCOPY gone /\n"
    )
    state = img.home / "seed-state"

    img(
        "build", "-state", state, "-backend=naive", "-build-arg", "WORD=hello",
        "-target", "one", "-t", "seed", context,
    )  # fmt: skip

    assert "seed" in img("ls", "-state", state).stdout
    assert "seed" not in img("ls").stdout


def test_it_runs_as_a_module(app: Img) -> None:
    module = replace(app, command=(app.python, "-m", "img"))

    assert module("inspect", "app").stdout == app("inspect", "app").stdout


def test_debug_logs_are_structured_and_on_stderr(app: Img, write_context: WriteContext) -> None:
    outcome = app("build", "-d", "-t", "app", write_context("FROM scratch\nCOPY f /\n", {"f": "1"}))

    assert outcome.stdout == ""
    assert re.search(r"\d{4}-\d\d-\d\dT.*debug.*\S+=\S+", outcome.stderr)


def test_listing_images_does_not_import_what_is_slow(img_for: ImgFor) -> None:
    user = img_for("user")
    loud = replace(user, command=(user.python, "-X", "importtime", "-m", "img"))

    imported = set(re.findall(r"\| +(\S+)$", loud("ls").stderr, re.M))

    assert (
        imported
        & {"oras", "requests", "dockerfile_parse", "structlog", "isal", "zstandard", "rich"}
        == set()
    )

"""Build contexts by kaniko's locations."""

import pytest

from img.domain.errors import UsageError
from img.domain.git_reference import GitReference
from img.domain.kaniko.command_line import parse
from img.domain.kaniko.context import (
    ArchivePlace,
    Context,
    DirectoryPlace,
    ObjectPlace,
    RemotePlace,
    context_of,
)
from img.domain.kaniko.flags import EXECUTOR

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _context(*words: str, **environment: str) -> Context:
    return context_of(parse(words, EXECUTOR), environment)


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ((), Context(place=DirectoryPlace(path="/workspace/"))),
        (("-c", "src"), Context(place=DirectoryPlace(path="src"))),
        (("-c", "src", "--context-sub-path=a"), Context(place=DirectoryPlace(path="src"))),
        (("-c", "dir://src"), Context(place=DirectoryPlace(path="src"))),
        (
            ("-c", "dir:///s", "--context-sub-path=a/b/"),
            Context(place=DirectoryPlace(path="/s"), sub_path="a/b"),
        ),
        (("-c", "tar:///c", "--context-sub-path=."), Context(place=ArchivePlace(path="/c"))),
        (("-c", "tar:///c.tar.gz"), Context(place=ArchivePlace(path="/c.tar.gz"))),
        (("-c", "tar://stdin"), Context(place=ArchivePlace(path=""))),
        (
            ("-c", "https://example.com/c.tar.gz"),
            Context(place=RemotePlace(location="https://example.com/c.tar.gz")),
        ),
        (
            ("-c", "gs://bucket/a/c.tar.gz"),
            Context(place=ObjectPlace(kind="gs", bucket="bucket", key="a/c.tar.gz", access={})),
        ),
        (
            ("-c", "", "-b", "bucket/c.tar.gz"),
            Context(place=ObjectPlace(kind="gs", bucket="bucket", key="c.tar.gz", access={})),
        ),
    ],
)
def test_a_context_is_of_the_kind_that_its_prefix_says(
    words: tuple[str, ...], context: Context
) -> None:
    assert _context(*words) == context


def test_a_context_in_s3_takes_its_access_from_the_environment() -> None:
    found = _context(
        "-c",
        "s3://bucket/c.tar.gz",
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="id",
        AWS_SECRET_ACCESS_KEY="key",
        S3_ENDPOINT="http://minio:9000",
        S3_FORCE_PATH_STYLE="true",
    )

    assert isinstance(found.place, ObjectPlace)
    assert found.place.access == {
        "region": "eu-west-1",
        "access_key_id": "id",
        "secret_access_key": "key",
        "endpoint_url": "http://minio:9000",
        "use_path_style": "true",
    }


@pytest.mark.parametrize("emulator", ["localhost:9", "http://localhost:9"])
def test_an_emulator_of_googles_storage_needs_no_credentials(emulator: str) -> None:
    place = _context("-c", "gs://b/k", STORAGE_EMULATOR_HOST=emulator).place

    assert isinstance(place, ObjectPlace)
    assert place.access == {"endpoint_url": "http://localhost:9", "anonymous": "true"}


def test_a_context_in_azure_needs_its_key() -> None:
    words = ("-c", "https://account.blob.core.windows.net/container/a/c.tar.gz")

    found = _context(*words, AZURE_STORAGE_ACCESS_KEY="key")

    assert found.place == ObjectPlace(
        kind="azblob",
        bucket="container",
        key="a/c.tar.gz",
        access={
            "account_name": "account",
            "account_url": "https://account.blob.core.windows.net",
            "secret_access_key": "key",
        },
    )
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCESS_KEY environment variable"):
        _context(*words)


@pytest.mark.parametrize(
    ("words", "environment", "remote", "ref", "subdir", "submodules"),
    [
        (("git://h/a/b.git",), {}, "https://h/a/b.git", "", "", False),
        (("git://h/a/b",), {}, "https://h/a/b.git", "", "", False),
        (("git://h/b.git#main",), {}, "https://h/b.git", "main", "", False),
        (("git://h/b.git#refs/pull/1",), {}, "https://h/b.git", "refs/pull/1", "", False),
        ((f"git://h/b.git#main#{_COMMIT}",), {}, "https://h/b.git", _COMMIT, "", False),
        (("git://h/b.git", "--git=branch=dev"), {}, "https://h/b.git", "dev", "", False),
        (("git://h/b.git#v1", "--git=branch=dev"), {}, "https://h/b.git", "dev", "", False),
        ((f"git://h/b.git#{_COMMIT}", "--git=branch=x"), {}, "https://h/b.git", _COMMIT, "", False),
        (
            ("git://h/b.git#refs/tags/v1", "--git=branch=x"),
            {},
            "https://h/b.git",
            "refs/tags/v1",
            "",
            False,
        ),
        (
            ("git://github.com/a/b#refs/pull/1/head", "--git=branch=x"),
            {},
            "https://github.com/a/b.git",
            "x",
            "",
            False,
        ),
        (
            ("git://h/b.git", "--git", "recurse-submodules=true", "--git", "depth=1"),
            {},
            "https://h/b.git",
            "",
            "",
            True,
        ),
        (("git://h/b.git#v1", "--context-sub-path", "x"), {}, "https://h/b.git", "v1", "x", False),
        (("git://h/b.git", "--context-sub-path", "x"), {}, "https://h/b.git", "", "x", False),
        (("git://h/b.git",), {"GIT_PULL_METHOD": "http"}, "http://h/b.git", "", "", False),
        (("git://h/b.git",), {"GIT_TOKEN": "a b"}, "https://a%20b:@h/b.git", "", "", False),
        (
            ("git://h/b.git",),
            {"GIT_USERNAME": "u", "GIT_PASSWORD": "p/w"},
            "https://u:p%2Fw@h/b.git",
            "",
            "",
            False,
        ),
    ],
)
def test_a_context_in_git_is_a_reference_with_the_directory_of_git(
    words: tuple[str, ...],
    environment: dict[str, str],
    remote: str,
    ref: str,
    subdir: str,
    submodules: bool,
) -> None:
    found = _context("-c", *words, **environment)

    assert isinstance(found.place, RemotePlace) and found.place.is_git
    reference = GitReference.parse(found.place.location)
    assert (reference.remote, reference.ref, reference.subdir) == (remote, ref, subdir)
    assert (reference.submodules, reference.keep_git_dir) == (submodules, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-c", ""), "please specify a path to the build context"),
        (("-c", "ftp://h/x"), "unknown build context prefix ftp://"),
        (("-c", "s3://bucket"), "s3://bucket: it must name a bucket and an object in it"),
        (("-c", "git://h/b.git#main#v1"), "v1 is not the hash of a commit"),
        (("-c", "git://h/b.git", "--git=depth"), "--git depth: it must be KEY=VALUE"),
        (("-c", "git://h/b.git", "--git=depth=x"), "--git depth=x: x is not a number"),
        (
            ("-c", "git://h/b.git", "--git=recurse-submodules=maybe"),
            "--git recurse-submodules=maybe: maybe is not a boolean",
        ),
        (
            ("-c", "git://h/b.git", "--git=insecure-skip-tls=true"),
            "--git insecure-skip-tls=true is not supported",
        ),
    ],
)
def test_a_context_that_cannot_be_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        _context(*words)

    assert message in refused.value.message

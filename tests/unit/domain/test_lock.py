"""The text of lock files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.git_commit import GitCommit
from img.domain.lock import BadLock, Lock

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
DIGESTS = st.binary().map(Digest.of)
COMMITS = st.builds(
    GitCommit,
    name=st.text("0123456789abcdef", min_size=40, max_size=40),
    ref=st.sampled_from(["", "HEAD", "refs/heads/main", "refs/tags/v1.0-ä"]),
)
COMMIT = GitCommit(name="0" * 40, ref="refs/heads/main")
LOCKS = st.builds(
    Lock,
    images=st.dictionaries(st.tuples(NAMES, NAMES), DIGESTS, max_size=4),
    urls=st.dictionaries(NAMES, DIGESTS, max_size=4),
    commits=st.dictionaries(NAMES, COMMITS, max_size=4),
)


@given(LOCKS)
def test_a_lock_comes_back_as_it_was_written(lock: Lock) -> None:
    assert Lock.parse(lock.render().encode()) == lock


@given(LOCKS)
def test_the_order_of_entries_makes_no_difference(lock: Lock) -> None:
    other = Lock(
        images=dict(reversed(list(lock.images.items()))),
        urls=dict(reversed(list(lock.urls.items()))),
        commits=dict(reversed(list(lock.commits.items()))),
    )

    assert other.render() == lock.render()
    assert list(other.differences(lock)) == []


@given(st.binary() | st.text().map(str.encode))
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(BadLock):
        Lock.parse(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "version None"),
        ("version = 2", "version 2"),
        ("version = 1\n[other]", "unknown section 'other'"),
        ("version = 1\nimages = 1", "images is no table"),
        ("version = 1\n[images]\na = 1", "a is no table"),
        ("version = 1\n[images.a]\nb = 1", "1 of a is no digest"),
        ("version = 1\n[urls]\na = 'sha256:00'", "'sha256:00' of a is no digest"),
        ("version = 1\n[git]\na = 'main'", "'main' of a is no commit"),
        ("version = 1\n[git]\na = ['b']", "of a is no commit"),
        *(
            (f"version = 1\n[git]\na = '{'0' * 40} {ref}'", "of a is no commit")
            for ref in ("main", "refs/x:refs/y", "refs/*", "refs/../x", "refs/x y", "-x", "refs/")
        ),
        ("version = 1\nversion = 1", "Cannot overwrite"),
        ("a = " + "[" * 100_000, "invalid"),
    ],
)
def test_a_lock_with_an_error_says_which(text: str, reason: str) -> None:
    with pytest.raises(BadLock) as caught:
        Lock.parse(text.encode())

    assert reason in caught.value.message


def test_the_file_is_sorted_and_has_one_entry_per_line() -> None:
    digest = Digest.of(b"")
    lock = Lock(
        images={("b", "linux/arm64"): digest, ("b", "linux/amd64"): digest, ("a", "x"): digest},
        commits={"r#main": COMMIT},
    )

    lines = [line for line in lock.render().splitlines() if line and line[0] != "#"]

    assert lines == [
        "version = 1",
        '[images."a"]',
        f'"x" = "{digest}"',
        '[images."b"]',
        f'"linux/amd64" = "{digest}"',
        f'"linux/arm64" = "{digest}"',
        "[git]",
        f'"r#main" = "{"0" * 40} refs/heads/main"',
    ]


def test_differences_name_old_and_new() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    before = Lock(images={("a", "x"): one, ("b", "x"): one}, urls={"u": one})
    after = Lock(images={("a", "x"): two, ("b", "x"): one}, commits={"g": COMMIT})

    assert list(before.differences(after)) == [
        f"a for x: {one} → {two}",
        f"+ g: {'0' * 40} refs/heads/main",
        f"- u: {one}",
    ]


def test_of_two_entries_with_a_name_the_other_lock_has_precedence() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    before = Lock(images={("a", "x"): one, ("b", "x"): one}, urls={"u": one})
    after = Lock(images={("a", "x"): two}, commits={"g": COMMIT})

    assert before | after == Lock(
        images={("a", "x"): two, ("b", "x"): one}, urls={"u": one}, commits={"g": COMMIT}
    )

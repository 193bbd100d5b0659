"""ADD of git repositories: by commit, once."""

from base64 import b64encode

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.secret_source.memory import MemorySecrets
from img.application.solver.steps.fetch_git import HostSecrets
from img.application.solver.steps.fetch_sources import SourceUnavailable
from tests.support.in_memory_app import InMemoryApp, image_of

REMOTE = "https://host/r.git"
FIRST, SECOND = "1" * 40, "2" * 40
COMMITTED = 1_600_000_000


class Hub:
    """An InMemoryApp, and one repository that moves on."""

    def __init__(self, authorization: str = "", secrets: dict[str, bytes] | None = None) -> None:
        self.app = InMemoryApp(secrets=secrets or {})
        self.refs = {"refs/heads/main": FIRST}
        repository = MemoryRepository(
            refs=self.refs,
            files={
                (FIRST, ""): MemoryContext({"x": b"1"}),
                (FIRST, "sub"): MemoryContext({"y": b"1"}),
                (SECOND, ""): MemoryContext({"x": b"2"}),
            },
            committed=COMMITTED,
            authorization=authorization,
        )
        self.git = MemoryGit({REMOTE: repository, "git@host:r.git": repository})
        self.app.container.building.git.override(self.git)

    def build(self, source: str = REMOTE, flags: str = "") -> dict[str, bytes]:
        self.app.forget_progress()
        built = self.app.build(f"FROM scratch\nADD {flags} {source} /r\n")
        return self.app.files_of(built)


def test_a_commit_is_checked_out_once() -> None:
    hub = Hub()
    assert hub.build() == hub.build() == {"r/x": b"1"}
    assert len(hub.git.checkouts) == 1
    assert f"ADD {REMOTE}" in hub.app.found


def test_a_branch_that_has_moved_on_is_checked_out_again() -> None:
    hub = Hub()
    hub.build()
    hub.refs["refs/heads/main"] = SECOND
    assert hub.build() == {"r/x": b"2"}


def test_other_names_of_a_commit_need_no_checkout() -> None:
    hub = Hub()
    hub.build()
    hub.build(f"{REMOTE}#main")
    hub.build(f"{REMOTE}#{FIRST}")
    hub.build(f"{REMOTE}?commit=1111")
    assert len(hub.git.checkouts) == 1


def test_a_directory_or_a_kept_repository_is_another_checkout() -> None:
    hub = Hub()
    hub.build()
    assert hub.build(f"{REMOTE}#:sub") == {"r/y": b"1"}
    hub.build(flags="--keep-git-dir")
    assert [(each.subdir, each.keep_git_dir) for each in hub.git.checkouts] == [
        ("", False),
        ("sub", False),
        ("", True),
    ]


def test_a_ref_must_be_the_commit_that_the_checksum_says() -> None:
    hub = Hub()
    with pytest.raises(SourceUnavailable) as refusal:
        hub.build(f"{REMOTE}#main", "--checksum=2222")
    assert refusal.value.message == f"expected checksum to match 2222, got {FIRST}"
    assert refusal.value.lines == (2, 2)
    assert hub.build(f"{REMOTE}#main", "--checksum=1111") == {"r/x": b"1"}


def test_files_may_be_as_old_as_their_commit() -> None:
    hub = Hub()
    image = image_of(hub.app.build(f"FROM scratch\nADD {REMOTE}?mtime=commit /r\n"))
    entry = hub.app.container.images.trees().of(image.layers).get("r/x")
    assert entry is not None
    assert entry.mtime == COMMITTED * 10**9


@pytest.mark.parametrize("flags", ["", "--link", "--chmod=600"])
def test_files_of_other_times_are_not_taken_from_the_cache(flags: str) -> None:
    hub = Hub()
    for query, times in (("", {0}), ("?mtime=commit", {COMMITTED * 10**9}), ("", {0})):
        image = image_of(hub.app.build(f"FROM scratch\nADD {flags} {REMOTE}{query} /r\n"))
        entry = hub.app.container.images.trees().of(image.layers).get("r/x")
        assert entry is not None
        assert {entry.mtime} == times


def test_a_repository_that_is_not_there_is_said_at_its_line() -> None:
    with pytest.raises(SourceUnavailable) as refusal:
        Hub().build("https://me:hidden@host/other.git")
    assert "hidden" not in refusal.value.message
    assert (refusal.value.lines, refusal.value.exit_code) == ((2, 2), 6)


TOKEN = f"basic {b64encode(b'x-access-token:t0p').decode()}"


@pytest.mark.parametrize(
    ("secrets", "authorization"),
    [
        ({"GIT_AUTH_TOKEN": b"t0p\n"}, TOKEN),
        ({"GIT_AUTH_HEADER": b"bearer x"}, "bearer x"),
        ({"GIT_AUTH_HEADER": b"bearer x", "GIT_AUTH_TOKEN.host": b"t0p"}, TOKEN),
    ],
)
def test_secrets_open_what_is_private(secrets: dict[str, bytes], authorization: str) -> None:
    with pytest.raises(SourceUnavailable):
        Hub(authorization).build()
    assert Hub(authorization, secrets).build() == {"r/x": b"1"}


def test_credentials_of_a_definition_are_for_its_host_alone() -> None:
    def build(host: str) -> dict[str, bytes]:
        hub = Hub(TOKEN)
        secrets = MemorySecrets({"GIT_AUTH_TOKEN": b"t0p"})
        hub.app.container.building.fetch_repository.add_kwargs(of_host=HostSecrets(host, secrets))
        return hub.build()

    assert build("host") == {"r/x": b"1"}
    with pytest.raises(SourceUnavailable):
        build("other")


def test_tokens_are_not_for_repositories_over_ssh() -> None:
    hub = Hub(secrets={"GIT_AUTH_TOKEN": b"t0p"})
    assert hub.build("git@host:r.git") == {"r/x": b"1"}

"""Lock files: what is locked, and builds that use it."""

import hashlib
from collections.abc import Mapping, Sequence

import pytest
from dependency_injector import providers

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.application.transfer.locked_pins import LockedPins, RecordingPins
from img.application.transfer.pins import Pins
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.git_commit import GitCommit
from img.domain.lock import Lock
from img.domain.platform import Platform
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, a_request

BASE = ImageReference.parse("base")
URL = "https://user:secret@example.com/tool.txt"
REMOTE = "https://example.com/r.git"
FIRST, SECOND = "1" * 40, "2" * 40
DOCKERFILE = f"""\
FROM base AS one
FROM scratch AS two
ADD {URL} /tool
ADD {REMOTE}#main /r/
FROM base
COPY --from=tools /t /t
COPY --from=two / /
"""


class World:
    """A registry, a web server and a repository, with what they have at first."""

    def __init__(self) -> None:
        self.app = InMemoryApp()
        self.web = MemoryWeb({URL: MemoryPage(content=b"first")})
        self.git = MemoryGit({REMOTE: repository(FIRST)})
        self.app.container.building.web.override(providers.Object(self.web))
        self.app.container.building.git.override(providers.Object(self.git))
        self.publish("base", {"b": b"1"})
        self.publish("tools", {"t": b"1"})
        self.app.contexts.text = DOCKERFILE

    def publish(self, name: str, files: Mapping[str, bytes]) -> None:
        self.app.publish(name, files, platforms=(HERE, ELSEWHERE))

    def move_everything(self) -> None:
        """Let each name stand for something else; what it stood for stays there by digest."""
        self.publish("base", {"b": b"2"})
        self.publish("tools", {"t": b"2"})
        self.web.pages = {URL: MemoryPage(content=b"second")}
        self.git.repositories = {REMOTE: repository(SECOND, FIRST)}

    def cut_off(self) -> None:
        """Let registries and servers answer nothing."""
        self.app.registry.lose("docker.io")
        self.web.pages = {}
        self.git.repositories = {}

    def pins(self, pins: Pins) -> None:
        self.app.container.building.pins.override(providers.Object(pins))

    def lock(self, pins: RecordingPins | None = None, **options: object) -> Lock:
        pins = pins or RecordingPins()
        self.pins(pins)
        request = a_request(pull=PullPolicy.ALWAYS, **options)
        self.app.container.dockerfiles.lock_build()(request, location=".")
        return pins.noted

    def build(
        self, lock: Lock, platforms: Sequence[Platform] = (), **options: object
    ) -> dict[str, bytes]:
        self.pins(LockedPins(lock))
        request = a_request(**options)
        built = self.app.build(self.app.contexts.text, {}, request=request, platforms=platforms)
        return self.app.files_of(built)


def repository(commit: str, *others: str) -> MemoryRepository:
    """Return a repository with ``commit`` as main; the file in each commit is its name."""
    commits = (commit, *others)
    return MemoryRepository(
        refs={"refs/heads/main": commit}
        | {f"refs/heads/old{number}": each for number, each in enumerate(others)},
        files={(each, ""): MemoryContext({"f": each.encode()}) for each in commits},
    )


@pytest.fixture
def world() -> World:
    return World()


def test_the_names_of_all_stages_are_locked_without_running_or_naming_anything(
    world: World,
) -> None:
    lock = world.lock()

    assert [name for name, _ in lock.images] == [
        "docker.io/library/base:latest",
        "docker.io/library/tools:latest",
    ]
    assert {platform for _, platform in lock.images} == {str(HERE)}
    (url,) = lock.urls.items()
    assert "secret" not in url[0]
    assert url[1] == Digest.of(b"first")
    assert lock.commits == {f"{REMOTE}#main": GitCommit(name=FIRST, ref="refs/heads/main")}
    assert world.app.images.list() == []
    assert Lock.parse(lock.render().encode()) == lock


def test_with_a_target_only_its_stages_are_locked(world: World) -> None:
    lock = world.lock(target="one")

    assert [name for name, _ in lock.images] == ["docker.io/library/base:latest"]
    assert (lock.urls, lock.commits) == ({}, {})


@pytest.mark.parametrize("pull", PullPolicy)
def test_a_locked_build_uses_what_was_locked_when_names_have_moved(
    world: World, pull: PullPolicy
) -> None:
    lock = world.lock()
    world.move_everything()

    if pull is PullPolicy.NEVER:
        world.build(lock)
    files = world.build(lock, pull=pull)

    assert files == {"b": b"1", "t": b"1", "tool": b"first", "r/f": FIRST.encode()}


def test_a_locked_build_does_not_move_tags_of_the_store(world: World) -> None:
    lock = world.lock()
    world.move_everything()
    world.app.build("FROM base\n", {}, tags=("other",))
    moved = world.app.images.get(BASE).target

    world.build(lock)

    assert world.app.images.get(BASE).target == moved


def test_a_locked_build_of_an_unchanged_tree_needs_no_network(world: World) -> None:
    lock = world.lock()
    before = world.build(lock)
    world.cut_off()

    assert world.build(lock) == before
    world.app.forget_progress()
    assert world.build(lock, pull=PullPolicy.ALWAYS, no_cache=True) == before


def test_a_locked_build_and_another_share_results(world: World) -> None:
    lock = world.lock()
    world.build(lock)
    world.pins(RecordingPins())
    world.app.forget_progress()

    world.app.build(DOCKERFILE, {})

    assert [step for step in world.app.steps_done if "COPY" in step] == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("FROM other", "docker.io/library/other:latest for"),
        ("FROM base:2", "docker.io/library/base:2 for"),
        ("FROM base\nADD https://example.com/other /", "https://example.com/other is"),
        (f"FROM base\nADD {REMOTE}#dev /", f"{REMOTE}#dev is"),
        (f"FROM base\nADD {REMOTE} /", f"{REMOTE} is"),
    ],
)
def test_a_name_without_an_entry_is_refused(world: World, line: str, what: str) -> None:
    lock = world.lock()
    world.publish("other", {"o": b"1"})
    world.app.contexts.text = line

    with pytest.raises(ImgError) as caught:
        world.build(lock)

    assert what in caught.value.message
    assert "not in the lock file" in caught.value.message
    assert caught.value.hint == "`img lock` adds it"


def test_another_platform_needs_an_entry_of_its_own(world: World) -> None:
    lock = world.lock()

    with pytest.raises(ImgError, match=f"base:latest for {ELSEWHERE} is not in the lock file"):
        world.build(lock, [ELSEWHERE], target="one")


def test_an_image_that_the_registry_lost_is_named_with_its_successor(world: World) -> None:
    lock = world.lock(target="one")
    (locked,) = lock.images.values()
    gone = Lock(images=dict.fromkeys(lock.images, Digest.of(b"gone")))
    world.app.contexts.text = "FROM base"

    with pytest.raises(ImgError) as caught:
        world.build(gone)

    assert f"the lock file has {Digest.of(b'gone')} for" in caught.value.message
    assert f"it is now {locked}" in caught.value.message


def test_a_download_that_has_changed_is_refused_with_both_checksums(world: World) -> None:
    lock = Lock(urls=dict.fromkeys(world.lock().urls, Digest.of(b"zero")))
    world.app.contexts.text = f"FROM scratch\nADD {URL} /tool\n"

    with pytest.raises(ImgError) as caught:
        world.build(lock)

    assert str(Digest.of(b"first")) in caught.value.message
    assert str(Digest.of(b"zero")) in caught.value.message


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize(("of_the_dockerfile", "locked"), [("second", "first"), ("first", "zero")])
def test_a_checksum_in_the_dockerfile_that_differs_is_refused(
    world: World, of_the_dockerfile: str, locked: str, algorithm: str
) -> None:
    """Check that a download must have both checksums, also if they have other algorithms."""
    lock = Lock(urls=dict.fromkeys(world.lock().urls, Digest.of(locked.encode())))
    checksum = Digest(algorithm, hashlib.new(algorithm, of_the_dockerfile.encode()).hexdigest())
    world.app.contexts.text = f"FROM scratch\nADD --checksum={checksum} {URL} /tool\n"

    for _ in range(2):  # the second time, a download of the first may be in the store
        with pytest.raises(ImgError, match="digest mismatch"):
            world.build(lock)


def test_a_checksum_of_another_algorithm_is_checked_without_the_network(world: World) -> None:
    lock = world.lock()
    checksum = f"sha512:{hashlib.sha512(b'first').hexdigest()}"
    world.app.contexts.text = f"FROM scratch\nADD --checksum={checksum} {URL} /tool\n"
    before = world.build(lock)
    world.cut_off()

    assert world.build(lock) == before == {"tool": b"first"}


def test_a_kept_repository_of_a_locked_build_has_the_ref_of_another_build(world: World) -> None:
    world.app.contexts.text = f"FROM scratch\nADD --keep-git-dir {REMOTE}#main /r/\n"
    lock = world.lock()
    world.move_everything()
    world.build(lock)
    world.build(Lock(commits={f"{REMOTE}#main": GitCommit(name=FIRST)}))
    world.build(lock)

    found = [each.commit for each in world.git.checkouts]
    assert found == [GitCommit(name=FIRST, ref="refs/heads/main"), GitCommit(name=FIRST)]


def test_entries_stay_until_they_are_updated(world: World) -> None:
    before = world.lock()
    world.move_everything()

    assert world.lock(RecordingPins(before)) == before
    base = world.lock(RecordingPins(before, lambda name: name != str(BASE)))
    everything = world.lock(RecordingPins(before, lambda _: False))

    assert [line.split(" ")[0] for line in before.differences(base)] == [str(BASE)]
    assert len(list(before.differences(everything))) == 4
    assert list(everything.differences(everything)) == []


def test_entries_that_the_build_does_not_use_are_left_out(world: World) -> None:
    before = world.lock()
    world.app.contexts.text = "FROM base"

    after = world.lock(RecordingPins(before))

    assert len(after.images) == 1
    assert sorted(line[0] for line in before.differences(after)) == ["-", "-", "-"]

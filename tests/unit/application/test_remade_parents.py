"""A step is not taken from the cache on top of files that it was not made from."""

from collections.abc import Sequence

import pytest

from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from img.domain.retention import PrunePolicy
from img.domain.usage import Kind, UsageFilter
from tests.support.in_memory_app import ELSEWHERE, HERE
from tests.unit.application.telling import MINUTE, Store, machines

FILES = {"f": b"1"}
APP = ImageName.of(ImageReference.parse("app"))
CACHE = "registry.example.com/app:cache"

# What stands on a random step, or takes files from it, in all the ways there are.
USERS = {
    "RUN": "FROM base\nRUN random a\nRUN derive b\n",
    "RUN above others": "FROM base\nRUN random a\nCOPY f /\nWORKDIR /w\nRUN derive b\n",
    "a stage on it": "FROM base AS s\nRUN random a\nFROM s\nRUN derive b\n",
    "COPY --from": "FROM base AS s\nRUN random a\nFROM base\nCOPY --from=s /ra /t\nRUN derive b\n",
    "COPY --from --link": "FROM base AS s\nRUN random a\nFROM base\nCOPY --link --from=s /ra /t\n",
    "two of them": (
        "FROM base AS s\nRUN random a\nFROM base\nCOPY --from=s /ra /ta\nCOPY --from=s /ra /tb\n"
    ),
    "one of a stage on it": (
        "FROM base AS s\nRUN random a\nFROM s AS u\nRUN derive b\n"
        "FROM base\nCOPY --from=s /ra /t\nCOPY --from=u /db /u\n"
    ),
    "one by way of another": (
        "FROM base AS s\nRUN random a\nFROM base AS u\nCOPY --from=s /ra /t\n"
        "FROM base\nCOPY --from=u /t /u\nCOPY --from=s /ra /t\n"
    ),
    "a bind mount": (
        "FROM base AS s\nRUN random a\nFROM base\nRUN --mount=from=s,target=/m derive b\n"
    ),
    "two bind mounts": (
        "FROM base AS s\nRUN random a\nFROM base\nRUN --mount=from=s,target=/m derive b\n"
        "RUN --mount=from=s,target=/m derive c\n"
    ),
    "a cache mount": (
        "FROM base AS s\nRUN random a\nFROM base\nCOPY --from=s /ra /ta\n"
        "RUN --mount=type=cache,from=s,target=/m derive b\n"
    ),
}


def lose(store: Store, *descriptions: str) -> None:
    """Forget the results of steps, as a prune with a filter does."""
    with_it = [key for key, record in store.cache.records() if record.description in descriptions]
    assert with_it
    store.cache.remove(with_it)


def random_steps(commands: Sequence[str]) -> list[str]:
    return [command for command in commands if command.startswith("random")]


@pytest.mark.parametrize("text", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("kept", ["all", "the least", "the step itself"])
def test_what_stands_on_a_step_that_is_done_again_is_done_again(text: str, kept: str) -> None:
    (store,) = machines(1)
    first = store.build(text, FILES)
    users = [command for command in first if command not in random_steps(first)]
    if kept == "the least":  # the user that comes last is lost too, so that the stage is looked at
        last = text.splitlines()[-1]
        lose(store, "RUN random a", last)
    elif kept == "all":
        lose(store, "RUN random a")
    else:
        lose(store, *(line for line in text.splitlines() if not line.endswith("random a")))

    again = store.build(text, FILES)

    assert store.build(text, FILES) == []
    if "random a" in again:
        assert set(users) <= set(again)
    assert kept != "the step itself" or random_steps(again) == []


@pytest.mark.parametrize("text", USERS.values(), ids=USERS.keys())
def test_a_stage_that_is_built_anew_is_what_others_are_made_from(text: str) -> None:
    (store,) = machines(1)
    first = store.build(text, FILES)

    again = store.build(text, FILES, stages=("s", "0"))

    assert first == again or "random a" not in again
    assert store.build(text, FILES) == []


REGISTRY = (f"type=registry,mode=max,ref={CACHE}", CACHE)
LAYOUT = ("type=local,mode=min,dest={}", "type=local,src={}")


@pytest.mark.parametrize(
    ("text", "to", "where"),
    [
        *((text, *REGISTRY) for text in USERS.values()),
        *((USERS[name], *LAYOUT) for name in ("two of them", "one by way of another")),
    ],
    ids=[*USERS, "two of them, in a layout", "one by way of another, in a layout"],
)
def test_an_imported_cache_obeys_too(
    text: str, to: str, where: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = str(tmp_path_factory.mktemp("cache") / "cache")
    here, there, third = machines(3)
    here.build(text, FILES, cache_to=[to.format(place)])
    there.build(text, FILES)  # with another result of the random step

    there.build(text, FILES, cache_from=[where.format(place)])
    lose(there, "RUN random a")
    there.build(text, FILES, cache_from=[where.format(place)])
    lose(there, text.splitlines()[-1])
    there.build(text, FILES, cache_from=[where.format(place)])

    assert third.build(text, FILES, cache_from=[where.format(place)]) == []


@pytest.mark.parametrize("text", [USERS[name] for name in ("RUN", "two of them", "a bind mount")])
def test_caches_of_two_makings_are_not_mixed(text: str) -> None:
    here, there, third = machines(3)
    caches = [f"registry.example.com/{name}:cache" for name in ("one", "two")]
    for store, cache in zip((here, there), caches, strict=True):
        store.build(text, FILES, cache_to=[f"type=registry,mode=max,ref={cache}"])
    lose(here, "RUN random a")
    here.build(text, FILES, cache_from=[caches[1]], cache_to=[f"type=registry,ref={caches[0]}"])

    assert third.build(text, FILES, cache_from=caches) == []


def test_the_cache_in_an_image_obeys_too() -> None:
    here, there = machines(2)
    text = USERS["COPY --from"]
    here.build(text, FILES, cache_to=["type=inline"])
    here.process().container.images.push_image()(APP)

    assert there.build(text, FILES, cache_from=["app"]) == []
    lose(there, "COPY --from=s /ra /t")
    assert there.build(text, FILES) == ["random a", "derive b"]


def test_a_step_of_equal_contents_is_found_whatever_they_were_made_from() -> None:
    (store,) = machines(1)
    text = "FROM base\nRUN derive a\nRUN derive b\n"
    store.build(text, FILES)
    lose(store, "RUN derive a")

    assert store.build(text, FILES) == ["derive a"]


def test_what_a_stage_is_not_looked_at_for_is_found_without_it() -> None:
    (store,) = machines(1)
    text = USERS["COPY --from"]
    store.build(text, FILES)
    lose(store, "RUN random a")

    assert store.build(text, FILES) == []


def test_results_that_stand_on_others_are_given_up_first() -> None:
    (store,) = machines(1)
    text = USERS["RUN above others"]
    store.build(text, FILES)
    store.clock.advance(MINUTE)
    keeping = store.process().container.housekeeping
    keeping.remove_image()(APP)
    size = sum(item.size for item in keeping.inventory()() if item.reclaimable)

    (gone,) = keeping.prune()(PrunePolicy(max_used=size - 1))

    assert gone.description == "RUN derive b"
    assert store.build(text, FILES) == ["derive b"]


def test_unpacked_layers_are_told_by_the_step_that_they_end_with() -> None:
    (store,) = machines(1)
    process = store.process()
    process.build(USERS["RUN"], FILES)
    process.images.remove(ImageReference.parse("app"))
    items = process.container.housekeeping.inventory()()

    told = {item.description for item in items if item.kind is Kind.SNAPSHOT}

    assert told == {"unpacked layers of RUN random a", "unpacked layers of RUN derive b"}


def test_what_a_running_build_has_made_and_found_is_not_pruned() -> None:
    (store,) = machines(1)
    text = "FROM base\nRUN random a\nRUN random b\nRUN derive c\n"
    store.build("FROM base\nRUN random a\n", FILES)
    store.clock.advance(60 * MINUTE)
    pruned: list[str] = []

    def prune() -> None:
        keeping = store.process().container.housekeeping
        keeping.remove_image()(APP)
        pruned.extend(item.description for item in keeping.prune()(PrunePolicy()))

    store.build("FROM base\nRUN derive other\n", FILES)
    assert store.build(text, FILES, at=1, during=prune) == ["random b", "derive c"]

    assert "RUN derive other" in pruned
    assert not {"RUN random a", "RUN random b"} & set(pruned)
    assert store.build(text, FILES) == []


def test_a_filter_may_take_what_others_stand_on() -> None:
    (store,) = machines(1)
    text = USERS["RUN"]
    store.build(text, FILES)
    keeping = store.process().container.housekeeping
    keeping.remove_image()(APP)

    keeping.prune()(PrunePolicy(filter=UsageFilter(text="random")))

    assert store.build(text, FILES) == ["random a", "derive b"]


TWO_PLATFORMS = """\
FROM --platform=$BUILDPLATFORM base AS s
RUN random a
FROM scratch
ARG TARGETARCH
COPY --from=s /ra /of-$TARGETARCH
COPY --from=s /ra /b-$TARGETARCH
"""
COPIES = [
    f"COPY --from=s /ra /{name}-{platform.architecture}"
    for platform in (HERE, ELSEWHERE)
    for name in ("of", "b")
]


@pytest.mark.parametrize("lost", [(), (COPIES[0],), (COPIES[3],), (*COPIES,)])
@pytest.mark.parametrize("stage", [(), ("s",)])
def test_images_of_several_platforms_are_made_from_the_same(
    lost: tuple[str, ...], stage: tuple[str, ...]
) -> None:
    (store,) = machines(1)
    platforms = [HERE, ELSEWHERE]
    assert store.build(TWO_PLATFORMS, FILES, platforms=platforms) == ["random a"]
    lose(store, "RUN random a", *lost)

    again = store.build(TWO_PLATFORMS, FILES, platforms=platforms, stages=stage)

    assert again == (["random a"] if lost or stage else [])
    assert store.build(TWO_PLATFORMS, FILES, platforms=platforms) == []

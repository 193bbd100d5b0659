"""After any change of the cache, an image is one that a build without a cache could give."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from img.application.ports.image_store import ImageNotFound
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from img.domain.retention import PrunePolicy
from img.domain.usage import UsageFilter
from tests.unit.application.telling import MINUTE, Killed, Store, machines

_MORE = "IMG_TESTS_ALL" in os.environ
_CACHE = "registry.example.com/app:cache"
_APP = ImageName.of(ImageReference.parse("app"))


def _end() -> None:
    raise Killed


# --- Dockerfiles ---


@dataclass(slots=True)
class Stage:
    """Lines of a stage, and the files that its steps leave."""

    lines: list[str]
    files: list[str]


Step = tuple[str, int, int]  # what it does, and two numbers that say with what


def dockerfile(stages: Sequence[tuple[int, Sequence[Step]]]) -> str:
    """Return a Dockerfile; a stage stands on an earlier one, or on the base, as its number says.

    A random step is named after all that is above it, so that equal steps have equal names.
    """
    made: list[Stage] = []
    text = []
    for place, (below, steps) in enumerate(stages):
        under = made[below % (place + 1) - 1] if below % (place + 1) else Stage(["FROM base"], [])
        stage = Stage(list(under.lines), list(under.files))
        begin = f"FROM s{below % (place + 1) - 1}" if below % (place + 1) else "FROM base"
        text.append(f"{begin} AS s{place}")
        for step in steps:
            line = _line(step, stage, made)
            stage.lines.append(line)
            text.append(line)
        made.append(stage)
    return "\n".join([*text, ""])


def _line(step: Step, stage: Stage, earlier: Sequence[Stage]) -> str:
    kind, one, two = step
    name = hashlib.sha256("\n".join(stage.lines).encode()).hexdigest()[:6]
    other = one % len(earlier) if earlier else None
    match kind:
        case "random":
            stage.files.append(f"r{name}")
            return f"RUN random {name}"
        case "take" if other is not None and (files := earlier[other].files):
            stage.files.append(f"t{name}")
            return f"COPY --from=s{other} /{files[two % len(files)]} /t{name}"
        case "see" if other is not None:
            stage.files.append(f"d{name}")
            return f"RUN --mount=from=s{other},target=/m derive {name}"
        case "copy":
            return f"COPY f{one % 2} /c{two % 2}"
        case "directory":
            return f"WORKDIR /w{one % 2}"
        case _:
            stage.files.append(f"d{name}")
            return f"RUN derive {name}"


_KINDS = ["random", "derive", "random", "take", "derive", "take", "see", "copy", "directory"]
_NUMBERS = st.integers(0, 3)
_STEPS = st.lists(st.tuples(st.sampled_from(_KINDS), _NUMBERS, _NUMBERS), min_size=2, max_size=4)
_CHOICE = st.integers(0, 11)
_RARELY = st.sampled_from([False, False, True])
_POLICIES = {
    "all that may go": PrunePolicy(),
    "all records": PrunePolicy(whole_cache=True),
    "random": PrunePolicy(filter=UsageFilter(text="random")),
    "derive": PrunePolicy(filter=UsageFilter(text="derive")),
    "above 600 bytes": PrunePolicy(max_used=600),
    "above 300 bytes": PrunePolicy(max_used=300),
}
_DOCKERFILES = st.lists(st.tuples(_NUMBERS, _STEPS), min_size=1, max_size=4).map(dockerfile)


# --- what may happen ---


class CacheModel(RuleBasedStateMachine):
    """Processes on two machines that know one registry."""

    def __init__(self) -> None:
        super().__init__()
        self.here, self.there = machines(2)
        self.files = {"f0": b"0", "f1": b"1"}
        self.text = ""
        self.exported = False

    # --- what is built ---

    @initialize(text=_DOCKERFILES)
    def begin(self, text: str) -> None:
        self.text = text

    @rule(text=_DOCKERFILES)
    def write_another_dockerfile(self, text: str) -> None:
        self.text = text

    @rule(name=st.sampled_from(["f0", "f1"]), content=st.sampled_from([b"0", b"1", b"2"]))
    def change_a_file(self, name: str, content: bytes) -> None:
        self.files = {**self.files, name: content}

    # --- how ---

    @rule(elsewhere=_RARELY)
    def build_twice(self, elsewhere: bool) -> None:
        self._build(self._store(elsewhere))
        assert self._build(self._store(elsewhere)) == 0, "a step was run again"

    @rule(elsewhere=_RARELY, stage=st.integers(0, 3))
    def build_a_stage_anew(self, elsewhere: bool, stage: int) -> None:
        self._build(self._store(elsewhere), stages=(f"s{stage}",))

    @rule(elsewhere=st.booleans(), mode=st.sampled_from(["min", "max"]))
    def build_and_leave_the_cache(self, elsewhere: bool, mode: str) -> None:
        to = f"type=registry,ref={_CACHE},mode={mode}"
        self._build(self._store(elsewhere), cache_to=[to])
        self.exported = True

    @precondition(lambda self: self.exported)
    @rule(elsewhere=st.booleans())
    def build_with_the_cache_of_others(self, elsewhere: bool) -> None:
        self._build(self._store(elsewhere), cache_from=[_CACHE])

    # --- what comes between, and into it ---

    @rule(elsewhere=_RARELY, one=_CHOICE, all_of_it=st.booleans())
    def lose_a_result_and_build(self, elsewhere: bool, one: int, all_of_it: bool) -> None:
        store = self._store(elsewhere)
        records = [(key, record.layer) for key, record in store.cache.records() if record.layer]
        key, layer = records[one % len(records)] if records else (None, None)
        gone = [each for each, of in records if each == key or (all_of_it and of == layer)]
        store.cache.remove(gone)
        self._build(store)

    @rule(elsewhere=_RARELY, one=_CHOICE)
    def lose_a_layer_and_build(self, elsewhere: bool, one: int) -> None:
        store = self._store(elsewhere)
        layers = [r.layer.descriptor.digest for _, r in store.cache.records() if r.layer]
        if layers:
            store.blobs.remove(layers[one % len(layers)])
        self._build(store)

    @rule(elsewhere=_RARELY, what=st.sampled_from([*_POLICIES]))
    def prune_and_build(self, elsewhere: bool, what: str) -> None:
        self._prune(self._store(elsewhere), what)
        self._build(self._store(elsewhere))

    @rule(what=st.sampled_from([*_POLICIES]), at=_CHOICE)
    def build_while_another_prunes(self, what: str, at: int) -> None:
        self._build(self.here, at=at, during=lambda: self._prune(self.here, what))
        assert self._build(self.here) == 0, "what a build had made or found was pruned"

    @rule(at=_CHOICE)
    def build_while_another_builds(self, at: int) -> None:
        self._build(self.here, at=at, during=lambda: self._build(self.here))

    @rule(at=_CHOICE)
    def kill_a_build_in_a_step(self, at: int) -> None:
        with suppress(Killed):
            self._build(self.here, at=at, during=_end)
        self._build(self.here)

    @rule(at=_CHOICE)
    def kill_a_build_that_writes_a_record(self, at: int) -> None:
        self.here.cache.kill_at = at
        with suppress(Killed):
            self._build(self.here)
        self.here.cache.kill_at = None
        self._build(self.here)

    # ---

    def _store(self, elsewhere: bool) -> Store:
        return self.there if elsewhere else self.here

    def _prune(self, store: Store, what: str) -> None:
        store.clock.advance(MINUTE)
        keeping = store.process().container.housekeeping
        with suppress(ImageNotFound):
            keeping.remove_image()(_APP)
        keeping.prune()(_POLICIES[what])

    def _build(self, store: Store, **options: Any) -> int:
        return len(store.build(self.text, self.files, **options))


TestCacheModel = CacheModel.TestCase
TestCacheModel.settings = settings(
    max_examples=200 if _MORE else 12,
    stateful_step_count=30 if _MORE else 12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

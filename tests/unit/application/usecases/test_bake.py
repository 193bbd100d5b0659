"""Targets are built at the same time, in the order of their links, and share steps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Barrier, Event
from types import MappingProxyType

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.application.outputs.solved import BuiltImage
from img.application.solver.build_group import BuildGroup
from img.application.usecases.bake import Baked, BakeTargets
from img.application.usecases.build import SolvedBuild
from img.domain.bake.definition.attributes import Contents
from img.domain.errors import BuildError
from img.domain.oci.descriptor import Descriptor
from img.domain.outputs import CacheOnly, FilesOutput, ImageOutput, Output
from img.domain.progress import StepsPlanned, VertexStarted
from img.domain.reference import ImageReference
from tests.support.in_memory_app import Act, InMemoryApp, a_request

APP = ImageReference.parse("app")
WAIT_S = 60  # until a test that hangs fails
# A stage for each target; "base" stands for an image, if there is no stage of that name.
DOCKERFILE = """
FROM scratch AS shared
RUN shared
FROM shared AS base
RUN base
FROM scratch AS failing
RUN fail
FROM failing AS failing2
RUN never
FROM linked AS lib
RUN lib
FROM linked AS app
COPY --from=other /base /copied
RUN app
FROM shared AS one
RUN one
FROM shared AS two
RUN two
"""


class Bakery:
    """Bakes stages of one Dockerfile."""

    def __init__(self, text: str = DOCKERFILE, **commands: Act) -> None:
        def ignore(_workspace: object) -> None: ...

        def fail(_workspace: object) -> None:
            raise BuildError("broken")

        self.app = InMemoryApp()
        self.app.contexts.text = text
        self.app.contexts.context = MemoryContext({"a": b"1"})
        names = ("shared", "base", "lib", "app", "one", "two")
        self.app.commands |= {**dict.fromkeys(names, ignore), "fail": fail, **commands}
        self.app.commands["base"] = lambda workspace: workspace.write("base", b"of base")
        self.links: dict[str, list[str]] = {}
        self.delivered: list[str] = []

    def bake(
        self,
        targets: Mapping[str, Contents],
        outputs: Mapping[str, Sequence[Output]] | None = None,
        *,
        files: Sequence[str] = (),
        most: int = 4,
        no_cache: bool = False,
        conditions: Mapping[str, str] = MappingProxyType({}),
    ) -> Baked:
        def solve(name: str, links: Mapping[str, Descriptor], group: BuildGroup) -> SolvedBuild:
            self.links[name] = list(links)
            build = self.app.container.building.build_image()
            group = group.under(conditions.get(name, ""))
            contexts = {key: f"docker-image://{image.digest}" for key, image in links.items()}
            return build.of_target(name, group, links.values()).solve(
                a_request(target=name, contexts=contexts, no_cache=no_cache),
                location=".",
                outputs=(outputs or {}).get(name, [CacheOnly()]),
                group=group,
            )

        def deliver(name: str, solved: SolvedBuild) -> BuiltImage | None:
            self.delivered.append(name)
            return solved.deliver()

        bake: BakeTargets = self.app.container.building.bake_targets()
        return bake(targets, solve, deliver, files=files, most=most)

    @property
    def runs(self) -> Counter[str]:
        """The number of executions of each command."""
        return Counter(process.argv[-1] for process in self.app.executor.processes)

    @property
    def stored(self) -> list[object]:
        return [image.name for image in self.app.images.list()]


def linked(**contexts: str) -> Contents:
    return {"contexts": {name: f"target:{base}" for name, base in contexts.items()}}


TARGETS = {"app": linked(linked="lib", other="base"), "base": {}, "lib": linked(linked="base")}


@pytest.mark.parametrize("most", [1, 4])
def test_a_target_is_built_behind_those_that_it_links_to(most: int) -> None:
    bakery = Bakery()

    baked = bakery.bake(TARGETS, {"app": [ImageOutput(names=(APP,))]}, most=most)

    assert list(baked.built) == list(bakery.links) == ["base", "lib", "app"]
    assert bakery.links["app"] == ["linked", "other"]
    app = baked.built["app"]
    assert app is not None
    assert bakery.app.files_of(app) == {"base": b"of base", "copied": b"of base"}


def test_images_that_only_other_targets_need_get_no_name() -> None:
    bakery = Bakery()

    bakery.bake(TARGETS, {"app": [ImageOutput(names=(APP,))]})

    assert bakery.stored == [APP]


def test_a_linked_target_with_an_output_is_stored() -> None:
    bakery = Bakery()

    baked = bakery.bake(TARGETS, {"lib": [ImageOutput(names=(APP,))]})

    assert bakery.stored == [APP]
    assert baked.built["lib"] is not None
    assert baked.built["app"] is None


@pytest.mark.parametrize("no_cache", [False, True])
@pytest.mark.parametrize("most", [1, 2, 12])
def test_targets_run_a_stage_that_they_share_once(most: int, no_cache: bool) -> None:
    names = [f"t{number}" for number in range(12)]
    own = "".join(f"FROM shared AS {name}\nCOPY a /\nRUN {name}\n" for name in names)
    bakery = Bakery(f"FROM scratch AS shared\nRUN shared\n{own}")

    baked = bakery.bake({name: {} for name in names}, most=most, no_cache=no_cache)

    assert not baked.failed
    assert bakery.runs == Counter({"shared": 1, **dict.fromkeys(names, 1)})


def test_independent_targets_run_at_the_same_time() -> None:
    both = Barrier(2, timeout=WAIT_S)
    bakery = Bakery(one=lambda _: both.wait(), two=lambda _: both.wait())

    baked = bakery.bake({"one": {}, "two": {}}, most=2)

    assert list(baked.built) == ["one", "two"]


def test_a_failure_stops_what_depends_on_it_only() -> None:
    bakery = Bakery()
    targets: dict[str, Contents] = {
        "failing": {}, "lib": linked(linked="failing"), "app": linked(linked="lib"), "one": {},
    }  # fmt: skip

    baked = bakery.bake(targets, {"one": [ImageOutput(names=(APP,))], "lib": [ImageOutput()]})

    assert list(baked.built) == ["one"]
    assert list(baked.failed) == ["failing"]
    assert baked.skipped == {"lib": "failing", "app": "failing"}
    assert bakery.stored == [APP]


def test_a_shared_step_fails_once_in_all_targets() -> None:
    bakery = Bakery()

    baked = bakery.bake({"failing": {}, "failing2": {}, "one": {}})

    assert {name: error.message for name, error in baked.failed.items()} == {
        "failing": "broken", "failing2": "broken",
    }  # fmt: skip
    assert list(baked.built) == ["one"]
    assert bakery.runs["fail"] == 1


@pytest.mark.parametrize("most", [1, 4])
def test_a_failure_stops_no_target_under_other_conditions(most: int) -> None:
    failures = [BuildError("no secret")]

    def fail_first(_workspace: object) -> None:
        if failures:
            raise failures.pop()

    bakery = Bakery(fail=fail_first, never=lambda _: None)

    baked = bakery.bake(
        {"failing": {}, "failing2": {}},
        most=most,
        conditions={"failing": "without", "failing2": "with"},
    )

    assert len(baked.built) == len(baked.failed) == 1
    assert bakery.runs["fail"] == 2


@pytest.mark.parametrize(("other", "runs"), [("a", 1), ("b", 2)])
def test_without_a_cache_results_are_shared_under_the_same_conditions(
    other: str, runs: int
) -> None:
    bakery = Bakery()

    bakery.bake({"one": {}, "two": {}}, no_cache=True, conditions={"one": "a", "two": other})

    assert bakery.runs["shared"] == runs


def test_files_are_written_when_no_target_reads_any_more() -> None:
    directory = FilesOutput(destination="/out")
    bakery = Bakery()
    targets: dict[str, Contents] = {"base": {}, "one": {}, "lib": linked(linked="base")}

    bakery.bake(targets, {"base": [directory], "one": [directory]}, files=["base", "one"])

    assert list(bakery.links)[-1] == "lib"
    assert bakery.delivered[0] == "lib"
    assert bakery.delivered[1:] == ["base", "one"]


def test_an_interrupt_cancels_all_targets() -> None:
    begun = Event()

    def interrupted(_workspace: object) -> None:
        assert begun.wait(WAIT_S)
        raise KeyboardInterrupt

    bakery = Bakery(one=interrupted, two=lambda _: begun.set())

    with pytest.raises(KeyboardInterrupt):
        bakery.bake({"one": {}, "two": {}}, {"two": [ImageOutput(names=(APP,))]}, most=2)

    assert bakery.runs == Counter({"shared": 1, "one": 1, "two": 1})
    assert not bakery.app.lock.at_work


def test_the_progress_names_the_target() -> None:
    bakery = Bakery()

    bakery.bake({"one": {}}, most=1)

    events = bakery.app.progress.events
    names = [event.name for event in events if isinstance(event, VertexStarted)]
    assert names == [
        "[one internal] load build definition from Dockerfile",
        "[one shared 1/1] RUN shared",
        "[internal] executor scripted, snapshots auto",
        "[one one 1/1] RUN one",
        "[one] exporting to cache only",
    ]
    plans = [event.plan for event in events if isinstance(event, StepsPlanned)]
    assert set(plans) == {"one ", "one outputs"}

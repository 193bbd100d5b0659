"""Targets are built in the order of their links."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from img.adapters.clock.fixed import FixedClock
from img.adapters.image_store.memory import MemoryImageStore
from img.application.outputs.solved import BuiltImage
from img.application.usecases.bake import Baked, BakeTargets
from img.domain.bake.definition.attributes import Contents
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.outputs import CacheOnly, ImageOutput, Output
from img.domain.reference import ImageReference

APP = ImageReference.parse("app")


class Bakery:
    """Builds without steps: an image has the digest of the name of its target."""

    def __init__(self, *failing: str, same: Mapping[str, str] | None = None) -> None:
        """Images of the targets in ``same`` equal those of the targets that it names."""
        self.images = MemoryImageStore()
        self.clock = FixedClock()
        self.built: dict[str, Mapping[str, str]] = {}
        self._failing = failing
        self._same = same or {}

    def bake(
        self, targets: Mapping[str, Contents], outputs: Mapping[str, Sequence[Output]]
    ) -> Baked:
        return BakeTargets(images=self.images, clock=self.clock)(
            targets, {name: outputs.get(name, [CacheOnly()]) for name in targets}, self.build
        )

    def build(
        self, name: str, places: Mapping[str, str], outputs: Sequence[Output]
    ) -> BuiltImage | None:
        if name in self._failing:
            raise BuildError(f"{name} is broken")
        self.built[name] = places
        built = None
        for output in outputs:
            if isinstance(output, ImageOutput):
                target = target_of(self._same.get(name, name))
                built = BuiltImage(target=target, images=(), names=output.names)
                for each in output.names or (built.target.digest,):
                    self.images.put(each, built.target, self.clock.now())
        return built


def target_of(name: str) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(name.encode()), size=len(name)
    )


def place_of(name: str) -> str:
    return f"docker-image://{target_of(name).digest}"


def linked(**contexts: str) -> Contents:
    return {"contexts": {name: f"target:{base}" for name, base in contexts.items()}}


TARGETS = {"app": linked(x="lib", y="base"), "base": {}, "lib": linked(base="base")}


def test_a_target_is_built_behind_those_that_it_links_to() -> None:
    bakery = Bakery()

    baked = bakery.bake(TARGETS, {})

    assert list(baked.built) == ["base", "lib", "app"]
    assert bakery.built["lib"] == {"base": place_of("base")}
    assert bakery.built["app"] == {"x": place_of("lib"), "y": place_of("base")}


def test_results_without_a_name_are_removed_in_the_end() -> None:
    bakery = Bakery()

    bakery.bake(TARGETS, {"app": [ImageOutput(names=(APP,))]})

    assert [image.name for image in bakery.images.list()] == [APP]


def test_an_image_that_was_there_before_stays() -> None:
    bakery = Bakery()
    base = target_of("base")
    bakery.images.put(base.digest, base, bakery.clock.now())
    bakery.clock.advance(timedelta(seconds=1))

    bakery.bake(TARGETS, {})

    assert [image.target for image in bakery.images.list()] == [base]


@pytest.mark.parametrize("kept", ["early", "late"])
def test_an_equal_image_that_another_target_stores_stays(kept: str) -> None:
    bakery = Bakery(same={"early": "base", "late": "base"})
    targets: dict[str, Contents] = {"early": {}, **TARGETS, "late": {}}

    baked = bakery.bake(targets, {kept: [ImageOutput()]})

    assert [image.target for image in bakery.images.list()] == [target_of("base")]
    assert baked.built["base"] is None
    assert baked.built[kept] is not None


def test_a_linked_target_with_a_name_keeps_it() -> None:
    bakery = Bakery()

    baked = bakery.bake(TARGETS, {"lib": [ImageOutput(names=(APP,))]})

    assert bakery.images.get(APP).target == target_of("lib")
    assert bakery.built["app"]["x"] == place_of("lib")
    assert baked.built["lib"] is not None


def test_a_failure_stops_what_depends_on_it_only() -> None:
    bakery = Bakery("lib")

    baked = bakery.bake({**TARGETS, "late": linked(a="app"), "other": {}}, {})

    assert list(baked.built) == ["base", "other"]
    assert list(baked.failed) == ["lib"]
    assert baked.skipped == {"app": "lib", "late": "lib"}
    assert list(bakery.images.list()) == []


def test_results_are_removed_when_a_bake_is_interrupted() -> None:
    bakery = Bakery()

    def interrupted(
        name: str, places: Mapping[str, str], outputs: Sequence[Output]
    ) -> BuiltImage | None:
        if name == "lib":
            raise KeyboardInterrupt
        return bakery.build(name, places, outputs)

    with pytest.raises(KeyboardInterrupt):
        BakeTargets(images=bakery.images, clock=bakery.clock)(
            TARGETS, dict.fromkeys(TARGETS, (CacheOnly(),)), interrupted
        )

    assert list(bakery.images.list()) == []

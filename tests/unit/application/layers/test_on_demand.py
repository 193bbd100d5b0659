"""Layers that come when they are needed, and not before."""

import pytest

from img.application.cancellation import StepCanceled, cancelled_by
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import RegistryError
from img.domain.image_name import ImageName
from img.domain.oci.chain import Layer
from img.domain.reference import ImageReference
from tests.support.workshop import HERE, Workshop, image_of

BASE = "registry.example/base"
APP = ImageReference.parse("registry.example/team/app:1")
AWAY = ImageReference.parse("other.example/app:1")
LINKED = f"FROM {BASE}\nCOPY --link a /app/\nENV x=y\n"


class Cancelled:
    def is_set(self) -> bool:
        return True

    def wait(self, timeout: float | None = None) -> bool:
        return True


def published(workshop: Workshop, *names: str) -> tuple[Layer, ...]:
    """Have the image of two layers at the registry alone, under ``names``; return its layers."""
    for name in names:
        base = workshop.publish(name, {"etc/a": b"1"}, {"b": b"2"})
    image = workshop.container.images.pull_image()(base, HERE)
    forget(workshop, image.layers)
    workshop.images.remove(base)
    workshop.registry.fetched.clear()
    return image.layers


def forget(workshop: Workshop, layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        workshop.blobs.remove(layer.descriptor.digest)
        workshop.indexes.remove(layer.diff_id)


def fetched(workshop: Workshop, layers: tuple[Layer, ...]) -> list[bool]:
    return [layer.descriptor.digest in workshop.registry.fetched for layer in layers]


def test_they_are_fetched_from_where_they_are_known_to_be() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    assert workshop.files_in(layers) == {"etc/a": b"1", "b": b"2"}
    assert fetched(workshop, layers) == [True, True]


def test_what_is_here_is_not_fetched() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    workshop.container.images.layers().bring(layers)
    workshop.registry.fetched.clear()

    workshop.container.images.layers().bring(layers)

    assert workshop.registry.fetched == []


def test_where_one_repository_fails_another_is_asked() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE, "lost.example/base")
    workshop.origins.add(BASE, [layer.descriptor.digest for layer in layers])
    workshop.origins.add("lost.example/copy", [layer.descriptor.digest for layer in layers])
    workshop.registry.lose("lost.example")

    workshop.container.images.layers().bring(layers)

    assert workshop.container.images.layers().are_here(layers)


def test_where_all_repositories_fail_the_last_failure_is_told() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    workshop.registry.lose("registry.example")

    with pytest.raises(RegistryError, match="cannot be reached"):
        workshop.container.images.layers().bring(layers)


def test_of_what_nobody_has_heard_nothing_can_be_had() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    workshop.origins.remove(layer.descriptor.digest for layer in layers)

    with pytest.raises(BlobNotFound):
        workshop.container.images.layers().bring(layers)


def test_a_step_that_was_given_up_fetches_no_more() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    with pytest.raises(StepCanceled), cancelled_by(Cancelled()):
        workshop.container.images.layers().bring(layers)

    assert not workshop.container.images.layers().are_here(layers)


def test_a_build_that_needs_no_file_of_its_base_fetches_none() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    image = image_of(workshop.build(LINKED, {"a": b"3"}, store=False))

    assert image.layers[:2] == layers
    assert fetched(workshop, layers) == [False, False]


def test_a_file_that_is_put_among_those_of_the_base_needs_to_know_them() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    workshop.build(f"FROM {BASE}\nCOPY a /etc/\n", {"a": b"3"}, store=False)

    assert fetched(workshop, layers) == [True, True]


def test_it_is_enough_to_know_their_names() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    workshop.container.images.layers().bring(layers)
    for layer in layers:
        workshop.blobs.remove(layer.descriptor.digest)
    workshop.registry.fetched.clear()

    workshop.build(f"FROM {BASE}\nCOPY a /etc/\n", {"a": b"3"}, store=False)

    assert fetched(workshop, layers) == [False, False]


def test_of_a_stage_only_the_layers_come_whose_files_are_taken() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    workshop.container.images.layers().bring(layers)
    for layer in layers:
        workshop.blobs.remove(layer.descriptor.digest)
    workshop.registry.fetched.clear()

    built = workshop.build(f"FROM scratch\nCOPY --from={BASE} /b /\n", store=False)

    assert workshop.files_of(built) == {"b": b"2"}
    assert fetched(workshop, layers) == [False, True]


def test_a_command_gets_its_whole_root() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    workshop.build(f"FROM {BASE}\nRUN true\n", store=False)

    assert fetched(workshop, layers) == [True, True]


def test_the_base_of_a_stage_whose_steps_are_cached_is_not_fetched() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    dockerfile = f"FROM {BASE} AS made\nRUN make\nFROM scratch\nCOPY --from=made /out /\n"
    workshop.commands["make"] = lambda workspace: workspace.write("out", b"made")
    workshop.build(dockerfile)
    forget(workshop, layers)
    workshop.images.remove(ImageReference.parse(BASE))
    workshop.registry.fetched.clear()

    built = workshop.build(dockerfile)

    assert workshop.files_of(built) == {"out": b"made"}
    assert fetched(workshop, layers) == [False, False]


def test_an_image_that_gets_a_name_here_is_here_whole_and_so_is_its_base() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)

    workshop.build(LINKED, {"a": b"3"}, tags=["app"])

    assert workshop.container.images.layers().are_here(layers)
    assert workshop.images.get(ImageReference.parse(BASE))


def test_a_base_that_is_not_here_whole_has_no_name() -> None:
    workshop = Workshop()
    published(workshop, BASE)

    workshop.build(LINKED, {"a": b"3"}, store=False)

    with pytest.raises(ImageNotFound):
        workshop.images.get(ImageReference.parse(BASE))


def test_what_goes_back_to_the_bases_registry_never_comes_here() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    target = workshop.build(LINKED, {"a": b"3"}, store=False).target

    workshop.container.images.publish()(target, APP)

    assert set(workshop.registry.mounted) == {layer.descriptor.digest for layer in layers}
    assert fetched(workshop, layers) == [False, False]
    assert workshop.registry.resolve(APP).digest == target.digest


def test_what_goes_to_another_registry_comes_through_here() -> None:
    workshop = Workshop()
    layers = published(workshop, BASE)
    target = workshop.build(LINKED, {"a": b"3"}, store=False).target

    workshop.container.images.publish()(target, AWAY)

    assert workshop.registry.mounted == []
    assert fetched(workshop, layers) == [True, True]
    assert all(workshop.registry.has_blob(AWAY, layer.descriptor.digest) for layer in layers)


def test_a_pushed_base_that_is_here_is_mounted_too() -> None:
    workshop = Workshop()
    workshop.publish(BASE, {"etc/a": b"1"})
    workshop.build(LINKED, {"a": b"3"}, tags=[str(APP)])

    workshop.container.images.push_image()(ImageName.of(APP))

    assert len(workshop.registry.mounted) == 1
    assert len(workshop.registry.received) == 2  # our layer, and the config

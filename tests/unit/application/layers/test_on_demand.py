"""Layers that come when they are needed, and not before."""

import pytest

from img.application.cancellation import StepCanceled, cancelled_by
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import RegistryError
from img.domain.image_name import ImageName
from img.domain.oci.chain import Layer
from img.domain.reference import ImageReference
from tests.support.in_memory_app import HERE, InMemoryApp, image_of

BASE = "registry.example/base"
APP = ImageReference.parse("registry.example/team/app:1")
AWAY = ImageReference.parse("other.example/app:1")
LINKED = f"FROM {BASE}\nCOPY --link a /app/\nENV x=y\n"


class Cancelled:
    def is_set(self) -> bool:
        return True

    def wait(self, timeout: float | None = None) -> bool:
        return True


def published(app: InMemoryApp, *names: str) -> tuple[Layer, ...]:
    """Have the image of two layers at the registry alone, under ``names``; return its layers."""
    for name in names:
        base = app.publish(name, {"etc/a": b"1"}, {"b": b"2"})
    image = app.container.images.pull_image()(base, HERE)
    forget(app, image.layers)
    app.images.remove(base)
    app.registry.fetched.clear()
    return image.layers


def forget(app: InMemoryApp, layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        app.blobs.remove(layer.descriptor.digest)
        app.indexes.remove(layer.diff_id)


def fetched(app: InMemoryApp, layers: tuple[Layer, ...]) -> list[bool]:
    return [layer.descriptor.digest in app.registry.fetched for layer in layers]


def test_they_are_fetched_from_where_they_are_known_to_be() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    assert app.files_in(layers) == {"etc/a": b"1", "b": b"2"}
    assert fetched(app, layers) == [True, True]


def test_what_is_here_is_not_fetched() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    app.container.images.layers().bring(layers)
    app.registry.fetched.clear()

    app.container.images.layers().bring(layers)

    assert app.registry.fetched == []


def test_where_one_repository_fails_another_is_asked() -> None:
    app = InMemoryApp()
    layers = published(app, BASE, "lost.example/base")
    app.origins.add(BASE, [layer.descriptor.digest for layer in layers])
    app.origins.add("lost.example/copy", [layer.descriptor.digest for layer in layers])
    app.registry.lose("lost.example")

    app.container.images.layers().bring(layers)

    assert app.container.images.layers().are_here(layers)


def test_where_all_repositories_fail_the_last_failure_is_told() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    app.registry.lose("registry.example")

    with pytest.raises(RegistryError, match="cannot be reached"):
        app.container.images.layers().bring(layers)


def test_of_what_nobody_has_heard_nothing_can_be_had() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    app.origins.remove(layer.descriptor.digest for layer in layers)

    with pytest.raises(BlobNotFound):
        app.container.images.layers().bring(layers)


def test_a_step_that_was_given_up_fetches_no_more() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    with pytest.raises(StepCanceled), cancelled_by(Cancelled()):
        app.container.images.layers().bring(layers)

    assert not app.container.images.layers().are_here(layers)


def test_a_build_that_needs_no_file_of_its_base_fetches_none() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    image = image_of(app.build(LINKED, {"a": b"3"}, store=False))

    assert image.layers[:2] == layers
    assert fetched(app, layers) == [False, False]


def test_a_file_that_is_put_among_those_of_the_base_needs_to_know_them() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    app.build(f"FROM {BASE}\nCOPY a /etc/\n", {"a": b"3"}, store=False)

    assert fetched(app, layers) == [True, True]


def test_it_is_enough_to_know_their_names() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    app.container.images.layers().bring(layers)
    for layer in layers:
        app.blobs.remove(layer.descriptor.digest)
    app.registry.fetched.clear()

    app.build(f"FROM {BASE}\nCOPY a /etc/\n", {"a": b"3"}, store=False)

    assert fetched(app, layers) == [False, False]


def test_of_a_stage_only_the_layers_come_whose_files_are_taken() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    app.container.images.layers().bring(layers)
    for layer in layers:
        app.blobs.remove(layer.descriptor.digest)
    app.registry.fetched.clear()

    built = app.build(f"FROM scratch\nCOPY --from={BASE} /b /\n", store=False)

    assert app.files_of(built) == {"b": b"2"}
    assert fetched(app, layers) == [False, True]


def test_a_command_gets_its_whole_root() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    app.build(f"FROM {BASE}\nRUN true\n", store=False)

    assert fetched(app, layers) == [True, True]


def test_the_base_of_a_stage_whose_steps_are_cached_is_not_fetched() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    dockerfile = f"FROM {BASE} AS made\nRUN make\nFROM scratch\nCOPY --from=made /out /\n"
    app.commands["make"] = lambda workspace: workspace.write("out", b"made")
    app.build(dockerfile)
    forget(app, layers)
    app.images.remove(ImageReference.parse(BASE))
    app.registry.fetched.clear()

    built = app.build(dockerfile)

    assert app.files_of(built) == {"out": b"made"}
    assert fetched(app, layers) == [False, False]


def test_an_image_that_gets_a_name_here_is_here_whole_and_so_is_its_base() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)

    app.build(LINKED, {"a": b"3"}, tags=["app"])

    assert app.container.images.layers().are_here(layers)
    assert app.images.get(ImageReference.parse(BASE))


def test_a_base_that_is_not_here_whole_has_no_name() -> None:
    app = InMemoryApp()
    published(app, BASE)

    app.build(LINKED, {"a": b"3"}, store=False)

    with pytest.raises(ImageNotFound):
        app.images.get(ImageReference.parse(BASE))


def test_what_goes_back_to_the_bases_registry_never_comes_here() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    target = app.build(LINKED, {"a": b"3"}, store=False).target

    app.container.images.publish()(target, APP)

    assert set(app.registry.mounted) == {layer.descriptor.digest for layer in layers}
    assert fetched(app, layers) == [False, False]
    assert app.registry.resolve(APP).digest == target.digest


def test_what_goes_to_another_registry_comes_through_here() -> None:
    app = InMemoryApp()
    layers = published(app, BASE)
    target = app.build(LINKED, {"a": b"3"}, store=False).target

    app.container.images.publish()(target, AWAY)

    assert app.registry.mounted == []
    assert fetched(app, layers) == [True, True]
    assert all(app.registry.has_blob(AWAY, layer.descriptor.digest) for layer in layers)


def test_a_pushed_base_that_is_here_is_mounted_too() -> None:
    app = InMemoryApp()
    app.publish(BASE, {"etc/a": b"1"})
    app.build(LINKED, {"a": b"3"}, tags=[str(APP)])

    app.container.images.push_image()(ImageName.of(APP))

    assert len(app.registry.mounted) == 1
    assert len(app.registry.received) == 2  # our layer, and the config

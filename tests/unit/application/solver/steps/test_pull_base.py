"""FROM: when a base's layers are fetched."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import RegistryError
from img.domain.oci.codec import decode_manifest
from tests.support.in_memory_app import InMemoryApp, image_of


def test_layers_are_fetched_once() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"}, {"b": b"2"})
    app.build("FROM base\nCMD x\n")
    app.registry.fetched.clear()

    app.build("FROM base\nCMD y\n")

    assert app.registry.fetched == []


def test_a_base_that_lost_a_layer_here_gets_it_back() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})
    built = image_of(app.build("FROM base\n"))
    lost = built.layers[0].descriptor.digest
    app.blobs.remove(lost)

    again = app.build("FROM base\nCMD x\n")

    assert app.files_of(again) == {"a": b"1"}


def test_a_layer_that_cannot_be_had_leaves_no_name() -> None:
    app = InMemoryApp()
    base = app.publish("base", {"a": b"1"})
    target = app.registry.resolve(base)
    (layer,) = decode_manifest(app.registry.manifest(base, target)).layers
    app.registry.cut(layer.digest, after=3)

    with pytest.raises(RegistryError):
        app.build("FROM base\n")

    with pytest.raises(ImageNotFound):
        app.images.get(base)


def test_an_image_of_no_layers_is_as_good_as_scratch() -> None:
    app = InMemoryApp()
    app.publish("empty")

    built = app.build("FROM empty\nCOPY a /\n", {"a": b"1"})

    assert app.files_of(built) == {"a": b"1"}

"""FROM: when a base's layers are fetched."""

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.ports.registry import RegistryError
from img.domain.oci.codec import decode_manifest
from tests.support.workshop import Workshop, image_of


def test_layers_are_fetched_once() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"}, {"b": b"2"})
    workshop.build("FROM base\nCMD x\n")
    workshop.registry.fetched.clear()

    workshop.build("FROM base\nCMD y\n")

    assert workshop.registry.fetched == []


def test_a_base_that_lost_a_layer_here_gets_it_back() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    built = image_of(workshop.build("FROM base\n"))
    lost = built.layers[0].descriptor.digest
    workshop.blobs.remove(lost)

    again = workshop.build("FROM base\nCMD x\n")

    assert workshop.files_of(again) == {"a": b"1"}


def test_a_layer_that_cannot_be_had_leaves_no_name() -> None:
    workshop = Workshop()
    base = workshop.publish("base", {"a": b"1"})
    target = workshop.registry.resolve(base)
    (layer,) = decode_manifest(workshop.registry.manifest(base, target)).layers
    workshop.registry.cut(layer.digest, after=3)

    with pytest.raises(RegistryError):
        workshop.build("FROM base\n")

    with pytest.raises(ImageNotFound):
        workshop.images.get(base)


def test_an_image_of_no_layers_is_as_good_as_scratch() -> None:
    workshop = Workshop()
    workshop.publish("empty")

    built = workshop.build("FROM empty\nCOPY a /\n", {"a": b"1"})

    assert workshop.files_of(built) == {"a": b"1"}

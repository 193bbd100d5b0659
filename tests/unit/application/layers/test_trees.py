"""The files of a stack of layers, without unpacking."""

import pytest

from img.application.ports.blob_store import BlobNotFound
from img.application.ports.layer_archive import InvalidLayer
from img.domain.digest import Digest
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID, Layer
from tests.support.in_memory_app import InMemoryApp


def test_upper_layers_hide_what_is_below() -> None:
    app = InMemoryApp()
    layers = [app.layer({"a": b"old", "b": b"1"}), app.layer({"a": b"new"})]

    assert app.files_in(layers) == {"a": b"new", "b": b"1"}


def test_a_lost_index_is_made_again_from_the_blob() -> None:
    app = InMemoryApp()
    layer = app.layer({"a": b"1"})
    assert app.indexes.get(layer.diff_id) is None

    app.container.images.trees().of([layer])

    assert app.indexes.get(layer.diff_id) is not None


def test_without_index_and_blob_nothing_can_be_said() -> None:
    app = InMemoryApp()
    layer = app.layer({"a": b"1"})
    app.blobs.remove(layer.descriptor.digest)

    with pytest.raises(BlobNotFound):
        app.container.images.trees().of([layer])


def test_a_blob_that_is_another_layer_is_not_believed() -> None:
    app = InMemoryApp()
    layer, other = app.layer({"a": b"1"}), app.layer({"b": b"2"})

    with pytest.raises(InvalidLayer, match=str(layer.diff_id)):
        app.container.images.trees().of([Layer(layer.diff_id, other.descriptor)])


def test_what_is_no_regular_file_has_no_content() -> None:
    app = InMemoryApp()
    trees = app.container.images.trees()
    layer = app.layer({"dir/a": b"1"})

    assert trees.read_file([layer], "dir/a") == b"1"
    assert trees.read_file([layer], "dir") is None
    assert trees.read_file([layer], "missing") is None
    assert trees.read_file([], "dir/a") is None


def test_a_stack_that_is_known_is_not_read_again() -> None:
    app = InMemoryApp()
    trees = app.container.images.trees()
    layers = [app.layer({"a": b"1"}), app.layer({"b": b"2"})]
    tree = trees.of(layers)
    for diff_id in list(app.indexes.diff_ids()):
        app.indexes.remove(diff_id)
    for layer in layers:
        app.blobs.remove(layer.descriptor.digest)

    assert trees.of(layers) is tree


def test_an_index_that_was_read_is_kept_until_there_are_too_many() -> None:
    app = InMemoryApp()
    trees = app.container.images.trees()
    layer = app.layer({"a": b"1"})
    index = trees.index_of(layer)
    app.indexes.remove(layer.diff_id)
    app.blobs.remove(layer.descriptor.digest)

    assert trees.index_of(layer) is index

    for number in range(2):
        large = Layer(DiffID(Digest.of(b"%d" % number)), layer.descriptor)
        app.indexes.put(large.diff_id, FileIndex.of([Entry("a", FILE)] * 150_000))
        trees.index_of(large)
    with pytest.raises(BlobNotFound):
        trees.index_of(layer)

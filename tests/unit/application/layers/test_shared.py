"""Layers that machines of a cluster exchange through a store."""

import pytest

from img.adapters.shared_blobs.memory import MemorySharedBlobs
from img.adapters.shared_blobs.registry import RegistrySharedBlobs
from img.application.cancellation import StepCanceled, cancelled_by
from img.application.layers.on_demand import LayerLost
from img.application.layers.shared import SharedLayers
from img.application.ports.blob_store import BlobNotFound, StoreFull
from img.application.ports.shared_blobs import SharedBlobs, SharedBlobsError, SharedBlobStores
from img.domain.digest import Digest
from img.domain.oci.chain import Layer
from img.domain.options.cluster_store import DirectoryStore, RegistryStore
from img.domain.progress import VertexDone
from img.domain.reference import ImageReference
from tests.support.in_memory_app import HERE, InMemoryApp
from tests.unit.application.layers.test_on_demand import Cancelled

PLACE = DirectoryStore("/srv/blobs")
CLUSTER = RegistryStore(ImageReference.parse("registry.example/cluster", default_tag=False))


class Stores(SharedBlobStores):
    """One store under every name."""

    def __init__(self, store: SharedBlobs) -> None:
        self.store = store

    def open(self, place: object) -> SharedBlobs:
        return self.store


def machine(store: SharedBlobs, place: DirectoryStore | RegistryStore = PLACE) -> InMemoryApp:
    """Return an img that uses ``store``."""
    app = InMemoryApp()
    app.container.images.shared_stores.override(Stores(store))
    app.container.images.share_layers()(place)
    return app


def shared_by(app: InMemoryApp, place: DirectoryStore | RegistryStore = PLACE) -> SharedLayers:
    return app.container.images.share_layers()(place)


def offered(store: MemorySharedBlobs, *names: str) -> list[Layer]:
    """Return layers with a file each, after a worker has made them."""
    worker = machine(store)
    layers = [worker.layer({name: name.encode()}) for name in names]
    shared_by(worker).offer(layers)
    return layers


def test_a_layer_is_fetched_when_its_bytes_are_needed() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a", "b")
    client = machine(store)
    assert not client.container.images.layers().are_here(layers)
    store.calls.clear()

    assert client.files_in(layers[:1]) == {"a": b"a"}

    assert client.container.images.layers().are_here(layers[:1])
    assert not client.container.images.layers().are_here(layers[1:])
    assert store.calls == ["has", "open"]
    finished = [each.vertex for each in client.progress.events if isinstance(each, VertexDone)]
    assert finished == [
        f"fetch {layers[0].descriptor.digest} from the cluster store dir:/srv/blobs"
    ]


def test_what_is_here_is_not_fetched() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a")
    client = machine(store)
    client.container.images.layers().bring(layers)
    store.calls.clear()

    client.container.images.layers().bring(layers)

    assert store.calls == []


def test_each_layer_is_offered_once() -> None:
    store = MemorySharedBlobs()
    worker = machine(store)
    layer = worker.layer({"a": b"a"})

    shared_by(worker).offer([layer, layer])

    assert store.calls == ["add"]


def test_a_layer_that_is_elsewhere_is_offered_without_its_bytes() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a")
    other = machine(store)

    shared_by(other).offer(layers)

    assert not other.container.images.layers().are_here(layers)


def test_a_layer_that_is_nowhere_cannot_be_offered() -> None:
    layers = offered(MemorySharedBlobs(), "a")

    with pytest.raises(BlobNotFound):
        shared_by(machine(MemorySharedBlobs())).offer(layers)


@pytest.mark.parametrize("damage", [b"", b"other bytes", None])
def test_a_layer_that_the_store_does_not_give_is_lost(damage: bytes | None) -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a")
    digest = layers[0].descriptor.digest
    if damage is None:
        del store.blobs[digest]
    else:
        store.blobs[digest] = damage
    client = machine(store)

    with pytest.raises(LayerLost, match=str(digest)):
        client.container.images.layers().bring(layers)

    assert not client.container.images.layers().are_here(layers)


def test_a_layer_of_an_image_comes_from_its_repository_instead() -> None:
    store = MemorySharedBlobs(failures={"has": SharedBlobsError("down")})
    client = machine(store)
    base = client.publish("registry.example/base", {"etc/a": b"1"})
    layers = client.container.images.pull_image()(base, HERE).layers
    for layer in layers:
        client.blobs.remove(layer.descriptor.digest)

    client.container.images.layers().bring(layers)

    assert client.container.images.layers().are_here(layers)


def test_a_full_disk_is_no_lost_layer() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a")
    store.failures["open"] = StoreFull("no space left")

    with pytest.raises(StoreFull):
        machine(store).container.images.layers().bring(layers)


def test_a_cancelled_build_fetches_nothing_more() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a")
    client = machine(store)

    with pytest.raises(StepCanceled), cancelled_by(Cancelled()):
        client.container.images.layers().bring(layers)

    assert not client.container.images.layers().are_here(layers)


def test_a_push_to_the_registry_of_the_store_mounts() -> None:
    app = InMemoryApp()
    store = RegistrySharedBlobs(CLUSTER, app.registry)
    app.container.images.shared_stores.override(Stores(store))
    layer = app.layer({"a": b"a"})
    shared_by(app, CLUSTER).offer([layer])
    app.blobs.remove(layer.descriptor.digest)
    app.registry.received.clear()

    app.container.images.transfer().push_blobs(
        ImageReference.parse("registry.example/team/app:1"), [layer.descriptor]
    )

    assert app.registry.mounted == [layer.descriptor.digest]
    assert app.registry.received == []
    assert app.blobs.size(layer.descriptor.digest) is None


def test_a_lost_layer_of_a_registry_is_lost_too() -> None:
    app = InMemoryApp()
    store = RegistrySharedBlobs(CLUSTER, app.registry)
    app.container.images.shared_stores.override(Stores(store))
    layer = app.layer({"a": b"a"})
    shared_by(app, CLUSTER).note([layer.descriptor.digest])
    app.blobs.remove(layer.descriptor.digest)

    with pytest.raises(LayerLost):
        app.container.images.layers().bring([layer])


def test_a_layer_knows_whether_others_can_fetch_it() -> None:
    store = MemorySharedBlobs()
    (layer,) = offered(store, "a")

    assert shared_by(machine(store)).has(layer)
    assert Digest.of(b"a") not in store.blobs


def test_a_layer_that_a_look_up_finds_is_known_to_be_in_the_registry() -> None:
    app = InMemoryApp()
    store = RegistrySharedBlobs(CLUSTER, app.registry)
    app.container.images.shared_stores.override(Stores(store))
    layer = app.layer({"a": b"a"})
    shared_by(app, CLUSTER).offer([layer])
    app.origins.remove([layer.descriptor.digest])

    assert app.container.images.cluster_layers().has(layer)

    assert app.origins.repositories(layer.descriptor.digest) == ["registry.example/cluster"]


def test_a_push_needs_the_layers_that_no_repository_has() -> None:
    store = MemorySharedBlobs()
    layers = offered(store, "a", "b")
    client = machine(store)
    client.origins.add("registry.example/base", [layers[0].descriptor.digest])

    client.container.images.layers().bring_unpublished(layers)

    here = [client.container.images.layers().are_here([layer]) for layer in layers]
    assert here == [False, True]


def test_an_exported_cache_has_the_layers_of_the_cluster() -> None:
    store = MemorySharedBlobs()
    (layer,) = offered(store, "a")
    client = machine(store)
    nowhere = client.layer({"b": b"b"})
    client.blobs.remove(nowhere.descriptor.digest)

    assert client.container.images.layers().fetch_shared(layer)
    assert not client.container.images.layers().fetch_shared(nowhere)

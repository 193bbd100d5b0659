"""What may be forgotten."""

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import ChainID, DiffID, Layer, chain_ids_of
from img.domain.oci.codec import encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.retention import Garbage, Stored, garbage_in


class State:
    """Blobs, and all that was ever put there."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def add(self, content: bytes, media_type: str) -> Descriptor:
        self.blobs[Digest.of(content)] = content
        return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))

    def image(self, *layers: bytes) -> Descriptor:
        config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=diff_ids_of(*layers))
        manifest = Manifest(
            config=self.add(encode_config(config), media_types.OCI_CONFIG),
            layers=tuple(self.add(layer, media_types.OCI_LAYER_GZIP) for layer in layers),
        )
        return self.add(encode_manifest(manifest), media_types.OCI_MANIFEST)

    def index(self, *manifests: Descriptor) -> Descriptor:
        return self.add(encode_index(Index(manifests=manifests)), media_types.OCI_INDEX)

    def stored(self, *layers: bytes) -> Stored:
        return Stored(
            blobs=frozenset(self.blobs),
            indexes=frozenset(diff_ids_of(*layers)),
            snapshots=frozenset(chain_ids_of(diff_ids_of(*layers))),
        )


def diff_ids_of(*layers: bytes) -> tuple[DiffID, ...]:
    return tuple(DiffID(Digest.of(b"tar of " + layer)) for layer in layers)


def test_all_that_an_image_is_made_of_stays() -> None:
    state = State()
    image = state.image(b"a", b"b")

    found = garbage_in(state.stored(b"a", b"b"), images=[image], layers=[], read=state.blobs.get)

    assert found == Garbage()


def test_what_no_name_leads_to_goes() -> None:
    state = State()
    kept = state.image(b"a")
    other = set(state.blobs)
    state.image(b"a", b"b")

    found = garbage_in(state.stored(b"a", b"b"), images=[kept], layers=[], read=state.blobs.get)

    assert found.blobs == frozenset(state.blobs) - other
    assert found.indexes == frozenset(diff_ids_of(b"b"))
    assert found.snapshots == {chain_ids_of(diff_ids_of(b"a", b"b"))[1]}


def test_an_index_keeps_its_manifests_however_deep_and_needs_not_all_of_them() -> None:
    state = State()
    image = state.image(b"a")
    absent = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"?"), size=1)
    index = state.index(state.index(image), absent)

    found = garbage_in(state.stored(b"a"), images=[index], layers=[], read=state.blobs.get)

    assert found == Garbage()


def test_a_cache_record_keeps_its_layer_but_no_snapshot() -> None:
    state = State()
    blob = state.add(b"a", media_types.OCI_LAYER_GZIP)
    layer = Layer(diff_ids_of(b"a")[0], blob)

    found = garbage_in(state.stored(b"a"), images=[], layers=[layer], read=state.blobs.get)

    assert found == Garbage(snapshots=frozenset(chain_ids_of([layer.diff_id])))


def test_snapshots_can_be_kept_for_a_reason_of_the_callers() -> None:
    state = State()
    chains = chain_ids_of(diff_ids_of(b"a", b"b"))

    found = garbage_in(
        state.stored(b"a", b"b"), images=[], layers=[], read=state.blobs.get, snapshots=chains[:1]
    )

    assert found.snapshots == frozenset[ChainID](chains[1:])


def test_damaged_and_foreign_documents_keep_themselves_and_do_no_harm() -> None:
    state = State()
    damaged = state.add(b"{", media_types.OCI_MANIFEST)
    foreign = state.add(b"anything", "application/x")
    artifact = state.add(
        encode_manifest(Manifest(config=state.add(b"no config", media_types.OCI_CONFIG))),
        media_types.OCI_MANIFEST,
    )

    found = garbage_in(
        state.stored(), images=[damaged, foreign, artifact], layers=[], read=state.blobs.get
    )

    assert found == Garbage()


def test_only_documents_are_read() -> None:
    state = State()
    image = state.image(b"a")
    read: list[Digest] = []

    def reading(digest: Digest) -> bytes | None:
        read.append(digest)
        return state.blobs[digest]

    garbage_in(state.stored(), images=[image, image], layers=[], read=reading)

    assert len(read) == 2

"""Layers and a config become an image."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from img.adapters.clock.fixed import FixedClock
from img.application.outputs.assemble import Assemble, rfc3339
from img.application.solver.results import Stack
from img.domain.digest import Digest
from img.domain.graph.operations import Scratch
from img.domain.graph.vertex import Graph, HistoryItem, Plan, Vertex
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import decode_config, decode_manifest
from img.domain.oci.config import History, ImageConfig
from img.domain.oci.descriptor import Descriptor
from tests.support.in_memory_app import HERE, InMemoryApp

LAYER = Layer(
    DiffID(Digest.of(b"tar")),
    Descriptor(
        media_type=media_types.DOCKER_LAYER_GZIP,
        digest=Digest.of(b"blob"),
        size=4,
        annotations={"of": "the base"},
    ),
)
LONG_AGO = datetime(2020, 5, 6, tzinfo=UTC)
STACK = Stack(key=Digest.of(b"key"), layers=(LAYER,), own=LAYER, created=LONG_AGO)
PLAN = Plan(
    graph=Graph((Vertex(operation=Scratch()),)),
    target=0,
    config=ImageConfig(platform=HERE),
    history=(HistoryItem(created_by="COPY a /", vertex=0), HistoryItem(created_by="CMD x")),
)


def an_assembly(clock: FixedClock | None = None) -> Assemble:
    made: Assemble = (
        InMemoryApp(clock=clock or FixedClock()).container.building.deliver().images.assemble
    )
    return made


def stored(assemble: Assemble, digest: Digest) -> bytes:
    with assemble.blobs.open(digest) as blob:
        return blob.read()


def test_the_documents_are_stored_and_lead_to_one_another() -> None:
    assemble = an_assembly()

    image = assemble(PLAN, {0: STACK}, None)

    manifest = decode_manifest(stored(assemble, image.target.digest))
    config = decode_config(stored(assemble, manifest.config.digest))
    assert (manifest, config) == (image.manifest, image.config)
    assert config.diff_ids == (LAYER.diff_id,)


def test_layers_are_named_by_types_of_oci_and_without_the_bases_annotations() -> None:
    image = an_assembly()(PLAN, {0: STACK}, None)

    (layer,) = image.manifest.layers
    assert layer.media_type == media_types.OCI_LAYER_GZIP
    assert layer.annotations == {}


def test_history_is_dated_by_when_its_layer_was_made() -> None:
    copy, cmd = an_assembly()(PLAN, {0: STACK}, None).config.history

    assert (copy.created, copy.empty_layer) == ("2020-05-06T00:00:00Z", False)
    assert (cmd.created, cmd.empty_layer) == ("2024-01-01T00:00:00Z", True)


@pytest.mark.parametrize(
    ("told", "layers", "expected"),
    [
        ("", 0, ""),
        ("", 2, "##"),
        ("a-b", 2, "a-b"),
        ("a-", 3, "a-##"),
        ("ab-c", 1, "a---"),
        ("-", 0, "-"),
        ("a", 0, "-"),
    ],
)
def test_each_layer_of_the_base_has_an_item_of_history(
    told: str, layers: int, expected: str
) -> None:
    history = tuple(History(created_by=name, empty_layer=name == "-") for name in told)
    below = tuple(DiffID(Digest.of(b"%d" % number)) for number in range(layers))
    plan = replace(PLAN, config=ImageConfig(platform=HERE, diff_ids=below, history=history))
    stack = replace(STACK, layers=(*(replace(LAYER, diff_id=each) for each in below), LAYER))

    items = an_assembly()(plan, {0: stack}, None).config.history

    shown = "".join("-" if item.empty_layer else item.created_by or "#" for item in items[:-2])
    assert shown == expected
    assert all(item.created for item in items)
    assert [item.created_by for item in items[-2:]] == ["COPY a /", "CMD x"]


def test_the_same_contents_keep_their_time() -> None:
    clock = FixedClock()
    assemble = an_assembly(clock)
    first = assemble(PLAN, {0: STACK}, None)
    clock.advance(timedelta(days=1))

    assert assemble(PLAN, {0: STACK}, None) == first


def test_source_date_epoch_beats_all_clocks() -> None:
    config = an_assembly()(PLAN, {0: STACK}, 0).config

    assert {config.created, *(item.created for item in config.history)} == {"1970-01-01T00:00:00Z"}


def test_an_index_names_the_platform_of_each_image() -> None:
    assemble = an_assembly()
    image = assemble(PLAN, {0: STACK}, None)

    target = assemble.index([image])

    assert target.media_type == media_types.OCI_INDEX
    assert HERE.architecture.encode() in stored(assemble, target.digest)


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, "2020-05-06T00:00:00Z"), (120000, "2020-05-06T00:00:00.12Z")],
)
def test_times_have_no_needless_zeros(microsecond: int, text: str) -> None:
    assert rfc3339(LONG_AGO.replace(microsecond=microsecond)) == text

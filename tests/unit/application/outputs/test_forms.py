"""The forms of images that go out."""

import pytest

from img.domain.errors import UsageError
from img.domain.oci import media_types
from img.domain.oci.annotations import Annotation, AnnotationPlace
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.outputs import (
    ImageForm,
    ImageOutput,
)
from tests.support.in_memory_app import ELSEWHERE, HERE, a_request
from tests.unit.application.outputs.bench import APP, DEFAULT, ZSTD, Bench, names_here


def test_only_new_layers_are_compressed_as_wished_unless_it_is_forced(app: Bench) -> None:
    def types(form: ImageForm) -> list[str]:
        built = app.deliver(ImageOutput(form=form))
        assert built is not None
        return [layer.media_type.rpartition("+")[2] for layer in built.images[0].manifest.layers]

    assert types(DEFAULT) == ["gzip", "gzip", "gzip"]
    assert types(ImageForm(compression=ZSTD)) == ["gzip", "zstd", "zstd"]
    assert types(ImageForm(compression=ZSTD, force_compression=True)) == ["zstd", "zstd", "zstd"]


def test_what_was_compressed_once_is_not_compressed_again(app: Bench) -> None:
    form = ImageForm(compression=ZSTD, force_compression=True)
    compressed = app.archive.recompressed

    first = app.deliver(ImageOutput(form=form))
    second = app.deliver(ImageOutput(form=form), ImageOutput(names=(APP,), form=form))

    assert first is not None and second is not None
    assert first.target == second.target
    assert len(compressed) == len(set(compressed)) == 3


def test_a_variant_that_was_lost_is_made_again(app: Bench) -> None:
    form = ImageForm(compression=ZSTD)
    first = app.deliver(ImageOutput(form=form))
    assert first is not None
    lost = first.images[0].manifest.layers[1]
    app.blobs.remove(lost.digest)

    second = app.deliver(ImageOutput(form=form))

    assert second is not None and second.target == first.target
    assert app.blobs.size(lost.digest) == lost.size


def test_the_config_is_the_same_in_every_compression(app: Bench) -> None:
    images = [
        app.deliver(ImageOutput(form=form)) for form in (DEFAULT, ImageForm(compression=ZSTD))
    ]

    configs = {image.images[0].manifest.config.digest for image in images if image}
    targets = {image.target.digest for image in images if image}
    assert (len(configs), len(targets)) == (1, 2)


def test_later_times_of_new_layers_are_cut_to_the_epoch(app: Bench) -> None:
    def times(form: ImageForm) -> dict[str, int]:
        built = app.deliver(ImageOutput(form=form))
        assert built is not None
        image = built.images[0]
        tree = app.container.images.trees().of(image.layers)
        found = {path: tree.get(path) for path in ("gone", "dir/a")}
        assert image.config.diff_ids == tuple(layer.diff_id for layer in image.layers)
        return {path: entry.mtime // 10**9 for path, entry in found.items() if entry}

    as_built = times(DEFAULT)

    rewritten = times(ImageForm(rewrite_timestamp=True, epoch=-1))
    assert rewritten == {"gone": as_built["gone"], "dir/a": -1}
    assert times(ImageForm(rewrite_timestamp=True, epoch=as_built["dir/a"])) == as_built
    assert times(ImageForm(epoch=-1)) == as_built
    assert times(ImageForm(rewrite_timestamp=True)) == as_built


def test_an_epoch_of_the_output_dates_the_image(app: Bench) -> None:
    built = app.deliver(
        ImageOutput(form=ImageForm(epoch=1)),
        request=a_request(build_args={"SOURCE_DATE_EPOCH": "5"}),
    )

    assert built is not None
    assert built.images[0].config.created == "1970-01-01T00:00:01Z"


def test_documents_may_be_of_dockers_types(app: Bench) -> None:
    built = app.deliver(ImageOutput(form=ImageForm(oci_types=False)), platforms=[HERE, ELSEWHERE])

    assert built is not None
    assert built.target.media_type == media_types.DOCKER_MANIFEST_LIST
    manifest = built.images[0].manifest
    assert manifest.media_type == built.images[0].target.media_type == media_types.DOCKER_MANIFEST
    assert manifest.config.media_type == media_types.DOCKER_CONFIG
    assert {layer.media_type for layer in manifest.layers} == {media_types.DOCKER_LAYER_GZIP}
    assert decode_manifest(app.catalog.read(built.images[0].target)) == manifest


def test_annotations_stand_where_they_belong(app: Bench) -> None:
    places = [
        Annotation(key=place.value, value="v", place=place, platform=None)
        for place in AnnotationPlace
    ]
    own = Annotation(key="own", value="x", platform=ELSEWHERE)
    form = ImageForm(annotations=(*places, own))
    app.publish("base", {"x": b"1"}, platforms=[HERE, ELSEWHERE])

    built = app.deliver(ImageOutput(form=form), platforms=[HERE, ELSEWHERE])

    assert built is not None
    index = decode_index(app.catalog.read(built.target))
    assert built.target.annotations == {"index-descriptor": "v"}
    assert index.annotations == {"index": "v"}
    assert [dict(m.annotations) for m in index.manifests] == [{"manifest-descriptor": "v"}] * 2
    assert [dict(image.manifest.annotations) for image in built.images] == [
        {"manifest": "v"},
        {"manifest": "v", "own": "x"},
    ]


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (
            Annotation(key="a", value="b", place=AnnotationPlace.INDEX),
            "index annotations not supported for single platform export",
        ),
        (
            Annotation(key="a", value="b", platform=ELSEWHERE),
            f"no platform {ELSEWHERE} found in source",
        ),
    ],
)
def test_annotations_without_a_place_are_refused(
    app: Bench, annotation: Annotation, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        app.deliver(ImageOutput(names=(APP,), form=ImageForm(annotations=(annotation,))))

    assert names_here(app) == set()

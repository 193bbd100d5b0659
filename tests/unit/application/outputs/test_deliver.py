"""What becomes of the result of a build."""

import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.output_files.local import LocalOutputFiles
from img.application.outputs.files import FilesOverlap
from img.application.outputs.images import IndexNotWanted
from img.application.ports.blob_store import BlobWriter
from img.application.ports.output_files import OutputNotWritten
from img.application.ports.registry import RegistryError
from img.application.solver.execute import ProcessFailed
from img.domain.errors import UsageError
from img.domain.oci import media_types
from img.domain.oci.annotations import Annotation, AnnotationPlace
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.compression import Algorithm, Compression
from img.domain.outputs import (
    ArchiveOutput,
    CacheOnly,
    FilesOutput,
    ImageForm,
    ImageOutput,
)
from img.domain.progress import VertexStarted, VertexWarning
from img.domain.reference import ImageReference
from tests.unit.application.workshop import ELSEWHERE, HERE, Workshop, a_request

APP = ImageReference.parse("quay.io/team/app")
OTHER = ImageReference.parse("quay.io/team/other")
FILES = {"a": b"1", "b": b"2"}
DOCKERFILE = "FROM base\nCOPY a /dir/\nCOPY b /dir/\n"
DEFAULT = ImageForm()
ZSTD = Compression(Algorithm.ZSTD)


class Counting(TarLayerArchive):
    """Remembers what was compressed anew."""

    def __init__(self) -> None:
        super().__init__()
        self.recompressed: list[tuple[DiffID, str]] = []

    def recompress(
        self, compressed: BinaryIO, blob: BlobWriter, diff_id: DiffID, compression: Compression
    ) -> Layer:
        self.recompressed.append((diff_id, str(compression)))
        return super().recompress(compressed, blob, diff_id, compression)


@dataclass(slots=True)
class Bench(Workshop):
    """A workshop whose outputs go to real files."""

    archive: Counting = field(default_factory=Counting)
    printed: io.BytesIO = field(default_factory=io.BytesIO)


@pytest.fixture
def workshop() -> Bench:
    made = Bench()
    made.container.output_files.override(LocalOutputFiles(made.printed))
    made.publish("base", {"dir/of-base": b"3", "gone": b"4"})
    made.build(DOCKERFILE, FILES, tags=[])
    made.forget_progress()
    return made


def members(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: member for member in archive.getmembers()}


def names_here(workshop: Workshop) -> set[str]:
    """Return the names in the store, without that of the base."""
    return {str(image.reference) for image in workshop.images.list()} - {
        "docker.io/library/base:latest"
    }


def exported(workshop: Workshop) -> list[str]:
    names = (e.name for e in workshop.progress.events if isinstance(e, VertexStarted))
    return [name for name in names if name.startswith(("export", "push"))]


# where it goes


def test_all_outputs_are_made_of_one_build(workshop: Bench, tmp_path: Path) -> None:
    built = workshop.deliver(
        FilesOutput(destination=str(tmp_path / "files")),
        FilesOutput(destination=str(tmp_path / "files.tar"), tar=True),
        ArchiveOutput(format="oci", destination=str(tmp_path / "oci.tar")),
        ArchiveOutput(format="oci", destination=str(tmp_path / "layout"), tar=False),
        ArchiveOutput(format="docker", destination=str(tmp_path / "docker.tar"), names=(APP,)),
        ImageOutput(names=(APP,)),
        CacheOnly(),
    )

    assert built is not None
    assert workshop.images.get(APP).target == built.target
    assert (tmp_path / "files/dir/a").read_bytes() == b"1"
    assert (tmp_path / "files/dir/of-base").read_bytes() == b"3"
    tar = members((tmp_path / "files.tar").read_bytes())
    assert list(tar) == ["dir", "dir/a", "dir/b", "dir/of-base", "gone"]
    index = decode_index((tmp_path / "layout/index.json").read_bytes())
    assert [each.digest for each in index.manifests] == [built.target.digest]
    with tarfile.open(tmp_path / "docker.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert json.loads(manifest.read())[0]["RepoTags"] == [str(APP)]
    assert workshop.done.count("exporting to image") == 1
    assert workshop.steps_done == []
    assert exported(workshop) == [
        "exporting to client directory",
        "exporting to client tarball",
        "exporting to oci image format",
        "exporting to oci image format",
        "exporting to docker image format",
        "exporting to image",
        "exporting to cache only",
    ]


def test_nothing_is_made_of_a_build_that_fails(workshop: Bench, tmp_path: Path) -> None:
    workshop.contexts.text = "FROM base\nRUN make\n"
    workshop.statuses["make"] = 1

    with pytest.raises(ProcessFailed):
        workshop.deliver(FilesOutput(destination=str(tmp_path / "out")), ImageOutput(names=(APP,)))

    assert list(tmp_path.iterdir()) == []
    assert names_here(workshop) == set()


def test_what_is_pushed_only_has_no_name_here(workshop: Bench) -> None:
    built = workshop.deliver(ImageOutput(names=(APP, OTHER), push=True, store=False))

    assert built is not None and built.names == (APP, OTHER)
    assert workshop.registry.resolve(APP).digest == built.target.digest
    assert workshop.registry.resolve(OTHER).digest == built.target.digest
    assert names_here(workshop) == set()
    assert exported(workshop) == [
        "exporting to image",
        "push quay.io/team/app:latest",
        "push quay.io/team/other:latest",
    ]


def test_a_base_that_goes_back_to_its_registry_is_not_fetched() -> None:
    workshop = Bench()
    base = workshop.publish("quay.io/team/base", {"of-base": b"3"})
    manifest = decode_manifest(workshop.registry.manifest(base, workshop.registry.resolve(base)))
    workshop.contexts.text = f"FROM {base}\nCOPY --link a /x/\n"
    workshop.contexts.context = MemoryContext(FILES)
    form = ImageForm(compression=ZSTD)

    built = workshop.deliver(ImageOutput(names=(APP,), push=True, store=False, form=form))

    assert built is not None
    (of_base,) = manifest.layers
    below, own = built.images[0].manifest.layers
    assert (below, own.media_type) == (of_base, media_types.OCI_LAYER_ZSTD)
    assert workshop.blobs.size(of_base.digest) is None
    assert of_base.digest in workshop.registry.mounted
    assert of_base.digest not in workshop.registry.fetched


def test_an_epoch_that_is_missing_is_told(workshop: Bench) -> None:
    workshop.deliver(ImageOutput(form=ImageForm(rewrite_timestamp=True)))

    (warning,) = [e for e in workshop.progress.events if isinstance(e, VertexWarning)]
    assert "there is no source-date-epoch" in warning.message


def test_what_is_pushed_by_digest_gets_no_tag(workshop: Bench) -> None:
    name = ImageReference.parse("quay.io/team/app", default_tag=False)

    built = workshop.deliver(
        ImageOutput(names=(name,), push=True, push_by_digest=True, store=False)
    )

    assert built is not None
    by_digest = name.with_digest(built.target.digest)
    assert workshop.registry.resolve(by_digest).digest == built.target.digest
    with pytest.raises(RegistryError):
        workshop.registry.resolve(APP)


def test_a_failed_push_names_nothing_and_makes_the_build_fail(
    workshop: Bench, tmp_path: Path
) -> None:
    workshop.registry.lose("quay.io")

    with pytest.raises(RegistryError):
        workshop.deliver(
            ImageOutput(names=(APP,)), ImageOutput(names=(OTHER,), push=True, store=False)
        )

    assert names_here(workshop) == set()


def test_an_output_that_cannot_be_written_ends_it(workshop: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OutputNotWritten):
        workshop.deliver(
            FilesOutput(destination=str(tmp_path / "file/out")), ImageOutput(names=(APP,))
        )

    assert names_here(workshop) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_more_names_may_be_made_of_the_digest(workshop: Bench) -> None:
    def names(**fields: object) -> set[str]:
        built = workshop.deliver(ImageOutput(**fields))  # type: ignore[arg-type]
        assert built is not None
        found = names_here(workshop)
        for name in found:
            workshop.images.remove(ImageReference.parse(name))
        return {name.replace(str(built.target.digest), "DIGEST") for name in found}

    assert names(names=(APP,), name_canonical=True) == {
        "quay.io/team/app:latest",
        "quay.io/team/app:latest@DIGEST",
    }
    assert names(dangling_prefix="none") == {"docker.io/library/none@DIGEST"}
    assert names(names=(APP,), dangling_prefix="none") == {
        "quay.io/team/app:latest",
        "docker.io/library/none@DIGEST",
    }
    assert names(names=(APP,), dangling_prefix="none", dangling_empty_only=True) == {
        "quay.io/team/app:latest"
    }
    assert names(names=(APP,), store=False) == set()


def test_an_output_may_have_the_root_ready(workshop: Bench) -> None:
    workshop.deliver(ImageOutput())
    assert not workshop.snapshotter.workspaces

    workshop.deliver(ImageOutput(unpack=True))

    (made,) = workshop.snapshotter.workspaces.values()
    assert made.discarded


def test_without_an_image_there_is_nothing_to_tell(workshop: Bench, tmp_path: Path) -> None:
    assert workshop.deliver(FilesOutput(destination=str(tmp_path / "x"))) is None
    assert workshop.deliver(CacheOnly()) is None


def test_standard_output_gets_a_tar_file(workshop: Bench) -> None:
    workshop.deliver(FilesOutput(destination="-", tar=True))

    assert "dir/a" in members(workshop.printed.getvalue())


# forms


def test_only_new_layers_are_compressed_as_wished_unless_it_is_forced(workshop: Bench) -> None:
    def types(form: ImageForm) -> list[str]:
        built = workshop.deliver(ImageOutput(form=form))
        assert built is not None
        return [layer.media_type.rpartition("+")[2] for layer in built.images[0].manifest.layers]

    assert types(DEFAULT) == ["gzip", "gzip", "gzip"]
    assert types(ImageForm(compression=ZSTD)) == ["gzip", "zstd", "zstd"]
    assert types(ImageForm(compression=ZSTD, force_compression=True)) == ["zstd", "zstd", "zstd"]


def test_what_was_compressed_once_is_not_compressed_again(workshop: Bench) -> None:
    form = ImageForm(compression=ZSTD, force_compression=True)
    compressed = workshop.archive.recompressed

    first = workshop.deliver(ImageOutput(form=form))
    second = workshop.deliver(ImageOutput(form=form), ImageOutput(names=(APP,), form=form))

    assert first is not None and second is not None
    assert first.target == second.target
    assert len(compressed) == len(set(compressed)) == 3


def test_a_variant_that_was_lost_is_made_again(workshop: Bench) -> None:
    form = ImageForm(compression=ZSTD)
    first = workshop.deliver(ImageOutput(form=form))
    assert first is not None
    lost = first.images[0].manifest.layers[1]
    workshop.blobs.remove(lost.digest)

    second = workshop.deliver(ImageOutput(form=form))

    assert second is not None and second.target == first.target
    assert workshop.blobs.size(lost.digest) == lost.size


def test_the_config_is_the_same_in_every_compression(workshop: Bench) -> None:
    images = [
        workshop.deliver(ImageOutput(form=form)) for form in (DEFAULT, ImageForm(compression=ZSTD))
    ]

    configs = {image.images[0].manifest.config.digest for image in images if image}
    targets = {image.target.digest for image in images if image}
    assert (len(configs), len(targets)) == (1, 2)


def test_later_times_of_new_layers_are_cut_to_the_epoch(workshop: Bench) -> None:
    def times(form: ImageForm) -> dict[str, int]:
        built = workshop.deliver(ImageOutput(form=form))
        assert built is not None
        image = built.images[0]
        tree = workshop.container.trees().of(image.layers)
        found = {path: tree.get(path) for path in ("gone", "dir/a")}
        assert image.config.diff_ids == tuple(layer.diff_id for layer in image.layers)
        return {path: entry.mtime // 10**9 for path, entry in found.items() if entry}

    as_built = times(DEFAULT)

    rewritten = times(ImageForm(rewrite_timestamp=True, epoch=-1))
    assert rewritten == {"gone": as_built["gone"], "dir/a": -1}
    assert times(ImageForm(rewrite_timestamp=True, epoch=as_built["dir/a"])) == as_built
    assert times(ImageForm(epoch=-1)) == as_built
    assert times(ImageForm(rewrite_timestamp=True)) == as_built


def test_an_epoch_of_the_output_dates_the_image(workshop: Bench) -> None:
    built = workshop.deliver(ImageOutput(form=ImageForm(epoch=1)), request=a_request(epoch=5))

    assert built is not None
    assert built.images[0].config.created == "1970-01-01T00:00:01Z"


def test_documents_may_be_of_dockers_types(workshop: Bench) -> None:
    built = workshop.deliver(
        ImageOutput(form=ImageForm(oci_types=False)), platforms=[HERE, ELSEWHERE]
    )

    assert built is not None
    assert built.target.media_type == media_types.DOCKER_MANIFEST_LIST
    manifest = built.images[0].manifest
    assert manifest.media_type == built.images[0].target.media_type == media_types.DOCKER_MANIFEST
    assert manifest.config.media_type == media_types.DOCKER_CONFIG
    assert {layer.media_type for layer in manifest.layers} == {media_types.DOCKER_LAYER_GZIP}
    assert decode_manifest(workshop.catalog.read(built.images[0].target)) == manifest


def test_annotations_stand_where_they_belong(workshop: Bench) -> None:
    places = [
        Annotation(key=place.value, value="v", place=place, platform=None)
        for place in AnnotationPlace
    ]
    own = Annotation(key="own", value="x", platform=ELSEWHERE)
    form = ImageForm(annotations=(*places, own))
    workshop.publish("base", {"x": b"1"}, platforms=[HERE, ELSEWHERE])

    built = workshop.deliver(ImageOutput(form=form), platforms=[HERE, ELSEWHERE])

    assert built is not None
    index = decode_index(workshop.catalog.read(built.target))
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
    workshop: Bench, annotation: Annotation, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        workshop.deliver(ImageOutput(names=(APP,), form=ImageForm(annotations=(annotation,))))

    assert names_here(workshop) == set()


# several platforms


@pytest.fixture
def platforms(workshop: Bench) -> Bench:
    workshop.contexts.text = "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\nCOPY b /dir/b\n"
    return workshop


def test_each_platform_has_a_folder(platforms: Bench, tmp_path: Path) -> None:
    here, elsewhere = (str(each).replace("/", "_") for each in (HERE, ELSEWHERE))

    platforms.deliver(
        FilesOutput(destination=str(tmp_path / "out")),
        FilesOutput(destination="-", tar=True),
        platforms=[HERE, ELSEWHERE],
    )

    for name, platform in ((here, HERE), (elsewhere, ELSEWHERE)):
        assert (tmp_path / "out" / name / platform.architecture).read_bytes() == b"1"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([here, elsewhere])
    assert set(members(platforms.printed.getvalue())) == {
        f"{folder}{path}"
        for folder, platform in ((here, HERE), (elsewhere, ELSEWHERE))
        for path in ("", f"/{platform.architecture}", "/dir", "/dir/b")
    }


def test_one_platform_has_a_folder_if_it_is_asked_for(platforms: Bench, tmp_path: Path) -> None:
    platforms.deliver(FilesOutput(destination=str(tmp_path), platform_split=True))

    assert [path.name for path in tmp_path.iterdir()] == [str(HERE).replace("/", "_")]


def test_platforms_may_share_a_place_if_no_file_is_in_both(
    platforms: Bench, tmp_path: Path
) -> None:
    together = FilesOutput(destination=str(tmp_path / "out"), platform_split=False)
    with pytest.raises(FilesOverlap, match="cannot overwrite dir/b from linux/"):
        platforms.deliver(together, platforms=[HERE, ELSEWHERE])
    assert not (tmp_path / "out").exists()

    platforms.contexts.text = "FROM scratch\nARG TARGETARCH\nCOPY a /dir/$TARGETARCH\n"
    platforms.deliver(
        together,
        FilesOutput(destination="-", tar=True, platform_split=False),
        platforms=[HERE, ELSEWHERE],
    )

    names = {HERE.architecture, ELSEWHERE.architecture}
    assert {path.name for path in (tmp_path / "out/dir").iterdir()} == names
    assert set(members(platforms.printed.getvalue())) == {"dir", *(f"dir/{n}" for n in names)}


def test_a_docker_archive_holds_one_platform(platforms: Bench, tmp_path: Path) -> None:
    with pytest.raises(IndexNotWanted, match="does not currently support exporting manifest lists"):
        platforms.deliver(
            ArchiveOutput(format="docker", destination=str(tmp_path / "x")),
            platforms=[HERE, ELSEWHERE],
        )

    assert list(tmp_path.iterdir()) == []


def test_files_have_the_time_of_the_epoch(workshop: Bench, tmp_path: Path) -> None:
    workshop.deliver(
        FilesOutput(destination=str(tmp_path / "own"), epoch=7),
        FilesOutput(destination="-", tar=True),
        request=a_request(epoch=9),
    )

    assert (tmp_path / "own/dir/of-base").stat().st_mtime == 7
    assert {member.mtime for member in members(workshop.printed.getvalue()).values()} == {9}

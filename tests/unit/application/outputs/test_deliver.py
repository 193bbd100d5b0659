"""Outputs of a build, and their places."""

import json
import tarfile
from pathlib import Path

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.application.ports.output_files import OutputNotWritten
from img.application.ports.registry import RegistryError
from img.application.solver.steps.execute import ProcessFailed
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.outputs import (
    ArchiveOutput,
    CacheOnly,
    FilesOutput,
    ImageForm,
    ImageOutput,
)
from img.domain.progress import VertexWarning
from img.domain.reference import ImageReference
from tests.unit.application.outputs.bench import (
    APP,
    FILES,
    OTHER,
    ZSTD,
    Bench,
    exported,
    members,
    names_here,
)


def test_all_outputs_are_made_of_one_build(app: Bench, tmp_path: Path) -> None:
    built = app.deliver(
        FilesOutput(destination=str(tmp_path / "files")),
        FilesOutput(destination=str(tmp_path / "files.tar"), tar=True),
        ArchiveOutput(format="oci", destination=str(tmp_path / "oci.tar")),
        ArchiveOutput(format="oci", destination=str(tmp_path / "layout"), tar=False),
        ArchiveOutput(format="docker", destination=str(tmp_path / "docker.tar"), names=(APP,)),
        ImageOutput(names=(APP,)),
        CacheOnly(),
    )

    assert built is not None
    assert app.images.get(APP).target == built.target
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
    assert app.done.count("exporting to image") == 1
    assert app.steps_done == []
    assert exported(app) == [
        "exporting to client directory",
        "exporting to client tarball",
        "exporting to oci image format",
        "exporting to oci image format",
        "exporting to docker image format",
        "exporting to image",
        "exporting to cache only",
    ]


def test_nothing_is_made_of_a_build_that_fails(app: Bench, tmp_path: Path) -> None:
    app.contexts.text = "FROM base\nRUN make\n"
    app.statuses["make"] = 1

    with pytest.raises(ProcessFailed):
        app.deliver(FilesOutput(destination=str(tmp_path / "out")), ImageOutput(names=(APP,)))

    assert list(tmp_path.iterdir()) == []
    assert names_here(app) == set()


def test_what_is_pushed_only_has_no_name_here(app: Bench) -> None:
    built = app.deliver(ImageOutput(names=(APP, OTHER), push=True, store=False))

    assert built is not None and built.names == (APP, OTHER)
    assert app.registry.resolve(APP).digest == built.target.digest
    assert app.registry.resolve(OTHER).digest == built.target.digest
    assert names_here(app) == set()
    assert exported(app) == [
        "exporting to image",
        "push quay.io/team/app:latest",
        "push quay.io/team/other:latest",
    ]


def test_a_base_that_goes_back_to_its_registry_is_not_fetched() -> None:
    app = Bench()
    base = app.publish("quay.io/team/base", {"of-base": b"3"})
    manifest = decode_manifest(app.registry.manifest(base, app.registry.resolve(base)))
    app.contexts.text = f"FROM {base}\nCOPY --link a /x/\n"
    app.contexts.context = MemoryContext(FILES)
    form = ImageForm(compression=ZSTD)

    built = app.deliver(ImageOutput(names=(APP,), push=True, store=False, form=form))

    assert built is not None
    (of_base,) = manifest.layers
    below, own = built.images[0].manifest.layers
    assert (below, own.media_type) == (of_base, media_types.OCI_LAYER_ZSTD)
    assert app.blobs.size(of_base.digest) is None
    assert of_base.digest in app.registry.mounted
    assert of_base.digest not in app.registry.fetched


def test_an_epoch_that_is_missing_is_told(app: Bench) -> None:
    app.deliver(ImageOutput(form=ImageForm(rewrite_timestamp=True)))

    (warning,) = [e for e in app.progress.events if isinstance(e, VertexWarning)]
    assert "there is no source-date-epoch" in warning.message


def test_what_is_pushed_by_digest_gets_no_tag(app: Bench) -> None:
    name = ImageReference.parse("quay.io/team/app", default_tag=False)

    built = app.deliver(ImageOutput(names=(name,), push=True, push_by_digest=True, store=False))

    assert built is not None
    by_digest = name.with_digest(built.target.digest)
    assert app.registry.resolve(by_digest).digest == built.target.digest
    with pytest.raises(RegistryError):
        app.registry.resolve(APP)


def test_a_failed_push_names_nothing_and_makes_the_build_fail(app: Bench, tmp_path: Path) -> None:
    app.registry.lose("quay.io")

    with pytest.raises(RegistryError):
        app.deliver(ImageOutput(names=(APP,)), ImageOutput(names=(OTHER,), push=True, store=False))

    assert names_here(app) == set()


def test_an_output_that_cannot_be_written_ends_it(app: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OutputNotWritten):
        app.deliver(FilesOutput(destination=str(tmp_path / "file/out")), ImageOutput(names=(APP,)))

    assert names_here(app) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_more_names_may_be_made_of_the_digest(app: Bench) -> None:
    def names(**fields: object) -> set[str]:
        built = app.deliver(ImageOutput(**fields))  # type: ignore[arg-type]
        assert built is not None
        found = names_here(app)
        for name in found:
            app.images.remove(ImageReference.parse(name))
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


def test_an_output_may_have_the_root_ready(app: Bench) -> None:
    app.deliver(ImageOutput())
    assert not app.snapshotter.workspaces

    app.deliver(ImageOutput(unpack=True))

    (made,) = app.snapshotter.workspaces.values()
    assert made.discarded


def test_without_an_image_there_is_nothing_to_tell(app: Bench, tmp_path: Path) -> None:
    assert app.deliver(FilesOutput(destination=str(tmp_path / "x"))) is None
    assert app.deliver(CacheOnly()) is None


def test_standard_output_gets_a_tar_file(app: Bench) -> None:
    app.deliver(FilesOutput(destination="-", tar=True))

    assert "dir/a" in members(app.printed.getvalue())

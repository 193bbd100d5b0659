"""The result of a build for several platforms."""

from pathlib import Path

import pytest

from img.application.outputs.files import FilesOverlap
from img.application.outputs.images import IndexNotWanted
from img.domain.errors import UsageError
from img.domain.oci.codec import decode_index
from img.domain.oci.media_types import OCI_INDEX
from img.domain.outputs import (
    ArchiveOutput,
    FilesOutput,
    ImageOutput,
)
from tests.support.in_memory_app import ELSEWHERE, HERE, a_request
from tests.unit.application.outputs.bench import Bench, members


@pytest.fixture
def platforms(app: Bench) -> Bench:
    app.contexts.text = "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\nCOPY b /dir/b\n"
    return app


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


def test_one_platform_may_be_asked_for_as_several_are(platforms: Bench, tmp_path: Path) -> None:
    request = a_request(build_args={"BUILDKIT_MULTI_PLATFORM": "1"})

    built = platforms.deliver(
        FilesOutput(destination=str(tmp_path)), ImageOutput(), request=request
    )

    assert [path.name for path in tmp_path.iterdir()] == [str(HERE).replace("/", "_")]
    assert built is not None
    assert built.target.media_type == OCI_INDEX
    (image,) = decode_index(platforms.blobs.open(built.target.digest).read()).manifests
    assert image.platform == HERE
    with pytest.raises(IndexNotWanted):
        platforms.deliver(ArchiveOutput(format="docker", destination="-"), request=request)


@pytest.mark.parametrize(
    ("text", "message"), [("maybe", "invalid boolean value"), ("0", "not possible for several")]
)
def test_what_is_said_of_several_platforms_has_to_fit(
    platforms: Bench, text: str, message: str
) -> None:
    request = a_request(build_args={"BUILDKIT_MULTI_PLATFORM": text})
    with pytest.raises(UsageError, match=message):
        platforms.deliver(ImageOutput(), platforms=[HERE, ELSEWHERE], request=request)


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


def test_files_have_the_time_of_the_epoch(app: Bench, tmp_path: Path) -> None:
    app.deliver(
        FilesOutput(destination=str(tmp_path / "own"), epoch=7),
        FilesOutput(destination="-", tar=True),
        request=a_request(build_args={"SOURCE_DATE_EPOCH": "9"}),
    )

    assert (tmp_path / "own/dir/of-base").stat().st_mtime == 7
    assert {member.mtime for member in members(app.printed.getvalue()).values()} == {9}

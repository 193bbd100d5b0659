"""The files of an image as a file system in one file."""

from pathlib import Path

import pytest

from img.domain.errors import UsageError
from img.domain.outputs import DiskImageOutput
from img.domain.platform import Platform
from tests.contracts.test_disk_image import listed, squashfs_in
from tests.unit.application.outputs.bench import Bench, exported


def test_a_squashfs_has_the_files_of_all_layers(app: Bench, tmp_path: Path) -> None:
    place = tmp_path / "app.squashfs"

    assert app.deliver(DiskImageOutput(format="squashfs", destination=str(place))) is None

    assert sorted(listed(tmp_path, place.read_bytes())) == [
        "dir",
        "dir/a",
        "dir/b",
        "dir/of-base",
        "gone",
    ]
    assert exported(app) == ["exporting to squashfs"]


def test_a_sif_has_what_apptainer_needs_and_none_of_the_images_own_files(
    app: Bench, tmp_path: Path
) -> None:
    app.contexts.text = "FROM base\nCOPY a /.singularity.d/evil\nCOPY a /etc/hosts\n"
    places = [tmp_path / "1.sif", tmp_path / "2.sif"]

    for place in places:
        app.deliver(DiskImageOutput(format="sif", destination=str(place), epoch=1))

    files = listed(tmp_path, places[0].read_bytes())
    assert [path for path in sorted(files) if path.startswith(".singularity.d/")] == [
        ".singularity.d/env",
        ".singularity.d/env/10-docker2singularity.sh",
        ".singularity.d/labels.json",
        ".singularity.d/runscript",
    ]
    assert files["etc/hosts"][2] == "1" and files["etc/resolv.conf"][2] == "0"
    assert {"dev", "proc", "sys", "tmp", "var/tmp", "dir/of-base"} <= files.keys()
    assert places[0].read_bytes() == places[1].read_bytes()


def test_a_sif_has_no_places_below_a_file(app: Bench, tmp_path: Path) -> None:
    app.contexts.text = "FROM scratch\nCOPY a /etc\n"
    place = tmp_path / "1.sif"

    app.deliver(DiskImageOutput(format="sif", destination=str(place)))

    content = squashfs_in(place.read_bytes())
    assert int.from_bytes(content[4:8], "little") == len(listed(tmp_path, content)) + 1  # inodes


def test_a_disk_image_holds_one_platform(app: Bench, tmp_path: Path) -> None:
    platforms = (Platform("linux", "amd64"), Platform("linux", "arm64"))
    app.contexts.text = "FROM scratch\nCOPY a /a\n"

    with pytest.raises(UsageError, match="one platform"):
        app.deliver(
            DiskImageOutput(format="sif", destination=str(tmp_path / "x")), platforms=platforms
        )
    assert not (tmp_path / "x").exists()

"""Layers first: without a RUN nothing is unpacked."""

from pathlib import Path

from tests.support.host.img_command import Img, WriteContext
from tests.support.images.written_images import read_archive


def unpacked(state: Path) -> list[Path]:
    """Return the names in directories of unpacked layers and of snapshots."""
    return [
        path
        for path in (state / "snapshots").rglob("*")
        if path.name != "refused.json"  # it says what the machine allows
        and (path.is_file() or path.is_symlink() or "layers" in path.parent.parts)
    ]


def test_from_and_copy_and_cmd_unpack_nothing_and_make_no_snapshot(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    context = write_context(
        f'FROM {busybox}\nCOPY --chown=www-data app /srv/app\nWORKDIR /srv\nCMD ["/srv/app"]\n',
        {"app": "hello"},
    )

    img("build", "-t", "app", context)

    assert unpacked(img.state) == []
    image = read_archive(img("save", "--format", "oci", "app").output)
    assert [layer["/srv/app"].uid for layer in image.layers if "/srv/app" in layer] == [33]


def test_a_run_after_all_does_unpack_the_base(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    img("build", "-t", "app", write_context(f"FROM {busybox}\nRUN true\n"))

    assert unpacked(img.state)

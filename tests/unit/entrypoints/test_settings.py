"""Settings from flags and environment."""

import os
import pwd
from pathlib import Path

import pytest

from img.domain.errors import UsageError
from img.entrypoints.default_state import default_state
from img.entrypoints.settings import host_platform, shared_stores, snapshotter_of
from img.entrypoints.shared_stores import shared_stores_in
from tests.support.host.machine import need_root


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({"IMG_STATE": "/a", "XDG_DATA_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_DATA_HOME": "/b", "HOME": "/c"}, "/b/img"),
        ({"XDG_DATA_HOME": "/b:/bb", "HOME": "/c"}, "/b/img"),
        ({"HOME": "/c"}, "/c/.local/share/img"),
        ({"IMG_STATE": "", "XDG_DATA_HOME": "", "HOME": "/c"}, "/c/.local/share/img"),
        ({}, f"/tmp/img-{os.geteuid()}"),
    ],
)
def test_the_state_is_where_the_first_of_these_says(
    environment: dict[str, str], state: str
) -> None:
    assert default_state(environment) == state


@pytest.mark.parametrize(
    ("backend", "snapshotter"),
    [
        ("auto", "auto"),
        ("naive", "naive"),
        ("native", "naive"),
        ("overlay", "overlay"),
        ("overlayfs", "overlay"),
        ("fuse", "fuse"),
        ("fuse-overlayfs", "fuse"),
        ("of-another-package", "of-another-package"),
    ],
)
def test_a_backend_means_a_snapshotter(backend: str, snapshotter: str) -> None:
    assert snapshotter_of(backend) == snapshotter


def test_this_machine_is_named_as_images_name_machines() -> None:
    platform = host_platform()

    assert platform.os == "linux"
    assert platform == platform.normalized()
    if os.uname().machine == "x86_64":
        assert platform.architecture == "amd64"


def test_the_home_of_another_user_is_not_used(tmp_path: Path) -> None:
    need_root()
    os.chown(tmp_path, 64998, 64998)

    state = default_state({"HOME": str(tmp_path)})

    assert Path(state) == Path(pwd.getpwuid(0).pw_dir, ".local/share/img")


def test_a_shared_store_is_a_layout_a_state_with_one_or_a_directory_of_blobs(
    tmp_path: Path,
) -> None:
    for place in ("state/layout/blobs", "state/blobs", "layout/blobs", "empty"):
        (tmp_path / place).mkdir(parents=True)
    texts = [f"{tmp_path}/state", f"{tmp_path}/layout"]

    assert shared_stores(texts, "files") == (tmp_path / "state/layout", tmp_path / "layout")
    with pytest.raises(UsageError, match="empty: no OCI layout"):
        shared_stores([f"{tmp_path}/empty"], "files")
    with pytest.raises(UsageError, match="the store s3"):
        shared_stores(texts, "s3")


@pytest.mark.parametrize("place", ["a" * 300, "9" * 5000, "a\0b"])
def test_a_shared_store_that_no_file_can_be_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="no OCI layout"):
        shared_stores([place], "files")


def test_the_last_settings_file_that_names_shared_stores_counts(tmp_path: Path) -> None:
    texts = ('shared-stores = ["/a"]', 'shared-stores = ["/b", "/c"]', "[policy]\npinned = true")
    files = []
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_text(text)
        files.append(f"{tmp_path}/{number}")

    assert shared_stores_in(files) == ["/b", "/c"]
    assert shared_stores_in(files[2:]) == []


@pytest.mark.parametrize(
    "content",
    [b'shared-stores = "/a"', b"shared-stores = [1]", b'shared-stores = [""]', b"\xff", b"["],
)
def test_settings_that_make_no_sense_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(UsageError, match="file: "):
        shared_stores_in([f"{tmp_path}/file"])

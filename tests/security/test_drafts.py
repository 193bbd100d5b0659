"""Links that have the names of img's own drafts lead it nowhere: faults of issue 10, finding 2b."""

import os
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor

pytestmark = pytest.mark.userns

_DRAFT = ".img-draft-0123456789abcdef"


@pytest.fixture(params=["root", "user"])
def img(request: pytest.FixtureRequest, img_for: ImgFor) -> Img:
    return img_for(request.param)


@pytest.fixture
def victim(img: Img) -> Path:
    """Return a directory of the user's beside the context and the output."""
    victim = img.home / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep/file").write_text("precious")
    return victim


def untouched(victim: Path) -> bool:
    return (victim / "deep/file").read_text() == "precious"


def context_of(img: Img, dockerfile: str) -> Path:
    context = img.home / "repository"
    context.mkdir()
    (context / "Dockerfile").write_text(dockerfile)
    (context / "file").write_text("x")
    return context


@pytest.mark.parametrize("name", [_DRAFT, f"out/{_DRAFT}"])
@pytest.mark.parametrize("target", ["directory", "file"])
def test_a_context_with_the_link_of_a_draft_deletes_nothing(
    img: Img, victim: Path, name: str, target: str
) -> None:
    context = context_of(img, "FROM scratch\nCOPY file /\n")
    (context / name).parent.mkdir(exist_ok=True)
    (context / name).symlink_to(victim if target == "directory" else victim / "deep/file")
    own(img, context)

    for _ in range(2):
        img("build", "-o", "out", ".", cwd=context)

    assert untouched(victim)
    assert (context / "out/file").exists()


def test_an_image_that_holds_the_link_of_a_draft_deletes_nothing(img: Img, victim: Path) -> None:
    context = context_of(img, "FROM scratch\nCOPY file links /\n")
    (context / "links").mkdir()
    for name in (_DRAFT, ".img-tmp", ".img-trash"):
        (context / "links" / name).symlink_to(victim)
    own(img, context)

    for _ in range(2):
        img("build", "-o", "out", ".", cwd=context)
        img("build", "-o", "type=oci,tar=false,dest=out", ".", cwd=context)
        img("build", "-q", "-t", "app", ".", cwd=context)
        img("unpack", "-o", "unpacked", "app", cwd=context)
        unpacked = context / "unpacked"
        unpacked.rename(context / f"unpacked-{len(list(context.iterdir()))}")

    assert untouched(victim)
    assert (context / f"out/{_DRAFT}").is_symlink()


def test_a_cache_in_a_context_is_written_through_no_link(img: Img, victim: Path) -> None:
    context = context_of(img, "FROM scratch\nCOPY file /\n")
    blob = victim / "sha256" / ("0" * 64)
    blob.parent.mkdir()
    blob.write_text("of the user's own store")
    (context / "cache").mkdir()
    (context / "cache/blobs").symlink_to(victim)
    own(img, context)

    # A cache that cannot be written may end a build or not: nothing outside is changed.
    process = img.start("build", "--cache-to", "type=local,dest=cache", "-t", "a", ".", cwd=context)
    process.communicate(timeout=60)

    assert untouched(victim)
    assert [path.name for path in blob.parent.iterdir()] == [blob.name]


def own(img: Img, directory: Path) -> None:
    """Give all that the test has made to the user who runs img."""
    for path in (directory.parent, *directory.parent.rglob("*")):
        os.lchown(path, img.account.uid, img.account.gid)

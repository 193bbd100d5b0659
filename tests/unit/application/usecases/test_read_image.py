"""Files of an image in the store, without unpacking."""

import pytest

from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.usecases.read_image import OpenedImage, ReadImage
from img.domain.digest import Digest
from img.domain.filesystem.absent import FileNotInImage, NotAFile
from img.domain.filesystem.entry import FILE, SYMLINK, Entry
from img.domain.filesystem.tree import TooManyLinks
from img.domain.image_name import ImageName
from img.domain.oci.codec import decode_config
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.in_memory_app import HERE, InMemoryApp

APP = ImageName.of(ImageReference.parse("app"))
BIG = b"0123456789abcdef" * 40_000  # larger than a chunk


def make(root: MemoryWorkspace) -> None:
    root.put(Entry("bin", SYMLINK, 0o777, link="usr/bin"))
    root.put(Entry("usr/bin/tool", FILE, 0o755))
    root.put(Entry("etc/here", SYMLINK, 0o777, link="../dir/a"))
    root.put(Entry("etc/out", SYMLINK, 0o777, link="../../../../dir/a"))
    root.put(Entry("etc/loop", SYMLINK, 0o777, link="loop"))
    root.put(Entry("etc/dangling", SYMLINK, 0o777, link="nowhere"))


@pytest.fixture
def in_memory() -> InMemoryApp:
    made = InMemoryApp()
    made.commands["make"] = make
    made.build(
        "FROM scratch\nCOPY a big empty /dir/\nRUN make\n", {"a": b"1", "big": BIG, "empty": b""}
    )
    return made


@pytest.fixture
def read(in_memory: InMemoryApp) -> ReadImage:
    made: ReadImage = in_memory.container.images.read_image()
    return made


@pytest.fixture
def app(read: ReadImage) -> OpenedImage:
    return read.named(APP, HERE)


def content(read: ReadImage, app: OpenedImage, path: str) -> bytes:
    return b"".join(read.content(app, path))


def test_an_image_is_opened_by_name_and_by_its_digest(read: ReadImage, app: OpenedImage) -> None:
    again = read.at(app.target, HERE)

    assert [str(name) for name in app.references] == ["docker.io/library/app:latest"]
    assert again.references == ()
    assert (again.image, again.id, again.config) == (app.image, app.id, app.config)
    assert decode_config(app.config) == app.image.config
    assert Digest.of(app.manifest) == app.image.target.digest


def test_what_the_store_lacks_is_not_found(read: ReadImage) -> None:
    with pytest.raises(ImageNotFound):
        read.named(ImageName.parse("other"), HERE)
    gone = Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json", digest=Digest.of(b"x"), size=1
    )
    with pytest.raises(BlobNotFound):
        read.at(gone, HERE)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/dir/a", b"1"),
        ("dir//./a", b"1"),
        ("/dir/big", BIG),
        ("/dir/empty", b""),
        ("/etc/here", b"1"),
        ("/etc/out", b"1"),  # not out of the image
    ],
)
def test_the_content_of_files_is_read(
    read: ReadImage, app: OpenedImage, path: str, data: bytes
) -> None:
    assert content(read, app, path) == data


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nowhere", FileNotInImage),
        ("/dir/a/b", FileNotInImage),
        ("/etc/dangling", FileNotInImage),
        ("/dir", NotAFile),
        ("", NotAFile),
        ("/etc/loop", TooManyLinks),
    ],
)
def test_other_paths_have_no_content(
    read: ReadImage, app: OpenedImage, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        content(read, app, path)


def test_links_are_followed_in_parents_and_at_the_end_if_asked(
    read: ReadImage, app: OpenedImage
) -> None:
    assert read.entry(app, "/bin/tool", follow=False).path == "usr/bin/tool"
    assert read.entry(app, "/bin", follow=False).kind == SYMLINK
    assert read.entry(app, "/bin", follow=True).path == "usr/bin"
    assert read.entry(app, "/", follow=False).path == ""


def test_patterns_are_matched_against_the_merged_tree(read: ReadImage, app: OpenedImage) -> None:
    assert [entry.path for entry in read.glob(app, "**/t*")] == ["usr/bin/tool"]
    assert read.glob(app, "bin/*") == []

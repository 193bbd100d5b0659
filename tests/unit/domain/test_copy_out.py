"""Sources and destinations of ``img cp``."""

import pytest

from img.domain.copy_out import CopySource, Destination, Placing, placing_of
from img.domain.errors import UsageError


@pytest.mark.parametrize(
    ("text", "owner", "path"),
    [
        ("^1:3:/etc/passwd", "^1:3", "/etc/passwd"),
        (":RUN make:/out", ":RUN make", "/out"),
        ("::/out", ":", "/out"),
        ("localhost:5000/app:v1:/a:b", "localhost:5000/app:v1", "/a:b"),
        ("app:/a:/b", "app", "/a:/b"),
    ],
)
def test_a_source_is_a_step_or_image_and_a_path(text: str, owner: str, path: str) -> None:
    assert CopySource.parse(text) == CopySource(owner=owner, path=path)


@pytest.mark.parametrize("text", ["app", "/etc/passwd", ":/etc/passwd", "app:etc", ""])
def test_other_texts_are_no_sources(text: str) -> None:
    with pytest.raises(UsageError, match="names no file of a step or image"):
        CopySource.parse(text)


@pytest.mark.parametrize(
    ("path", "kind", "directory", "name"),
    [
        ("/a/b", "directory", "/x/y", "b"),
        ("/a/b/", "directory", "/x/y", "b"),
        ("/a/b/.", "directory", "/x/y", ""),
        ("/", "directory", "/x/y", ""),
        ("/a/../..", "directory", "/x/y", ""),
        ("/a/b", "missing", "/x", "y"),
        ("/a/b/.", "missing", "/x", "y"),
        ("/", "missing", "/x", "y"),
    ],
)
def test_directories_go_into_those_that_exist(
    path: str, kind: str, directory: str, name: str
) -> None:
    source = CopySource(owner="app", path=path)
    destination = Destination(path="/x/y", kind=kind)  # type: ignore[arg-type]

    assert placing_of(source, destination, is_directory=True) == Placing(directory, name)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("directory", Placing("/y", "b")),
        ("file", Placing("/", "y")),
        ("missing", Placing("/", "y")),
    ],
)
def test_files_go_into_directories_and_replace_files(kind: str, place: Placing) -> None:
    source = CopySource(owner="app", path="/a/b")
    destination = Destination(path="/y", kind=kind)  # type: ignore[arg-type]

    assert placing_of(source, destination, is_directory=False) == place


@pytest.mark.parametrize(
    ("kind", "typed_as_directory", "is_directory", "message"),
    [
        ("file", False, True, "/y is not a directory"),
        ("file", True, False, "/y is not a directory"),
        ("missing", True, False, "there is no directory /y"),
    ],
)
def test_what_does_not_fit_is_refused(
    kind: str, typed_as_directory: bool, is_directory: bool, message: str
) -> None:
    destination = Destination(
        path="/y",
        kind=kind,  # type: ignore[arg-type]
        has_to_be_directory=typed_as_directory,
    )

    with pytest.raises(UsageError, match=message):
        placing_of(CopySource(owner="app", path="/a"), destination, is_directory=is_directory)


def test_a_copy_is_no_whiteout() -> None:
    destination = Destination(path="/x/.wh.y", kind="missing")

    with pytest.raises(UsageError, match=r"^\.wh\.y is no name for a copy"):
        placing_of(CopySource(owner="app", path="/a"), destination, is_directory=False)

"""Values of --volume."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.volumes import VolumeSpec, parse_volumes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv:/data", VolumeSpec("/srv", "/data")),
        ("../srv:/data/", VolumeSpec("../srv", "/data")),
        ("/srv:/data:ro", VolumeSpec("/srv", "/data", read_only=True)),
        ("/srv:/data:rw,z", VolumeSpec("/srv", "/data")),
        ("/srv:/a/./b:Z,ro,nosuid", VolumeSpec("/srv", "/a/b", read_only=True)),
    ],
)
def test_a_volume_is_a_source_a_target_and_rights(text: str, expected: VolumeSpec) -> None:
    assert VolumeSpec.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "/srv", ":/data", "/srv:data", "/srv:/", "/srv:/a/..", "/srv:/d:O", "/srv:/d:ro,rw"),
        *("/srv:/proc", "/srv:/a/../proc/sys:ro"),
    ],
)
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        VolumeSpec.parse(text)

    assert text in caught.value.message


def test_a_target_has_one_volume() -> None:
    assert parse_volumes(["/a:/x", "/a:/y", "/a:/x/"]) == (
        VolumeSpec("/a", "/x"),
        VolumeSpec("/a", "/y"),
    )
    with pytest.raises(UsageError, match="/x is the target of another volume"):
        parse_volumes(["/a:/x", "/a:/x:ro"])

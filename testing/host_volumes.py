"""Contract suite of volumes."""

import pytest

from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.options.volumes import VolumeSpec


class HostVolumesContract:
    """Promises of every HostVolumes.

    Fixtures: ``volumes``, and ``source``, the path of a directory that it has. No part of the path
    is a link, and the directory has nothing of the name "missing".
    """

    def test_a_volume_is_what_the_user_names(self, volumes: HostVolumes, source: str) -> None:
        for read_only in (True, False):
            found = volumes.find(VolumeSpec(source, "/data", read_only))

            assert (found.source, found.target) == (source, "/data")
            assert found.read_only is read_only

    def test_only_a_volume_that_steps_can_only_read_has_a_state(
        self, volumes: HostVolumes, source: str
    ) -> None:
        reading = VolumeSpec(source, "/data", read_only=True)

        state = volumes.find(reading).state

        assert state
        assert volumes.find(reading).state == state
        assert volumes.find(VolumeSpec(source, "/data")).state == ""

    def test_a_volume_found_again_is_the_same_file(self, volumes: HostVolumes, source: str) -> None:
        one, other = (volumes.find(VolumeSpec(source, "/data")) for _ in range(2))

        assert (one.device, one.inode) == (other.device, other.inode)

    def test_a_source_that_is_missing_is_named(self, volumes: HostVolumes, source: str) -> None:
        with pytest.raises(VolumeNotFound) as caught:
            volumes.find(VolumeSpec(f"{source}/missing", "/data"))

        assert f"{source}/missing: No such file or directory" in caught.value.message

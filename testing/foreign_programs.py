"""Contract suite of checks for programs of other platforms."""

import pytest

from img.application.ports.foreign_programs import ForeignPrograms
from img.domain.platform import Platform


class ForeignProgramsContract:
    """Promises of every ForeignPrograms.

    Fixtures: ``programs``, on a machine of linux/amd64 that runs programs of linux/arm64 as well.
    """

    @pytest.mark.parametrize("architecture", ["amd64", "arm64"])
    def test_programs_that_the_kernel_starts_run(
        self, programs: ForeignPrograms, architecture: str
    ) -> None:
        assert programs.run(Platform("linux", architecture))

    @pytest.mark.parametrize(
        "platform", [Platform("linux", "s390x"), Platform("windows", "amd64")], ids=str
    )
    def test_programs_of_other_platforms_do_not_run(
        self, programs: ForeignPrograms, platform: Platform
    ) -> None:
        assert not programs.run(platform)

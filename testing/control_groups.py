"""Contract suite of control groups."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from img.application.ports.control_groups import ControlGroups


class ControlGroupsContract:
    """Promises of every ControlGroups.

    Fixtures: ``groups``, with limits that this machine can hold.
    """

    def test_limits_that_can_be_held_fall_short_of_nothing(self, groups: ControlGroups) -> None:
        assert not groups.shortcomings()

    def test_a_group_is_gone_in_the_end(self, groups: ControlGroups) -> None:
        with groups.group() as group:
            made = group.directories
            assert all(Path(directory).is_dir() for directory in made)

        assert not any(Path(directory).exists() for directory in made)

    def test_what_used_no_memory_was_not_killed_for_it(self, groups: ControlGroups) -> None:
        with groups.group() as group:
            assert not group.ran_out_of_memory()

    def test_many_threads_have_groups_of_their_own(self, groups: ControlGroups) -> None:
        with ExitStack() as held, ThreadPoolExecutor(8) as pool:
            made = pool.map(lambda _: held.enter_context(groups.group()).directories, range(20))
            names = [directory for directories in made for directory in directories]

        assert len(names) == len(set(names))

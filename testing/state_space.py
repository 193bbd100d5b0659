"""Contract suite of the space that a state takes."""

from img.application.ports.state_space import StateSpace


class StateSpaceContract:
    """Promises of every StateSpace.

    Fixtures: ``space``, with two leftovers, changed 100 and 200 seconds after 1970.
    """

    def test_less_is_free_than_there_is(self, space: StateSpace) -> None:
        assert 0 <= space.free() <= space.capacity()
        assert space.total() >= 0

    def test_all_leftovers_are_found_and_say_what_they_are(self, space: StateSpace) -> None:
        found = space.leftovers(before=None)

        assert sorted(leftover.changed for leftover in found) == [100, 200]
        assert len({leftover.id for leftover in found}) == 2
        assert all(leftover.description and leftover.size >= 0 for leftover in found)

    def test_leftovers_that_changed_since_a_time_are_not_listed(self, space: StateSpace) -> None:
        assert [leftover.changed for leftover in space.leftovers(before=150)] == [100]
        assert list(space.leftovers(before=50)) == []

    def test_a_leftover_is_removed_alone_and_may_be_removed_again(self, space: StateSpace) -> None:
        (old,) = space.leftovers(before=150)

        space.remove(old)
        space.remove(old)

        assert [leftover.changed for leftover in space.leftovers(before=None)] == [200]

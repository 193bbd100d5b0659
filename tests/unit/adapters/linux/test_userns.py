from img.adapters.linux.userns import (
    IdRange,
    NoIdMappers,
    NoSubordinateIds,
    RealUser,
    map_arguments,
    ranges_in,
)

ALICE = RealUser(name="alice", uid=1000, gid=1000)


def test_all_lines_of_a_user_count_by_name_and_by_number() -> None:
    lines = ["bob:100000:65536", "alice:165536:65536", "", "1000:300000:10", "alice:x:1", "alice:9"]

    assert ranges_in(lines, ALICE) == [IdRange(165536, 65536), IdRange(300000, 10)]


def test_a_range_that_overlaps_is_left_out_because_the_kernel_would_refuse_the_map() -> None:
    lines = ["alice:100000:65536", "1000:100000:65536", "alice:165535:10", "alice:165536:10"]

    assert ranges_in(lines, ALICE) == [IdRange(100000, 65536), IdRange(165536, 10)]


def test_there_are_never_more_ranges_than_a_map_may_have() -> None:
    lines = [f"alice:{100_000 + 10 * number}:10" for number in range(500)]

    assert len(ranges_in(lines, ALICE)) == 339


def test_a_map_starts_with_the_user_as_root_and_has_no_gaps() -> None:
    arguments = map_arguments(1000, [IdRange(100000, 65536), IdRange(300000, 10)])

    assert " ".join(arguments) == "0 1000 1 1 100000 65536 65537 300000 10"


def test_what_is_missing_is_said_with_what_to_do() -> None:
    assert "uidmap" in (NoIdMappers("newuidmap").hint or "")
    missing = NoSubordinateIds("alice", "/etc/subuid", "usermod --add-subuids 1-2 alice")
    assert missing.message == "user alice has no ids of its own to build with in /etc/subuid"
    assert missing.exit_code == 9

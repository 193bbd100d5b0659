"""Options for limits."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.resources import parse_resources, parse_retries, parse_step_limit
from img.domain.resources import Resources


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Resources()),
        ({"memory": "64m"}, Resources(memory=64 << 20)),
        ({"memory": "1g", "memory-swap": "-1"}, Resources(memory=1 << 30, memory_swap=-1)),
        ({"memory": "1g", "memory-swap": "2g"}, Resources(memory=1 << 30, memory_swap=2 << 30)),
        ({"cpus": "1.5"}, Resources(cpu_period=100_000, cpu_quota=150_000)),
        ({"cpu-shares": "512"}, Resources(cpu_shares=512)),
        ({"cpu-quota": "50000"}, Resources(cpu_quota=50_000)),
        ({"cpuset-cpus": "0-1,3"}, Resources(cpuset_cpus="0-1,3")),
        ({"cgroup-parent": "/builds"}, Resources(cgroup_parent="/builds")),
        ({"memory": "0", "cpu-shares": "0"}, Resources()),
    ],
)
def test_options_become_limits(options: dict[str, str], expected: Resources) -> None:
    assert parse_resources(options) == expected


def test_buildx_says_the_same_in_one_option() -> None:
    more = ["memory=2g", "memory-swap=4g", "cpu-quota=50000"]

    found = parse_resources({"cpu-shares": "2"}, more)

    assert found == Resources(memory=2 << 30, memory_swap=4 << 30, cpu_quota=50_000, cpu_shares=2)


def test_limits_know_the_options_that_set_them() -> None:
    limits = Resources(memory=8 << 20, cpuset_cpus="0")

    assert limits.options == ("--memory", "--cpuset-cpus")
    assert Resources().options == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "lots"}, "invalid --memory 'lots': invalid size"),
        ({"memory": "5m"}, "invalid --memory '5m': the least is 6m"),
        ({"memory": "-1"}, "invalid --memory '-1'"),
        ({"memory-swap": "64m"}, "set --memory as well"),
        ({"memory": "64m", "memory-swap": "32m"}, "must not be below --memory"),
        ({"cpus": "many"}, "invalid --cpus 'many'"),
        ({"cpus": "0"}, "invalid --cpus '0'"),
        ({"cpus": "0.001"}, "invalid --cpus '0.001'"),
        ({"cpus": "1e9999999"}, "invalid --cpus '1e9999999'"),
        ({"cpus": "Infinity"}, "invalid --cpus 'Infinity'"),
        ({"cpus": "1", "cpu-quota": "1000"}, "give one of them"),
        ({"cpu-period": "10"}, "invalid --cpu-period '10'"),
        ({"cpu-quota": "-1"}, "invalid --cpu-quota '-1'"),
        ({"cpu-shares": "1"}, "invalid --cpu-shares '1'"),
        ({"cpuset-cpus": "0-"}, "invalid --cpuset-cpus '0-'"),
        ({"cgroup-parent": "/a/../b"}, "invalid --cgroup-parent '/a/../b'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_resources(options)

    assert message in caught.value.message


@pytest.mark.parametrize("text", ["memory", "gpus=1", "=1"])
def test_a_resource_that_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid --resource"):
        parse_resources({}, [text])


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), ("90s", 90.0), ("1h30m", 5400.0), ("250ms", 0.25)]
)
def test_the_time_of_a_step_is_a_duration(text: str, seconds: float | None) -> None:
    assert parse_step_limit(text) == seconds


@pytest.mark.parametrize("text", ["0", "-1s", "5", "soon"])
def test_other_times_of_a_step_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid --timeout"):
        parse_step_limit(text)


@pytest.mark.parametrize(("number", "fits"), [(0, True), (100, True), (-1, False), (101, False)])
def test_a_number_of_retries_has_limits(number: int, fits: bool) -> None:
    if fits:
        assert parse_retries(number) == number
    else:
        with pytest.raises(UsageError, match="invalid --retry"):
            parse_retries(number)

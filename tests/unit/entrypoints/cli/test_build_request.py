"""Requests of ``img build``."""

import pytest

from img.domain.build import BuildRequest
from img.domain.errors import UsageError
from img.domain.pull_policy import PullPolicy
from img.entrypoints.cli.build_request import build_request


def asked(**options: object) -> BuildRequest:
    usual: dict[str, object] = {
        "build_args": (),
        "labels": (),
        "target": "",
        "no_cache": False,
        "no_cache_filter": (),
        "pull": PullPolicy.MISSING,
        "network": "",
        "host_network": False,
        "hosts": (),
        "shm_size": "",
        "ulimits": (),
        "contexts": (),
    }
    return build_request(**{**usual, **options})  # type: ignore[arg-type]


def test_a_label_without_a_value_is_empty() -> None:
    assert asked(labels=("a=1", "b", "c=", "d=x=y")).labels == {
        "a": "1",
        "b": "",
        "c": "",
        "d": "x=y",
    }
    with pytest.raises(UsageError, match="invalid label value =x"):
        asked(labels=("=x",))


@pytest.mark.parametrize(
    ("environment", "given", "expected"),
    [
        ("7", (), "7"),
        ("context", (), "context"),
        ("7", ("SOURCE_DATE_EPOCH=9",), "9"),
        ("7", ("SOURCE_DATE_EPOCH",), "7"),
        ("", (), None),  # as if it were not there: a global ARG counts
        ("7", ("SOURCE_DATE_EPOCH=",), ""),
    ],
)
def test_source_date_epoch_of_the_environment_is_a_build_arg(
    environment: str,
    given: tuple[str, ...],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", environment)
    assert asked(build_args=given).build_args.get("SOURCE_DATE_EPOCH") == expected

"""Begins and ends what all workers of a run share."""

import signal

import pytest
from hypothesis import settings

from tests import shared_things

# How long an example takes says more of the machine than of the code.
settings.register_profile("img", deadline=None)
settings.load_profile("img")


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that starts the workers."""
    if not hasattr(config, "workerinput"):
        _heed_signals()
        shared_things.name_directory()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Only in the process that started the workers."""
    if not hasattr(config, "workerinput"):
        shared_things.remove_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker ends long after the others."""
    items.sort(key=lambda item: "test_every_case_comes_out" not in item.name)


def _heed_signals() -> None:
    # nohup, and a shell's &, have the children ignore signals that tests send to what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)

"""Begins and ends what all workers of a run share; says which tests are run, and in what order."""

import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support import left_out, long_tests
from tests.support.host import kinds, shared_things
from tests.support.steps import small_servers

# How long an example takes says more of the machine than of the code.
_EXAMPLES = 100 if "IMG_TESTS_ALL" in os.environ else 40  # unless a test says how many
settings.register_profile("img", deadline=None, max_examples=_EXAMPLES)
settings.load_profile("img")

collect_ignore = ["extension_package"]  # tests/integration/test_extension.py runs its tests

_LEFT_OUT = "left_out"  # of what a worker reports
# Without SIGALRM and SIGPROF, which time limits use.
_SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD),
)


def pytest_configure(config: pytest.Config) -> None:
    """Begin what is one for all workers in the process that starts them."""
    small_servers.begin()
    if not hasattr(config, "workerinput"):
        _heed_signals()
        shared_things.name_directory()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Only in the process that started the workers."""
    if not hasattr(config, "workerinput"):
        shared_things.remove_all()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests for other kinds of user, and sort the rest."""
    left_out = [item for item in items if kinds.is_for_others(item)]
    ours = [item for item in items if not kinds.is_for_others(item)]
    items[:] = long_tests.longest_first(ours)
    if hasattr(config, "workeroutput"):
        config.workeroutput[_LEFT_OUT] = [item.nodeid for item in left_out]
    else:
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Take what is there now, ten thousand tests, out of the garbage collector's rounds."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Count what the workers left out, once: each of them (pytest-xdist) collects everything."""
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    left_out = getattr(node, "workeroutput", {}).get(_LEFT_OUT, [])
    if reporter is not None:
        reporter.stats["deselected"] = [
            pytest.CollectReport(nodeid, "passed", longrepr=None, result=None)
            for nodeid in left_out
        ]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what failed once, and what was skipped with the command that brings what it needs."""
    once = terminalreporter.stats.get("rerun", [])
    if once:
        terminalreporter.section("failed once, and were run again")
        for report in once:
            terminalreporter.write_line(f"{report.nodeid} ({report.when}):")
            terminalreporter.write_line(str(report.longrepr)[-2000:])
    reports = terminalreporter.stats.get("skipped", [])
    lines = left_out.summary(_reason(report) for report in reports)
    if lines:
        terminalreporter.section("skipped")
        for line in lines:
            terminalreporter.write_line(line)


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.fixture(autouse=True)
def _the_process_stays_as_it_is() -> Iterator[None]:
    """Check that a test does not change the state of this process, which breaks later tests."""
    before = _ways()
    yield
    after = _ways()
    os.chdir(before[0])
    os.umask(before[1])
    for number, handler in before[2].items():
        signal.signal(number, handler)
    assert after == before, "the test has changed the working directory, the umask or a signal"


def _ways() -> tuple[str, int, dict[signal.Signals, Any]]:
    mask = os.umask(0o022)
    os.umask(mask)
    return os.getcwd(), mask, {number: signal.getsignal(number) for number in _SIGNALS}


def _heed_signals() -> None:
    # nohup, and a shell's &, have the children ignore signals that tests send to what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)

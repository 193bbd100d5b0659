"""Logs: where they go, and what they cost where there are none."""

import json
import subprocess
import sys


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )


def test_logs_go_to_standard_error() -> None:
    ended = run(
        "from img.entrypoints.logs import configure_logs\n"
        "from img.application.log import logger\n"
        "configure_logs(debug=True)\n"
        "logger('blobs').debug('blob pushed', size=3)\n"
    )
    assert ended.stdout == ""
    assert "blob pushed" in ended.stderr
    assert "size=3" in ended.stderr
    assert "blobs" in ended.stderr


def test_logs_may_be_json() -> None:
    ended = run(
        "from img.entrypoints.logs import configure_logs\n"
        "from img.application.log import logger\n"
        "configure_logs(debug=True, json=True)\n"
        "logger('blobs').info('blob pushed', size=3)\n"
    )
    logged = json.loads(ended.stderr)
    assert (logged["event"], logged["size"], logged["level"]) == ("blob pushed", 3, "info")


def test_without_debug_only_warnings_are_logged() -> None:
    ended = run(
        "from img.entrypoints.logs import configure_logs\n"
        "from img.application.log import logger\n"
        "configure_logs()\n"
        "log = logger('x')\n"
        "log.debug('one'); log.info('two'); log.warning('three'); log.error('four')\n"
    )
    assert [word in ended.stderr for word in ("one", "two", "three", "four")] == [
        False,
        False,
        True,
        True,
    ]


def test_without_debug_structlog_is_not_even_imported() -> None:
    ended = run(
        "import sys\n"
        "from img.entrypoints.logs import configure_logs\n"
        "from img.application.log import logger\n"
        "configure_logs()\n"
        "logger('x').debug('nothing')\n"
        "print('structlog' in sys.modules, 'rich' in sys.modules)\n"
    )
    assert ended.stdout.split() == ["False", "False"]

"""Configuration of logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from img.application.log import DEBUG, WARNING, set_level


def configure_logs(*, debug: bool = False, json: bool = False) -> None:
    """Write logs to standard error, for people or as one JSON object per line.

    Warnings and worse, with ``debug`` everything. (structlog's default is standard output, which
    is for results.)
    """
    level = DEBUG if debug else WARNING
    set_level(level, partial(_configure_structlog, level, json=json))


def _configure_structlog(level: int, *, json: bool) -> None:
    import structlog

    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _shown_values,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_standard_error,
    )


def _shown_values(_logger: object, _method: str, event: MutableMapping[str, object]) -> Any:
    """Return the event with control characters escaped in all texts."""
    from img.domain.shown_text import shown, shown_in_line

    return {
        key: shown(str(value)) if key == "exception" else _shown_value(value, shown_in_line)
        for key, value in event.items()
    }


def _shown_value(value: object, show: Callable[[str], str]) -> object:
    return value if isinstance(value, int | float | bool) or value is None else show(str(value))


def _standard_error(*_: object) -> object:
    # Looked up for each logger: a live display may have replaced sys.stderr.
    import structlog

    return structlog.PrintLogger(sys.stderr)

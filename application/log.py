"""Logs for those who look for the cause of something (``img -d``).

structlog takes longer to import (about 0.1 s) than most commands take to run. So a logger of ours
is a name and a comparison until something is really logged.
"""

from collections.abc import Callable
from typing import Any

from img.domain.dataclass import dataclass

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40  # logging's numbers, without its import


@dataclass(slots=True)
class _Settings:
    level: int = WARNING
    configure: Callable[[], None] | None = None


_settings = _Settings()


def set_level(level: int, configure: Callable[[], None] | None = None) -> None:
    """Log what is as grave as ``level`` or graver; ``configure`` structlog before the first."""
    _settings.level = level
    _settings.configure = configure


@dataclass(frozen=True, slots=True)
class Logger:
    """Logs under ``name``. An event is a constant phrase; what varies comes as keys."""

    name: str

    def debug(self, event: str, **values: object) -> None:
        if _settings.level <= DEBUG:
            self._structlog().debug(event, **values)

    def info(self, event: str, **values: object) -> None:
        if _settings.level <= INFO:
            self._structlog().info(event, **values)

    def warning(self, event: str, **values: object) -> None:
        if _settings.level <= WARNING:
            self._structlog().warning(event, **values)

    def error(self, event: str, **values: object) -> None:
        if _settings.level <= ERROR:
            self._structlog().error(event, **values)

    def _structlog(self) -> Any:
        import structlog

        if (configure := _settings.configure) is not None:
            configure()  # perhaps twice, by two threads; before it is done none may log
            _settings.configure = None
        return structlog.get_logger().bind(logger=self.name)


def logger(name: str) -> Logger:
    """Return the logger of that name; a module makes its own, once."""
    return Logger(name)

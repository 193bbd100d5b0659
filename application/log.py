"""Debug logs (``img -d``).

The import of structlog (about 0.1 s) takes longer than most commands. So a logger is a name and a
comparison of levels until the first event is logged.
"""

from collections.abc import Callable
from typing import Any

from img.domain.dataclass import dataclass

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40  # as in logging, which takes time to import


@dataclass(slots=True)
class _Settings:
    level: int = WARNING
    configure: Callable[[], None] | None = None


_settings = _Settings()


def set_level(level: int, configure: Callable[[], None] | None = None) -> None:
    """Log events of ``level`` or above; call ``configure`` before the first event."""
    _settings.level = level
    _settings.configure = configure


@dataclass(frozen=True, slots=True)
class Logger:
    """A logger. An event is a constant phrase; its values are keyword arguments."""

    name: str

    def debug(self, event: str, **values: object) -> None:
        """Log ``event`` for debugging."""
        if _settings.level <= DEBUG:
            self._structlog().debug(event, **values)

    def info(self, event: str, **values: object) -> None:
        """Log ``event``."""
        if _settings.level <= INFO:
            self._structlog().info(event, **values)

    def warning(self, event: str, **values: object) -> None:
        """Log ``event`` as a warning."""
        if _settings.level <= WARNING:
            self._structlog().warning(event, **values)

    def error(self, event: str, **values: object) -> None:
        """Log ``event`` as an error."""
        if _settings.level <= ERROR:
            self._structlog().error(event, **values)

    def _structlog(self) -> Any:
        import structlog

        if (configure := _settings.configure) is not None:
            configure()  # before any event; two threads may call it twice
            _settings.configure = None
        return structlog.get_logger().bind(logger=self.name)


def logger(name: str) -> Logger:
    """Return a new logger with that name; each module makes one."""
    return Logger(name)

"""The options of a recorded build, as its user typed them."""

from collections.abc import Iterator, Mapping

from img.domain.history.record import texts_in

_NOT_OPTIONS = ("context", "contexts", "directory", "target")


def options_of(options: Mapping[str, object]) -> Iterator[str]:
    """Yield the options of a command: ``--tag=app``; not its arguments, which records have too."""
    for name, value in options.items():
        if name in _NOT_OPTIONS:
            continue
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif isinstance(value, int) and not isinstance(value, bool):
            yield f"{option}={value}"
        for each in texts_in(value):
            yield f"{option}={each}"

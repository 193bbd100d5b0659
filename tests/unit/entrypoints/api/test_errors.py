"""Errors of the engine: what programs catch."""

import pytest

import img
from img.application.solver.steps.execute import ProcessFailed
from img.domain.errors import BuildError, DockerfileError, ImgError, NotFoundError, UsageError
from img.domain.filesystem.absent import NotAFile
from img.domain.process import ExitStatus
from img.entrypoints.api import public
from img.entrypoints.api.engine import EngineEnded
from img.entrypoints.api.errors import error_of
from img.entrypoints.engine.protocol import Failed
from img.entrypoints.engine.serve import failure_of


def raised(error: ImgError) -> ImgError:
    return error_of(failure_of(error))


def kinds() -> list[type[ImgError]]:
    named = [getattr(img, name) for name in public.__all__]
    kinds = [each for each in named if isinstance(each, type) and issubclass(each, ImgError)]
    # Those that the caller finds out itself are left out.
    return [each for each in kinds if each not in (EngineEnded, img.Canceled)]


@pytest.mark.parametrize("kind", kinds())
def test_each_error_of_the_api_comes_back_as_itself(kind: type[ImgError]) -> None:
    error = kind.__new__(kind)
    ImgError.__init__(error, "a message", hint="a hint")
    if isinstance(error, img.SourceError):
        error.lines, error.excerpt = (1, 2), "FROM"

    again = raised(error)

    assert type(again) is kind
    assert (again.message, again.hint, again.exit_code) == ("a message", "a hint", kind.exit_code)
    assert str(again) == "a message"


def test_other_errors_come_back_as_their_nearest_base() -> None:
    assert type(raised(ProcessFailed(("false",), ExitStatus(code=1)))) is BuildError
    assert type(raised(NotAFile("x"))) is NotFoundError
    unknown = Failed(
        kinds=("Nonsense",), message="m", hint=None, exit_code=77, lines=None, excerpt=""
    )
    assert type(error_of(unknown)) is ImgError
    assert error_of(unknown).exit_code == 77


def test_an_excerpt_and_a_hint_are_shown_by_tracebacks() -> None:
    error = DockerfileError("unknown instruction", lines=(2, 2), hint="did you mean COPY?")
    error.excerpt = ">>> COPPY"

    again = raised(error)

    assert isinstance(again, DockerfileError)
    assert again.lines == (2, 2)
    assert again.__notes__ == [">>> COPPY", "hint: did you mean COPY?"]


def test_control_characters_of_a_message_are_escaped() -> None:
    assert "\x1b" not in str(raised(UsageError("\x1b[2J of an image")))

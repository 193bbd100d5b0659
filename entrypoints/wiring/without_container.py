"""Objects for commands that need one adapter: to make the container would take them longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy_imports

with lazy_imports(__name__):
    from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
    from img.adapters.host_survey.linux import LinuxSurvey
    from img.application.usecases.diagnose import Diagnose

if TYPE_CHECKING:
    from img.application.ports.dockerfile_parser import DockerfileParser


def dockerfile_parser() -> DockerfileParser:
    """Return the parser of Dockerfiles."""
    return DockerfileParseParser()


def diagnose() -> Diagnose:
    """Return the use case of ``img doctor``."""
    return Diagnose(survey=LinuxSurvey())

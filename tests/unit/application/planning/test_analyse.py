"""A Dockerfile is read once for all that is done with it."""

from dataclasses import dataclass, field

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.progress import VertexWarning
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp


@dataclass
class CountingParser(DockerfileParser):
    """Counts the texts that it parses."""

    parsed: list[bytes] = field(default_factory=list)

    def parse(self, content: bytes) -> RawDockerfile:
        self.parsed.append(content)
        return DockerfileParseParser().parse(content)


def test_a_build_for_two_platforms_parses_the_dockerfile_once() -> None:
    app, parser = InMemoryApp(), CountingParser()
    app.container.building.parser.override(parser)
    text = "FROM scratch as x\nCOPY <<E /a\nE\n"

    built = app.build(text, platforms=[HERE, ELSEWHERE])

    assert len(built.images) == 2
    assert [type(event) for event in app.progress.events].count(VertexWarning) == 1
    assert parser.parsed == [text.encode()]


def test_an_image_that_two_platforms_use_is_looked_up_once() -> None:
    app = InMemoryApp()
    app.publish("tools", {"tool": b"1"})

    app.build(
        "FROM --platform=$BUILDPLATFORM tools AS tools\nFROM scratch\nCOPY --from=tools /tool /\n",
        platforms=[HERE, ELSEWHERE],
    )

    assert sum("load metadata" in name for name in app.done) == 1

"""Contract suite of sources of build contexts."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from img.application.ports.build_context import DOCKERFILES, ContextSource
from img.domain.errors import ContextError

OUTSIDE = b"FROM outside"
INPUT = b"FROM input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """A source, and the locations that it has.

    ``plain`` is a directory with ``Dockerfile`` (FROM scratch), ``a`` (1), ``b`` (2) and
    ``.dockerignore`` (b); ``own`` has a ``Dockerfile.dockerignore`` (a) as well. ``outside`` is the
    path of a Dockerfile outside of them with the content OUTSIDE. Standard input is INPUT.
    """

    source: ContextSource
    plain: str
    own: str
    outside: str
    unusual: Mapping[str, str]  # by the name of the Dockerfile that counts


class ContextSourceContract:
    """Promises of every ContextSource.

    Fixtures: ``found``, a Sources.
    """

    def test_directories_are_told_from_other_places(self, found: Sources) -> None:
        assert found.source.is_directory(found.plain)
        assert not found.source.is_directory(found.outside)
        assert not found.source.is_directory("https://h/r.git")

    def test_the_default_dockerfile_comes_with_the_contexts_ignore_file(
        self, found: Sources
    ) -> None:
        text = found.source.dockerfile(found.plain, None)
        assert (text.name, text.content, text.ignore) == ("Dockerfile", b"FROM scratch", "b")

    @pytest.mark.parametrize("name", DOCKERFILES)
    def test_a_dockerfile_may_have_other_names(self, found: Sources, name: str) -> None:
        text = found.source.dockerfile(found.unusual[name], None)
        assert (text.name, text.content) == (name, f"FROM {name}".encode())

    def test_an_ignore_file_beside_the_dockerfile_goes_first(self, found: Sources) -> None:
        assert found.source.dockerfile(found.own, None).ignore == "a"

    def test_a_dockerfile_may_be_elsewhere_or_come_by_standard_input(self, found: Sources) -> None:
        assert found.source.dockerfile(found.plain, found.outside).content == OUTSIDE
        assert found.source.dockerfile(found.plain, "-").content == INPUT

    def test_a_dockerfile_or_directory_that_is_not_there_is_named(self, found: Sources) -> None:
        with pytest.raises(ContextError, match="nope"):
            found.source.dockerfile(found.plain, "nope")
        with pytest.raises(ContextError, match="nope"):
            found.source.open("nope", ())
        with pytest.raises(ContextError, match="nope"):
            found.source.read("nope")

    def test_a_directory_is_opened_without_what_is_ignored(self, found: Sources) -> None:
        context = found.source.open(found.plain, ("b",))
        assert context.tree().get("a") is not None
        assert context.tree().get("b") is None
        assert context.read_file("b") == b"2"

    def test_what_is_no_archive_is_no_context(self, found: Sources) -> None:
        assert found.source.open_archive(io.BytesIO(b"FROM scratch\n")) is None

    def test_standard_input_can_be_read(self, found: Sources) -> None:
        assert found.source.standard_input().read() == INPUT

"""Paths of definitions are relative to the working directory, or to their files."""

import pytest

from img.domain.bake.definition.definition import Definition, as_written, define
from img.domain.bake.definition.evaluator import Inputs
from img.domain.bake.definition.files import kind_of, names_of_environment, placed
from img.domain.bake.definition.plan import plan
from img.domain.bake.errors import BakeError, SourceText
from img.domain.bake.language.body import parse_hcl

_ONE = """
target "x" {
  context = "c"
  contexts = { a = "../a", b = "docker-image://b", c = "/c" }
}
"""
_TWO = 'target "y" {\n  context = "${target.x.context}"\n}\ntarget "z" {}\n'


def _defined(*, relative: bool) -> Definition:
    bodies = [
        parse_hcl(SourceText(name, text))
        for name, text in (("one/b.hcl", _ONE), ("two/b.hcl", _TWO))
    ]
    return define(bodies, Inputs({}, {}, {}), None, placed if relative else as_written)


def test_paths_are_relative_to_the_working_directory() -> None:
    targets = plan(_defined(relative=False), ["*"], [], {}).targets

    assert [targets[name]["context"] for name in "xyz"] == ["c", "c", "."]


def test_paths_can_be_relative_to_the_files_that_have_them() -> None:
    targets = plan(_defined(relative=True), ["*"], ["x.contexts.d=d"], {}).targets

    assert [targets[name]["context"] for name in "xyz"] == ["one/c", "one/c", "two"]
    assert targets["x"]["contexts"] == {"a": "a", "b": "docker-image://b", "c": "/c", "d": "d"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.YML", "compose"), ("a.json", "json"), ("a.hcl", "hcl"), ("-", ""), ("Bakefile", "")],
)
def test_names_tell_the_language(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_files_of_the_environment() -> None:
    given = {"BUILDX_BAKE_FILE": " a.hcl ; ;b.json", "BUILDX_BAKE_PATH_SEPARATOR": ";"}

    assert names_of_environment(given) == ("a.hcl", "b.json")
    assert names_of_environment({}) == ()


def test_an_error_shows_the_line_and_where_it_is() -> None:
    with pytest.raises(BakeError) as caught:
        define([parse_hcl(SourceText("b.hcl", "a = 1\nb = NOPE\n"))], Inputs({}, {}, {}))

    assert caught.value.message == (
        'b.hcl:2,5-9: Unknown variable; There is no variable named "NOPE".'
    )
    assert caught.value.excerpt.splitlines()[0] == "b.hcl:2"
    assert "   2 | >>> b = NOPE" in caught.value.excerpt

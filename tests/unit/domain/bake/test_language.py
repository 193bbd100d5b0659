"""Any text is a definition or an error with its place, in a time that is bounded."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from img.domain.bake.definition.definition import define
from img.domain.bake.definition.evaluator import Inputs
from img.domain.bake.definition.plan import plan
from img.domain.bake.definition.printing import print_plan
from img.domain.bake.errors import BakeError, BakeSyntaxError, SourceText
from img.domain.bake.language.body import Body, parse_hcl
from img.domain.bake.language.json_body import parse_json

_INPUTS = Inputs({}, {}, {})
_SYNTAX = """
target variable function group matrix name "a" a b { } [ ] ( ) = , . : ? => ... * / % + - ! && ||
== < > ${ %{ ~} <<E E # /* */ " \\ for in if null true 1 1.5 1e9 upper( default tags inherits
"""
_WORDS = st.sampled_from([*_SYNTAX.split(), "\n", " ", "é", "\u2028", "\r\n", "\ufeff"])
_TEXTS = st.text() | st.lists(_WORDS).map(" ".join) | st.lists(_WORDS).map("".join)


def _many(block: str, count: int) -> str:
    """Return blocks that each name the next two."""
    blocks = [block.format(at, at + 1, at + 2) for at in range(count)]
    return "".join(blocks) + f'target "t{count}" {{}}\ntarget "t{count + 1}" {{}}\n'


def _run(body: Body) -> None:
    definition = define([body], _INPUTS)
    print_plan(plan(definition, ["*"], [], {}))


@given(_TEXTS)
@example("a = [for x in 5 : x]")
@example('a = "${b[*].c}"\nb = null')
@example("a = {for k, v in {} : k => v...}")
@settings(deadline=None, max_examples=40)
def test_any_text_gives_a_plan_or_an_error(text: str) -> None:
    for parse in (parse_hcl, parse_json):
        try:
            _run(parse(SourceText("t", text)))
        except BakeError as error:
            assert str(error)
            if isinstance(error, BakeSyntaxError):
                assert error.lines is not None
                assert error.excerpt.startswith("t:")


@given(st.text(st.characters(codec="utf-8")))
@settings(deadline=None, max_examples=50)
def test_a_text_in_quotes_comes_back_as_it_was(text: str) -> None:
    signs = text.replace("${", "$${").replace("%{", "%%{")
    written = "".join(
        f"\\U{ord(char):08x}" if char < " " or char in '"\\' else char for char in signs
    )
    body = parse_hcl(SourceText("t", f'target "a" {{\n  context = "{written}"\n}}\n'))

    found = define([body], _INPUTS).targets["a"]["context"]

    assert found == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "(" * 50_000,
        "a = " + "[" * 50_000 + "]" * 50_000,
        "a = " + "1+" * 30_000 + "1\n",
        "a = " + "true?1:" * 12_000 + "1\n",
        'a = "' + '${"' * 20_000,
        "/*" * 50_000,
        "".join(f"v{i} = v{i + 1}\n" for i in range(6000)),
        'v0 = "x"\n' + "".join(f'v{i + 1} = "${{v{i}}}${{v{i}}}"\n' for i in range(60)),
        "v0 = [1]\n" + "".join(f"v{i + 1} = [v{i}, v{i}]\n" for i in range(60)),
        "a = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]\n",
        f'a = regexall("(a+)+$", "{"a" * 5_000}b")\n',
        "a = 1" + "0" * 90_000 + "\n",
        "a = 1e200000\nb = a * a * a * a * a\n",
        'target "a" {\n name = "x"\n matrix = { a = range(1000), b = range(1000) }\n}\n',
        "a = b" + "[*]" * 20_000 + "\n",
        _many('target "t{}" {{\n inherits = ["t{}", "t{}"]\n}}\n', 300),
        _many('target "t{}" {{\n contexts = {{ a = "target:t{}", b = "target:t{}" }}\n}}\n', 300),
        _many('group "t{}" {{\n targets = ["t{}", "t{}"]\n}}\n', 300),
    ],
    ids=range(18),
)
def test_hostile_definitions_end_soon(text: str) -> None:
    began = time.process_time()
    try:
        _run(parse_hcl(SourceText("t", text)))
    except BakeError as error:
        assert len(str(error)) < 10_000

    assert time.process_time() - began < 3  # a second, on a machine that does nothing else


def test_ten_thousand_lines_are_read_in_a_second() -> None:
    text = 'target "a" {\n  tags = ["x:${1 + 1}"]\n}\n' * 3_334
    began = time.process_time()

    _run(parse_hcl(SourceText("t", text)))

    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("x = ", "t:1,5-5", "Missing expression"),
        ("x = [1,", "t:1,8-8", "Missing expression"),
        ('x = "a', "t:1,7-7", "Unterminated template string"),
        ("x = <<E\na\n", "t:3,1-1", "Unterminated template string"),
        ("x = <<E\na\nE", "t:3,2-2", "Unterminated template string"),
        ("b { x = 1\n}", "t:1,10-2,1", "must also be closed on the same line"),
        ("b { x = 1, y = 2 }", "t:1,10-11", "can include only one argument definition"),
        ("b { x = 1 y }", "t:1,11-12", "must end with a closing brace"),
    ],
)
def test_what_is_unfinished_is_refused_where_it_should_go_on(
    text: str, where: str, message: str
) -> None:
    with pytest.raises(BakeSyntaxError) as refusal:
        parse_hcl(SourceText("t", text))

    assert refusal.value.message.startswith(f"{where}: ")
    assert message in refusal.value.message


def test_a_validation_needs_a_condition() -> None:
    text = 'variable "F" {\n  default = "x"\n  validation {\n    error_message = "m"\n  }\n}\n'
    with pytest.raises(BakeSyntaxError, match="must return either true or false, not null"):
        define([parse_hcl(SourceText("t", text))], _INPUTS)

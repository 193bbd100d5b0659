"""Calls of functions that need too much, or that another package answers."""

import pytest

from img.adapters.definition_files.password_hash import hash_password
from img.domain.bake.errors import BakeSyntaxError, SourceText
from img.domain.bake.functions.library import Surroundings, library
from img.domain.bake.language.body import parse_hcl
from img.domain.bake.language.scope import Budget, Scope
from img.domain.bake.values.value import Value


def _evaluated(call: str) -> Value:
    budget = Budget()
    functions = library(Surroundings(hash_password=hash_password), budget)
    body = parse_hcl(SourceText("t", f"v = {call}\n"))
    return body.attributes["v"].expression.value(Scope({}, functions, budget))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('rsadecrypt("x", "y")', "Error in function call"),
        ('regexall("(x{1000}){1000}", "a")', "Invalid function argument"),
        ('format("%99999999s", "x")', "Error in function call"),
        ("setproduct(range(1000), range(1000))", "Error in function call"),
        ('jsondecode("[1,")', "Error in function call"),
        ("pow(-1, 0.5)", "Error in function call"),
        ('bcrypt("a", 17)', "Error in function call"),
        (f'bcrypt("{"a" * 73}")', "Error in function call"),
    ],
)
def test_hostile_calls_fail_at_their_place(call: str, expected: str) -> None:
    with pytest.raises(BakeSyntaxError) as caught:
        _evaluated(call)

    assert caught.value.summary == expected
    assert caught.value.lines == (1, 1)

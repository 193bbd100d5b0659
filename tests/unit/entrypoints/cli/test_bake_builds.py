"""Builds of bake's targets."""

import pytest

from img.domain.bake.definition.attributes import Contents
from img.domain.errors import UsageError
from img.entrypoints.cli.bake_builds import target_build


@pytest.mark.parametrize(
    ("call", "asks"),
    [("", False), ("build", False), ("build,format=json", False), ("check", True)],
)
def test_a_target_asks_a_question_or_is_built(call: str, asks: bool) -> None:
    assert bool(target_build("app", {"call": call}).call) is asks


@pytest.mark.parametrize("name", ["args", "labels", "contexts", "extra-hosts"])
def test_a_name_with_an_equals_sign_is_refused(name: str) -> None:
    contents: Contents = {name: {"a=b": "c"}}

    with pytest.raises(UsageError, match="the name 'a=b' in"):
        target_build("app", contents)

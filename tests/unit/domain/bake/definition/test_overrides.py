"""Keys and values of ``--set`` (buildx bake/bake.go, "newOverrides", "AddOverrides")."""

import pytest

from img.domain.bake.definition.overrides import override_contents, parse_overrides
from img.domain.bake.errors import BakeError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a*.args=x", "invalid key a*.args, args requires name"),
        ("app.args", "invalid key app.args, args requires name"),
        ("app.contexts=x", "invalid key app.contexts, contexts requires name"),
        ("app.secret=src=f", "invalid key app.secret, secret requires name"),
        ("app.resources=1", "invalid key app.resources, resources requires name"),
        ("app.secret.s+=src=f", "invalid key app.secret.s+, secret does not support append"),
        (
            "*.resources.memory+=1g",
            "invalid key *.resources.memory+, resources does not support append",
        ),
        ("other.args=x", "could not find any target matching 'other'"),
        ("app.tags", "invalid override app.tags, expected target.name=value"),
        ("app", "invalid override key app, expected target.name"),
    ],
)
def test_keys_that_say_too_little_are_refused_as_they_were_given(text: str, said: str) -> None:
    with pytest.raises(BakeError) as error:
        parse_overrides([text], ["app"], {})

    assert str(error.value) == said


@pytest.mark.parametrize("text", ["app.args.V", "app.args.V+"])
def test_an_argument_without_a_value_has_that_of_the_environment(text: str) -> None:
    overrides = parse_overrides([text], ["app"], {"V": "1"})

    assert override_contents({"args": {"V": "0"}}, overrides["app"].values()) == {
        "args": {"V": "1"}
    }

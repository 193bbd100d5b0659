"""Any values in compose files give targets or an error; variables are replaced in them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img.domain.bake.compose.interpolation import (
    BadInterpolation,
    MissingVariable,
    interpolate,
    read_dotenv,
)
from img.domain.bake.compose.project import ComposeFile, Tagged, load_project
from img.domain.bake.compose.targets import Machine, targets_of
from img.domain.bake.definition.definition import Definition
from img.domain.bake.definition.plan import plan
from img.domain.bake.definition.printing import print_plan
from img.domain.bake.errors import BakeError

_KEYS = """
context dockerfile dockerfile_inline target args labels tags platforms cache_from cache_to network
no_cache pull shm_size ulimits extra_hosts ssh secrets additional_contexts sbom provenance x-bake
"""
_SERVICE_KEYS = "build image environment env_file extends profiles"
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab${}:=-~./", max_size=8)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "service", "file", "source", "tags"]), inner, max_size=3
        )
        | st.builds(Tagged, st.sampled_from(["!reset", "!override"]), inner)
    ),
    max_leaves=6,
)
_BUILDS = _VALUES | st.dictionaries(st.sampled_from(_KEYS.split()), _VALUES, max_size=4)
_SERVICES = st.dictionaries(st.sampled_from(_SERVICE_KEYS.split()), _BUILDS, max_size=4)
_DOCUMENTS = _VALUES | st.fixed_dictionaries(
    {"services": _VALUES | st.dictionaries(st.sampled_from("ab"), _SERVICES | _VALUES, max_size=2)},
    optional={"secrets": _VALUES, "include": _VALUES, "name": _VALUES},
)


def _targets(documents: list[Any]) -> Definition:
    def read(path: str) -> ComposeFile:
        if path != "a":
            raise BakeError(f"open {path}: no such file or directory")
        return ComposeFile(path, documents)

    variables = {"A": "x"}
    warned: list[str] = []
    machine = Machine(variables, "/home/user", lambda _: None, warned.append)
    project = load_project([ComposeFile("c.yml", documents)], variables, read, warned.append)
    return targets_of(project, machine)


@given(st.lists(_DOCUMENTS, max_size=2))
@settings(deadline=None, max_examples=80)
def test_any_values_give_targets_or_an_error(documents: list[Any]) -> None:
    try:
        definition = _targets(documents)
        assert print_plan(plan(definition, ["*"], [], {}))
    except BakeError as error:
        assert str(error)


@given(st.text("${}:-?+ab\\ \n\"'#=", max_size=30))
def test_any_text_is_interpolated_or_refused(text: str) -> None:
    for read in (interpolate, read_dotenv):
        try:
            assert read(text, {"a": "x"}, lambda _: None) is not None
        except (BadInterpolation, MissingVariable, BakeError) as error:
            assert str(error) or text


def test_aliases_of_aliases_end() -> None:
    node: Any = "x"
    for _ in range(60):
        node = [node, node]
    with pytest.raises(BakeError, match="more than"):
        _targets([{"services": {"a": {"build": {"args": node}}}}])


def test_values_in_one_another_without_an_end_are_refused() -> None:
    node: Any = "x"
    for _ in range(3000):
        node = {"a": node}
    with pytest.raises(BakeError, match="too deeply"):
        _targets([{"services": {"a": {"build": node}}}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}-$A-$$A", "x-x-$A"),
        ("${B:-${A}}", "x"),
        ("${B-}", ""),
        ("${A:+y}${B:+n}", "y"),
        ("$1 $", "$1 $"),
        ("${B:-a:b}", "a:b"),
    ],
)
def test_variables_are_replaced(text: str, expected: str) -> None:
    assert interpolate(text, {"A": "x"}, lambda _: None) == expected


def test_a_dotenv_whose_values_double_is_refused_soon() -> None:
    many = "".join(f"A{n}=x\n" for n in range(40_000))
    start = time.process_time()

    assert len(read_dotenv(many, {"HOME": "/"}, print)) == 40_000
    with pytest.raises(BakeError, match="values of more than"):
        read_dotenv(
            f"A={'x' * 900_000}\n" + "".join(f"B{n}=${{A}}y\n" for n in range(9)), {}, print
        )

    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("args", None),
        ("args", "A=1"),
        ("args", ["A=1", 2]),
        ("args", {"A": ["1"]}),
        ("labels", 5),
        ("tags", None),
        ("tags", "a"),
        ("platforms", [5]),
        ("target", 5),
        ("dockerfile", None),
        ("no_cache", 1),
        ("shm_size", True),
        ("extra_hosts", {"a": 5}),
        ("ssh", "default"),
        ("secrets", "s"),
        ("ulimits", ["nofile=1"]),
    ],
)
def test_a_value_below_build_has_the_type_of_the_specification(key: str, value: object) -> None:
    with pytest.raises(BakeError, match=rf"services\.a\.build\.{key}.* must be a "):
        _targets([{"services": {"a": {"build": {key: value}}}}])


@pytest.mark.parametrize("service", [{"image": 5}, {"image": None}, {"environment": "A"}])
def test_so_have_the_values_beside_it(service: dict[str, object]) -> None:
    with pytest.raises(BakeError, match=r"services\.a\.(image|environment) must be a "):
        _targets([{"services": {"a": {"build": ".", **service}}}])


@pytest.mark.parametrize(
    ("value", "attests"),
    [
        (True, [{"type": "sbom"}]),
        (0, [{"type": "sbom", "disabled": True}]),
        ("f", [{"type": "sbom", "disabled": True}]),
        ("generator=x", [{"type": "sbom", "generator": "x"}]),
        ("", None),
    ],
)
def test_an_attestation_is_switched_by_any_boolean_of_go(
    value: object, attests: list[dict[str, object]] | None
) -> None:
    definition = _targets([{"services": {"a": {"build": {"sbom": value}}}}])
    shown = json.loads(print_plan(plan(definition, ["a"], (), {})))

    assert shown["target"]["a"].get("attest") == attests


def test_a_service_extends_those_of_its_own_file_as_they_are_there() -> None:
    first = {"services": {"a": {"build": ".", "image": "one"}, "b": {"build": {}, "extends": "a"}}}
    second = {"services": {"a": {"image": "two"}}}

    assert _tags([first, second]) == {"a": ["two"], "b": ["one"]}
    with pytest.raises(BakeError, match='service "a" not found'):
        _targets([{"services": {"a": {"build": "."}}}, {"services": {"b": {"extends": "a"}}}])


def test_what_replaces_a_value_of_another_file_replaces_an_extended_one_too() -> None:
    first = {"services": {"a": {"build": {"tags": ["x"]}}}}
    second = {
        "services": {
            "a": {"build": {"tags": ["y"]}},
            "b": {"extends": "a", "build": {"tags": Tagged("!override", ["z"])}},
        }
    }

    assert _tags([first, second]) == {"a": ["x", "y"], "b": ["z"]}


def _tags(documents: list[Any]) -> dict[str, object]:
    return {name: each.get("tags") for name, each in _targets(documents).targets.items()}


def test_services_without_a_build_are_a_group_of_no_targets() -> None:
    shown = print_plan(plan(_targets([{"services": {"a": {"image": "x"}}}]), [], (), {}))

    assert json.loads(shown) == {"group": {"default": {"targets": []}}, "target": {}}


@pytest.mark.parametrize("text", ["1", "0", "t", ""])
def test_a_switch_in_quotes_is_a_boolean_of_yaml(text: str) -> None:
    with pytest.raises(BakeError, match="invalid boolean"):
        _targets([{"services": {"a": {"build": {"no_cache": text}}}}])

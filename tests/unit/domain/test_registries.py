"""Locations of images, by the rules of registries.conf."""

import pytest

from img.domain.digest import Digest
from img.domain.reference import ImageReference
from img.domain.registries import (
    Endpoint,
    PullFrom,
    RegistryBlocked,
    RegistryRule,
    RegistryRules,
    rules_in_effect,
)

_DIGEST = Digest.of(b"")


def _rules(*rules: RegistryRule, **aliases: str) -> RegistryRules:
    return RegistryRules(rules=rules, aliases=aliases)


def _places(rules: RegistryRules, name: str, *, pinned: bool = False) -> list[str]:
    return [str(p) for p in rules.pull_places(ImageReference.parse(name), pinned=pinned)]


def test_a_name_without_rules_is_where_it_says() -> None:
    assert _places(_rules(), "quay.io/a/b:1") == ["quay.io/a/b:1"]


def test_mirrors_come_in_their_order_and_home_last() -> None:
    mirrors = (Endpoint(location="m1.test/hub"), Endpoint(location="m2.test:5000"))
    rules = _rules(RegistryRule(prefix="docker.io", mirrors=mirrors))

    assert _places(rules, "busybox") == [
        "m1.test/hub/library/busybox:latest",
        "m2.test:5000/library/busybox:latest",
        "docker.io/library/busybox:latest",
    ]


def test_the_longest_prefix_decides() -> None:
    rules = _rules(
        RegistryRule(prefix="quay.io", location="a.test"),
        RegistryRule(prefix="quay.io/team/app", location="c.test/app"),
        RegistryRule(prefix="quay.io/team", location="b.test/t"),
    )

    assert _places(rules, "quay.io/other/x:1") == ["a.test/other/x:1"]
    assert _places(rules, "quay.io/team/x:1") == ["b.test/t/x:1"]
    assert _places(rules, "quay.io/team/app:1") == ["c.test/app:1"]
    assert _places(rules, "quay.io/team/application:1") == ["b.test/t/application:1"]
    assert _places(rules, "quay.io/team2/app:1") == ["a.test/team2/app:1"]


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("example.com/a", True),
        ("example.com:5000/a", False),
        ("example.community/a", False),
        ("sub.example.com/a", False),
    ],
)
def test_a_host_is_a_whole_host(name: str, fits: bool) -> None:
    rules = _rules(RegistryRule(prefix="example.com", blocked=True))

    if not fits:
        assert _places(rules, name) == [f"{name}:latest"]
        return
    with pytest.raises(RegistryBlocked, match=r"example.com/a:latest: .* blocks example.com"):
        _places(rules, name)


def test_a_wildcard_is_for_all_hosts_below() -> None:
    rules = _rules(RegistryRule(prefix="*.example.com", location="m.test/x", insecure=True))

    assert _places(rules, "a.example.com/b:1") == ["m.test/x/b:1"]
    assert _places(rules, "c.a.example.com/b:1") == ["m.test/x/b:1"]
    assert _places(rules, "example.com/b:1") == ["example.com/b:1"]


def test_a_wildcard_without_location_leaves_names_as_they_are() -> None:
    rules = _rules(RegistryRule(prefix="*.example.com", insecure=True))

    assert _places(rules, "a.example.com/b:1") == ["a.example.com/b:1"]
    assert rules.is_insecure("a.example.com/b")
    assert not rules.is_insecure("example.com/b")


def test_a_rule_may_be_for_one_tag_or_digest() -> None:
    rules = _rules(RegistryRule(prefix="quay.io/a/b:1", blocked=True))

    assert _places(rules, "quay.io/a/b:2") == ["quay.io/a/b:2"]
    with pytest.raises(RegistryBlocked):
        _places(rules, "quay.io/a/b:1")


def test_mirrors_for_digests_are_asked_when_there_is_one() -> None:
    mirrors = (
        Endpoint(location="d.test", pull_from=PullFrom.DIGESTS),
        Endpoint(location="t.test", pull_from=PullFrom.TAGS),
    )
    rules = _rules(RegistryRule(prefix="quay.io", mirrors=mirrors))

    assert _places(rules, "quay.io/a:1") == ["t.test/a:1", "quay.io/a:1"]
    assert _places(rules, f"quay.io/a@{_DIGEST}") == [f"d.test/a@{_DIGEST}", f"quay.io/a@{_DIGEST}"]
    assert _places(rules, "quay.io/a:1", pinned=True) == ["d.test/a:1", "t.test/a:1", "quay.io/a:1"]


def test_pushes_go_home_which_may_be_elsewhere() -> None:
    mirrors = (Endpoint(location="m.test"),)
    rules = _rules(
        RegistryRule(prefix="quay.io", mirrors=mirrors),
        RegistryRule(prefix="old.test", location="new.test/old"),
        RegistryRule(prefix="bad.test", blocked=True),
    )

    assert str(rules.push_place(ImageReference.parse("quay.io/a:1"))) == "quay.io/a:1"
    assert str(rules.push_place(ImageReference.parse("old.test/a:1"))) == "new.test/old/a:1"
    with pytest.raises(RegistryBlocked):
        rules.push_place(ImageReference.parse("bad.test/a:1"))


def test_insecure_is_the_place_and_not_the_name() -> None:
    mirrors = (Endpoint(location="m.test:5000/hub", insecure=True), Endpoint(location="n.test"))
    rules = _rules(
        RegistryRule(prefix="docker.io", mirrors=mirrors),
        RegistryRule(prefix="plain.test", insecure=True),
    )

    assert rules.is_insecure("m.test:5000/hub/library/busybox")
    assert not rules.is_insecure("m.test:5000/other")
    assert not rules.is_insecure("docker.io/library/busybox")
    assert not rules.is_insecure("n.test/library/busybox")
    assert rules.is_insecure("plain.test/x")
    assert rules.is_insecure("plain.test")


def test_an_alias_is_for_names_of_docker_hub_alone() -> None:
    rules = _rules(fedora="registry.fedoraproject.org/fedora")

    assert _places(rules, "fedora:40") == ["registry.fedoraproject.org/fedora:40"]
    assert _places(rules, "quay.io/fedora:40") == ["quay.io/fedora:40"]
    assert _places(rules, "team/fedora:40") == ["docker.io/team/fedora:40"]


def test_an_alias_leads_to_mirrors_too() -> None:
    mirrors = (Endpoint(location="m.test"),)
    rules = _rules(RegistryRule(prefix="r.test", mirrors=mirrors), app="r.test/team/app")

    assert _places(rules, "app:1") == ["m.test/team/app:1", "r.test/team/app:1"]


def test_of_two_rules_for_one_prefix_the_later_counts() -> None:
    first = _rules(RegistryRule(prefix="a.test", blocked=True), x="a.test/x")
    second = _rules(RegistryRule(prefix="a.test", location="b.test"), x="b.test/x")

    together = rules_in_effect([first, second])

    assert _places(together, "a.test/y:1") == ["b.test/y:1"]
    assert together.aliases == {"x": "b.test/x"}


def test_without_a_fallback_pulls_ask_the_mirrors_alone() -> None:
    rule = RegistryRule(
        prefix="a.io",
        mirrors=(Endpoint(location="m.io"), Endpoint(location="n.io/x")),
        only_mirrors=True,
    )
    rules = _rules(rule)

    assert _places(rules, "a.io/b:1") == ["m.io/b:1", "n.io/x/b:1"]
    assert str(rules.push_place(ImageReference.parse("a.io/b:1"))) == "a.io/b:1"
    assert _places(_rules(RegistryRule(prefix="a.io", only_mirrors=True)), "a.io/b") == [
        "a.io/b:latest"
    ]

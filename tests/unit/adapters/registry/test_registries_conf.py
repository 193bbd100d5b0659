"""registries.conf and its kin, from text to rules."""

from pathlib import Path

import pytest

from img.adapters.registry.registries_conf import read_registry_rules, read_rules
from img.domain.reference import ImageReference
from img.domain.registries import (
    Endpoint,
    PullFrom,
    RegistriesUnreadable,
    RegistryRule,
    RegistryRules,
)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "registries.conf"


def test_all_keys_of_a_registry_are_understood(conf: Path) -> None:
    _write(
        conf,
        """
        unqualified-search-registries = ["docker.io"]
        [[registry]]
        prefix = "example.com/foo"
        location = "internal.test/bar/"
        insecure = true
        blocked = true
        [[registry.mirror]]
        location = "m1.test/x"
        insecure = true
        [[registry.mirror]]
        location = "m2.test"
        pull-from-mirror = "tag-only"
        [[registry]]
        location = "quay.io"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "m3.test"
        [[registry]]
        prefix = "*.example.org"
        [aliases]
        "app" = "quay.io/team/app"
        """,
    )

    assert read_rules(conf) == RegistryRules(
        rules=(
            RegistryRule(
                prefix="example.com/foo",
                location="internal.test/bar",
                insecure=True,
                blocked=True,
                mirrors=(
                    Endpoint(location="m1.test/x", insecure=True),
                    Endpoint(location="m2.test", pull_from=PullFrom.TAGS),
                ),
            ),
            RegistryRule(
                prefix="quay.io",
                location="quay.io",
                mirrors=(Endpoint(location="m3.test", pull_from=PullFrom.DIGESTS),),
            ),
            RegistryRule(prefix="*.example.org"),
        ),
        aliases={"app": "quay.io/team/app"},
    )


def test_the_old_format_says_what_is_insecure_or_blocked(conf: Path) -> None:
    _write(
        conf,
        """
        [registries.search]
        registries = ["docker.io"]
        [registries.insecure]
        registries = ["a.test"]
        [registries.block]
        registries = ["b.test"]
        """,
    )

    assert read_rules(conf).rules == (
        RegistryRule(prefix="a.test", location="a.test", insecure=True),
        RegistryRule(prefix="b.test", location="b.test", blocked=True),
    )


def test_a_buildkitd_toml_is_understood(conf: Path) -> None:
    _write(
        conf,
        """
        debug = true
        [registry."docker.io"]
        mirrors = ["m.test:5000/hub", "n.test"]
        [registry."m.test:5000"]
        http = true
        """,
    )
    rules = read_rules(conf)

    places = rules.pull_places(ImageReference.parse("busybox"))
    assert [place.repository for place in places] == [
        "m.test:5000/hub/library/busybox",
        "n.test/library/busybox",
        "docker.io/library/busybox",
    ]
    assert rules.is_insecure("m.test:5000/hub/library/busybox")
    assert not rules.is_insecure("n.test/library/busybox")


def test_a_directory_of_hosts_toml_is_understood(tmp_path: Path) -> None:
    _write(
        tmp_path / "docker.io" / "hosts.toml",
        """
        server = "https://registry-1.docker.io"
        [host."https://m.test/v2/hub"]
        capabilities = ["pull", "resolve"]
        override_path = true
        [host."http://d.test:5000"]
        capabilities = ["pull"]
        [host."https://push.test"]
        capabilities = ["push"]
        """,
    )
    _write(tmp_path / "old.test_5000_" / "hosts.toml", 'server = "https://new.test"\n')
    _write(tmp_path / "_default" / "hosts.toml", '[host."https://all.test"]\n')

    rules = read_registry_rules({"IMG_REGISTRIES_CONF": str(tmp_path)})

    assert rules.rules == (
        RegistryRule(
            prefix="docker.io",
            location="docker.io",
            mirrors=(
                Endpoint(location="m.test/hub"),
                Endpoint(location="d.test:5000", insecure=True, pull_from=PullFrom.DIGESTS),
            ),
        ),
        RegistryRule(prefix="old.test:5000", location="new.test"),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[registry", "Expected"),
        ("[[registry]]\ninsecure = true", "without prefix and location"),
        ("[[registry]]\nlocation = 'a.test'\ninsecure = 'yes'", "insecure is neither"),
        ("[[registry]]\nlocation = 'https://a.test'", "is a URL"),
        ("[[registry]]\nlocation = 5", "location is no text"),
        ("[[registry]]\nlocation = 'a.test'\nmirror = 'b.test'", "mirror is no array"),
        ("[[registry]]\nlocation='a.test'\n[[registry.mirror]]\ninsecure=true", "without location"),
        (
            (
                "[[registry]]\nlocation='a.test'\n[[registry.mirror]]\nlocation='b'\n"
                "pull-from-mirror='never'"
            ),
            "invalid pull-from-mirror 'never'",
        ),
        (
            (
                "[[registry]]\nlocation='a.test'\nmirror-by-digest-only=true\n[[registry.mirror]]\n"
                "location='b'\npull-from-mirror='all'"
            ),
            "beside mirror-by-digest-only",
        ),
        ("registry = 1", "registry is no array"),
        ("aliases = 1", "aliases is no table"),
        ("[registries.insecure]\nregistries = 'a'", "no list of names"),
        ("[registry.'a.test']\nca = ['x']", "certs.d"),
        ("[registry.'a.test']\nmirrors = 'm'", "mirrors is no list"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file(conf: Path, text: str, why: str) -> None:
    _write(conf, text)

    with pytest.raises(RegistriesUnreadable, match=why) as error:
        read_rules(conf)
    assert str(conf) in error.value.message


def _blocking(host: str) -> str:
    return f"[[registry]]\nlocation = '{host}'\nblocked = true\n"


def _blocked(environment: dict[str, str], system: Path) -> set[str]:
    return {rule.prefix for rule in read_registry_rules(environment, system).rules}


def test_drop_ins_follow_their_file_in_the_order_of_their_names(tmp_path: Path) -> None:
    system = tmp_path / "etc"
    _write(system / "registries.conf", "[[registry]]\nlocation = 'a.test'\n")
    drop_ins = system / "registries.conf.d"
    _write(drop_ins / "20.conf", "[[registry]]\nprefix = 'a.test'\nlocation = 'c.test'\n")
    _write(drop_ins / "10.conf", "[[registry]]\nprefix = 'a.test'\nlocation = 'b.test'\n")
    _write(drop_ins / "30.conf.bak", "}{")

    rules = read_registry_rules({"HOME": str(tmp_path)}, system)

    assert [rule.location for rule in rules.rules] == ["c.test"]


def test_a_users_file_stands_for_the_systems(tmp_path: Path) -> None:
    system, user = tmp_path / "etc", tmp_path / ".config" / "containers"
    _write(system / "registries.conf", _blocking("a.test"))
    _write(system / "registries.conf.d" / "1.conf", _blocking("b.test"))
    _write(user / "registries.conf.d" / "1.conf", _blocking("c.test"))
    home = {"HOME": str(tmp_path)}
    assert _blocked(home, system) == {"a.test", "b.test", "c.test"}

    _write(user / "registries.conf", _blocking("d.test"))
    assert _blocked(home, system) == {"c.test", "d.test"}
    assert _blocked({"HOME": str(tmp_path / "none")}, system) == {"a.test", "b.test"}


def test_files_named_in_the_environment_come_first(tmp_path: Path) -> None:
    system = tmp_path / "etc"
    _write(system / "registries.conf", _blocking("a.test"))
    _write(system / "registries.conf.d" / "1.conf", _blocking("b.test"))
    theirs = _write(tmp_path / "theirs.conf", _blocking("c.test"))
    ours = _write(tmp_path / "ours.conf", _blocking("d.test"))
    environment = {"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(theirs)}

    assert _blocked(environment, system) == {"b.test", "c.test"}
    assert _blocked({**environment, "IMG_REGISTRIES_CONF": str(ours)}, system) == {"d.test"}


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.conf")

    with pytest.raises(RegistriesUnreadable, match=r"nowhere\.conf: no such file"):
        read_registry_rules({"IMG_REGISTRIES_CONF": nowhere})


def test_nothing_is_configured_where_there_are_no_files(tmp_path: Path) -> None:
    assert read_registry_rules({"HOME": str(tmp_path)}, tmp_path / "etc") == RegistryRules()
    assert read_registry_rules({"HOME": "a" * 300}, tmp_path / ("b" * 300)) == RegistryRules()


def test_aliases_count_only_where_the_file_is_meant_for_img(tmp_path: Path) -> None:
    system = tmp_path / "etc"
    text = "[aliases]\nfedora = 'registry.fedoraproject.org/fedora'\n"
    path = _write(system / "registries.conf", text)

    assert not read_registry_rules({"HOME": str(tmp_path)}, system).aliases
    assert read_registry_rules({"IMG_REGISTRIES_CONF": str(path)}, system).aliases

"""img's own policy: each rule has what it forbids, and what it allows."""

import tomllib

import pytest

from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.graph.operations import FetchGit
from img.domain.policy.git_source import git_identifier, with_git_identifier
from img.domain.policy.policy import BadPolicy, Policy
from img.domain.policy.violation import PolicyViolated
from img.domain.reference import ImageReference

_DIGEST = Digest.of(b"image")


def _policy(text: str) -> Policy:
    return Policy.parse(tomllib.loads(text), "s.toml", "/etc/img")


def _check(policy: Policy, name: str, pin: Digest | None = None) -> None:
    reference = ImageReference.parse(name)
    policy.check_image(reference, str(reference), pin)


def test_an_empty_policy_allows_everything() -> None:
    policy = _policy("")

    _check(policy, "busybox")
    policy.check_image(None, "sha256:1", None)
    policy.check_download("https://a/b", pinned=False)
    policy.check_size(1 << 50)
    assert not policy.reads_results
    assert not policy.refuses_license("AGPL-3.0-only")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("r.example/app", True),
        ("r.example:5000/app", False),
        ("docker.io/library/busybox", True),
        ("busybox", True),
        ("docker.io/other/busybox", False),
        ("docker.io/libraryx/busybox", False),
        ("ghcr.io/team/app", True),
        ("ghcr.io/team2/app", False),
    ],
)
def test_registries(name: str, allowed: bool) -> None:
    policy = _policy('registries = ["r.example", "docker.io/library", "ghcr.io/team/"]')

    if allowed:
        _check(policy, name)
    else:
        with pytest.raises(PolicyViolated, match="not from an allowed registry") as refused:
            _check(policy, name)
        assert refused.value.rule == "registries, s.toml"


def test_images_without_a_registry_are_from_none() -> None:
    with pytest.raises(PolicyViolated, match="allowed registry"):
        _policy('registries = ["r.example"]').check_image(None, "sha256:1", None)


def test_pinned() -> None:
    policy = _policy("pinned = true")

    _check(policy, f"busybox@{_DIGEST}")
    _check(policy, "busybox", _DIGEST)  # of a lock file
    policy.check_image(None, "sha256:1", None)  # an ID is a digest
    policy.check_download("https://a/b", pinned=True)
    policy.check_image(None, f"oci-layout://lay@{_DIGEST}", None)
    with pytest.raises(PolicyViolated, match="lay:1 has no digest"):
        policy.check_image(None, "oci-layout://lay:1", None)
    with pytest.raises(PolicyViolated, match="busybox:1 has no digest"):
        _check(policy, "busybox:1")
    with pytest.raises(PolicyViolated, match="https://a/b has no checksum"):
        policy.check_download("https://a/b", pinned=False)


def test_signed_images_are_chosen_by_name() -> None:
    policy = _policy(
        '[[signed]]\nimages = ["docker.io/library/*", "r.example/[x]*"]\nkey = "a.pub"\n'
        '[[signed]]\nkeys = ["/keys/b.pub", "c.pub"]'
    )

    def keys(name: str) -> list[tuple[str, ...]]:
        reference = ImageReference.parse(name)
        return [each.keys for each in policy.keys_for(reference, name)]

    everywhere = ("/keys/b.pub", "/etc/img/c.pub")
    assert keys("busybox") == [("/etc/img/a.pub",), everywhere]
    assert keys("r.example/x") == [everywhere]
    of_one = _policy('[[signed]]\nimages = ["r.example/a", "r.example/b:1"]\nkey = "/a.pub"')
    for name in ("a", "a:1", f"a:1@{_DIGEST}", f"a@{_DIGEST}", "b:1", f"b:1@{_DIGEST}"):
        assert of_one.keys_for(ImageReference.parse(f"r.example/{name}"), name), name
    for name in ("R.example/a", "r.example:443/a:1"):
        assert of_one.keys_for(ImageReference.parse(name), name), name
    of_hub = _policy('[[signed]]\nimages = ["docker.io/*"]\nkey = "/a.pub"')
    for name in ("registry-1.docker.io/library/a", "DOCKER.IO:443/library/a"):
        assert of_hub.keys_for(ImageReference.parse(name), name), name
    for name in ("ab", "b:2", "c/a"):
        assert not of_one.keys_for(ImageReference.parse(f"r.example/{name}"), name), name
    assert [each.keys for each in policy.keys_for(None, "sha256:1")] == [everywhere]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", False),
        ("MIT", False),
        ("GPL-3.0-only", True),
        ("gpl-3.0-only", True),
        ("LGPL-3.0-only", False),
        ("AGPL-3.0-or-later", True),
        ("MIT AND GPL-3.0-only", True),
        ("MIT OR GPL-3.0-only", False),
        ("GPL-3.0-only OR AGPL-3.0-only", True),
        ("MIT OR (GPL-3.0-only AND ISC)", True),  # parentheses are not understood: refused
        ("GNU AGPL", True),
        ("Some License", True),
    ],
)
def test_refused_licenses(text: str, refused: bool) -> None:
    policy = _policy('refused-licenses = ["GPL-3.0-only", "AGPL*", "some license"]')

    assert policy.refuses_license(text) is refused
    assert "(policy: refused-licenses, s.toml)" in policy.refuse_licenses(["a 1 (x)"]).message


def test_max_size() -> None:
    policy = _policy("max-size = 1000")

    assert _policy('max-size = "1KB"').max_size == 1024
    policy.check_size(1000)
    with pytest.raises(PolicyViolated, match="1001 bytes, 1 too many"):
        policy.check_size(1001)


@pytest.mark.parametrize(
    ("kind", "mode", "refused"),
    [
        (FILE, 0o4755, True),
        (FILE, 0o2755, True),
        (FILE, 0o1755, False),
        (FILE, 0o755, False),
        (DIRECTORY, 0o2755, False),
    ],
)
def test_no_setuid(kind: str, mode: int, refused: bool) -> None:
    assert _policy("no-setuid = true").is_set_id(Entry("a", kind, mode)) is refused  # type: ignore[arg-type]
    assert not _policy("no-setuid = false").is_set_id(Entry("a", kind, mode))  # type: ignore[arg-type]


def test_a_message_names_a_few_files() -> None:
    message = _policy("no-setuid = true").refuse_set_id([f"bin/{n}" for n in range(8)]).message

    assert message.startswith("setuid or setgid: /bin/0, /bin/1, /bin/2, /bin/3, /bin/4 and 3 more")


@pytest.mark.parametrize(
    "text",
    [
        "registry = []",
        'registries = "r.example"',
        "registries = [1]",
        'pinned = "yes"',
        'max-size = "big"',
        "max-size = -1",
        "max-size = true",
        "max-size = 1.5",
        'signed = "a.pub"',
        "[[signed]]\nimages = []",
        '[[signed]]\nkeyz = "a"',
        '[[signed]]\nkey = ""',
        "no-setuid = 1",
    ],
)
def test_wrong_policies_are_refused(text: str) -> None:
    with pytest.raises(BadPolicy, match=r"s\.toml: "):
        _policy(text)


def test_a_policy_is_a_table() -> None:
    with pytest.raises(BadPolicy, match="is no table"):
        Policy.parse([], "s.toml", "/")


@pytest.mark.parametrize(
    ("remote", "ref", "subdir", "name"),
    [
        ("https://github.com/a/b.git", "main", "", "git://github.com/a/b.git#main"),
        ("https://github.com/a/b.git", "", "d", "git://github.com/a/b.git#:d"),
        ("git@github.com:a/b.git", "", "", "git://github.com/a/b.git"),
        ("ssh://git@host:22/a", "v1", "d", "git://host:22/a#v1:d"),
    ],
)
def test_names_of_git_repositories(remote: str, ref: str, subdir: str, name: str) -> None:
    operation = FetchGit(remote=remote, ref=ref, subdir=subdir)

    assert git_identifier(operation) == name
    assert with_git_identifier(operation, name) == operation
    moved = with_git_identifier(operation, "git://mirror/x#v2")
    assert moved is not None
    assert git_identifier(moved) == "git://mirror/x#v2"
    assert with_git_identifier(operation, "https://x") is None

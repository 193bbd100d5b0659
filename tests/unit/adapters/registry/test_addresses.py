import pytest

from img.adapters.registry.addresses import checked, followed, is_loopback, is_same_host
from img.application.ports.registry import RegistryError


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:5000", "127.0.0.1", "127.9.9.9:80", "[::1]:5000", "a.localhost:1"],
)
def test_this_machine_is_known_under_all_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["docker.io", "localhost.example.com", "10.0.0.1:5000", "128.0.0.1"]
)
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "host", "same"),
    [
        ("https://quay.io/v2/", "quay.io", True),
        ("https://quay.io:443/v2/", "quay.io", True),
        ("https://quay.io/v2/", "quay.io:443", True),
        ("https://QUAY.io/v2/", "quay.io", True),
        ("https://quay.io:5000/v2/", "quay.io", False),
        ("https://cdn.quay.io/v2/", "quay.io", False),
        ("http://quay.io/v2/", "quay.io", False),
        ("https://[::1/", "quay.io", False),
        ("https://quay.io:99999/", "quay.io", False),
    ],
)
def test_a_host_is_a_name_and_a_port(url: str, host: str, same: bool) -> None:
    assert is_same_host(url, host, "https") is same


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com/token",
        "file:///etc/passwd",
        "https:///nothing",
        "https://[::1/x",
        "https://example.com:99999/x",
        "https://example.com/\x1b[31m",
        "https://example.com/a b",
        f"https://example.com/{'a' * 8000}",
    ],
)
def test_a_registry_on_https_sends_us_to_no_such_place(url: str) -> None:
    with pytest.raises(RegistryError):
        checked(url, host="registry.example.com", scheme="https")


@pytest.mark.parametrize(
    ("url", "host", "scheme"),
    [
        ("https://auth.docker.io/token", "registry-1.docker.io", "https"),
        ("https://10.1.2.3/token", "10.1.2.3:5000", "https"),
        ("http://127.0.0.1:8080/token", "127.0.0.1:5000", "http"),
        ("http://127.0.0.1:8080/token", "localhost:5000", "http"),
        ("https://10.1.2.4/token", "10.1.2.3", "https"),
    ],
)
def test_what_registries_do_is_allowed(url: str, host: str, scheme: str) -> None:
    assert checked(url, host=host, scheme=scheme) == url


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/next", "https://registry.test/v2/next"),
        ("?last=a", "https://registry.test/v2/tags?last=a"),
        ("http://registry.test/v2/next", "https://registry.test/v2/next"),
        ("//registry.test/v2/next", "https://registry.test/v2/next"),
        ("https://storage.test/x", "https://storage.test/x"),
        ("https://storage.test/x?a=b#c?d=e", "https://storage.test/x?a=b"),
        ("/v2/next#", "https://registry.test/v2/next"),
        ("#part", "https://registry.test/v2/tags"),
    ],
)
def test_a_header_is_followed_over_https_where_the_registry_speaks_it(
    location: str, url: str
) -> None:
    base = "https://registry.test/v2/tags"

    assert followed(location, base, host="registry.test", scheme="https") == url


@pytest.mark.parametrize("location", ["http://storage.test/x", "//[", "http://[::1/x", "/a\x1b"])
def test_a_header_that_leads_elsewhere_without_tls_is_not_followed(location: str) -> None:
    base = "https://registry.test/v2/tags"

    with pytest.raises(RegistryError, match="sends us to"):
        followed(location, base, host="registry.test", scheme="https")

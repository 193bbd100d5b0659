"""Choice of a proxy; the table is that of Go's httpproxy."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.errors import UsageError
from img.domain.proxies import ProxyRules

_PROXY = "http://proxy.test:3128"


def _rules(**environment: str) -> ProxyRules:
    return ProxyRules.of({"HTTPS_PROXY": _PROXY, "HTTP_PROXY": _PROXY, **environment})


@pytest.mark.parametrize(
    ("exceptions", "url", "is_direct"),
    [
        ("", "https://registry.test/", False),
        ("*", "https://registry.test/", True),
        ("*", "https://10.1.2.3/", True),
        ("a.test, *", "https://registry.test/", True),
        ("registry.test", "https://registry.test/", True),
        ("registry.test", "https://REGISTRY.test/v2/", True),
        ("Registry.Test", "https://registry.test/", True),
        ("registry.test", "https://a.registry.test/", True),
        ("registry.test", "https://aregistry.test/", False),
        (".registry.test", "https://a.registry.test/", True),
        (".registry.test", "https://registry.test/", False),
        ("*.registry.test", "https://a.registry.test/", True),
        ("*.registry.test", "https://a.b.registry.test:5000/", True),
        ("*.registry.test", "https://registry.test/", False),
        ("*registry.test", "https://aregistry.test/", False),
        ("test", "https://registry.test/", True),
        ("registry.test:443", "https://registry.test/", True),
        ("registry.test:443", "https://registry.test:5000/", False),
        ("registry.test:80", "http://registry.test/", True),
        ("registry.test:80", "https://registry.test/", False),
        ("registry.test:", "https://registry.test/", True),
        ("*.test:5000", "https://registry.test:5000/", True),
        ("*.test:5000", "https://registry.test/", False),
        (" a.test ,registry.test\t", "https://registry.test/", True),
        ("a.test registry.test", "https://registry.test/", False),
        ("10.1.2.3", "https://10.1.2.3/", True),
        ("10.1.2.3", "https://10.1.2.30/", False),
        ("10.1.2.3:5000", "https://10.1.2.3:5000/", True),
        ("10.1.2.3:5000", "https://10.1.2.3/", False),
        ("10.0.0.0/8", "https://10.200.1.1:5000/", True),
        ("10.1.2.3/8", "https://10.200.1.1/", True),
        ("10.0.0.0/8", "https://11.0.0.1/", False),
        ("0.0.0.0/0", "https://93.184.216.34/", True),
        ("0.0.0.0/0", "https://registry.test/", False),
        ("0.0.0.0/0", "https://[2001:db8::1]/", False),
        ("::/0", "https://[2001:db8::1]/", True),
        ("2001:db8::/32", "https://[2001:db8:1::5]:5000/", True),
        ("2001:db8::/32", "https://[2001:db9::5]/", False),
        ("2001:db8::1", "https://[2001:db8::1]/", True),
        ("2001:DB8:0::1", "https://[2001:db8::1]/", True),
        ("[2001:db8::1]", "https://[2001:db8::1]/", True),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000/", True),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]/", False),
        ("::ffff:10.1.2.3", "https://10.1.2.3/", True),
        ("10.1.2.3/33", "https://10.1.2.3/", False),
        (":443,/8,[]:1,.,,*.", "https://registry.test/", False),
        ("b\u00fccher.test", "https://xn--bcher-kva.test/", True),
        ("xn--bcher-kva.test", "https://b\u00fccher.test/", True),
        ("", "https://localhost:5000/", True),
        ("", "https://a.localhost/", True),
        ("", "https://127.9.9.9/", True),
        ("", "https://[::1]:5000/", True),
        ("", "ftp://registry.test/", True),
        ("", "https://registry.test:99999/", True),
        ("", "https://[::1", True),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(exceptions: str, url: str, is_direct: bool) -> None:
    assert _rules(NO_PROXY=exceptions).proxy_for(url) == ("" if is_direct else _PROXY)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, "https://r.test/", "http://a"),
        ({"HTTPS_PROXY": "", "https_proxy": "http://b"}, "https://r.test/", "http://b"),
        ({"HTTP_PROXY": "http://a", "http_proxy": "http://b"}, "http://r.test/", "http://a"),
        ({"HTTP_PROXY": "http://a"}, "https://r.test/", ""),
        ({"HTTPS_PROXY": "http://a"}, "http://r.test/", ""),
        ({"ALL_PROXY": "socks5://a", "all_proxy": "http://a"}, "https://r.test/", ""),
        ({"HTTPS_PROXY": "a.test:3128"}, "https://r.test/", "http://a.test:3128"),
        ({"HTTPS_PROXY": "socks5://u:p@a:1"}, "https://r.test/", "socks5://u:p@a:1"),
        ({"HTTPS_PROXY": "socks5h://a"}, "https://r.test/", "socks5h://a"),
        ({"HTTPS_PROXY": "https://a"}, "https://r.test/", "https://a"),
        (
            {"HTTPS_PROXY": "a", "NO_PROXY": "x", "no_proxy": "r.test"},
            "https://r.test/",
            "http://a",
        ),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "", "no_proxy": "r.test"}, "https://r.test/", ""),
        ({"HTTP_PROXY": "http://a", "REQUEST_METHOD": "GET"}, "http://r.test/", ""),
    ],
)
def test_capitals_come_first(environment: dict[str, str], url: str, proxy: str) -> None:
    assert ProxyRules.of(environment).proxy_for(url) == proxy


@pytest.mark.parametrize(
    "proxy",
    ["socks4://a", "ftp://a", "http://", "http://a:99999", "http://[::1", "http://a b", "\x1b[31m"],
)
def test_what_can_be_no_proxy_is_refused_when_it_is_needed(proxy: str) -> None:
    rules = ProxyRules.of({"HTTPS_PROXY": proxy, "NO_PROXY": "b.test"})

    assert rules.proxy_for("https://b.test/") == ""
    with pytest.raises(UsageError, match="names no proxy"):
        rules.proxy_for("https://a.test/")


def test_the_password_of_a_proxy_is_not_shown() -> None:
    with pytest.raises(UsageError) as refused:
        ProxyRules.of({"HTTPS_PROXY": "socks4://ada:lovelace@a"}).proxy_for("https://a.test/")

    assert "lovelace" not in f"{refused.value.message} {refused.value.hint}"


_LABELS = st.from_regex(r"[a-z0-9*.:/\[\]%,-]{0,12}", fullmatch=True)
_HOSTS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,5}(\.[a-z]{1,5}){0,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)


@given(
    text=st.lists(st.one_of(_LABELS, st.text(max_size=8)), max_size=4).map(",".join), host=_HOSTS
)
def test_every_text_is_taken_and_a_host_that_it_names_is_excepted(text: str, host: str) -> None:
    url = f"https://{host}:5000/"

    assert _rules(NO_PROXY=text).proxy_for(url) in {"", _PROXY}
    for named in (host, f"{host}:5000"):
        assert _rules(NO_PROXY=f"{text},{named}").proxy_for(url) == ""


def test_a_network_excepts_its_addresses_and_no_others() -> None:
    network = ipaddress.ip_network("172.16.4.0/22")
    around = [str(ipaddress.ip_address("172.16.3.250") + step) for step in range(0, 1100, 7)]
    rules = _rules(NO_PROXY=str(network))

    for address, scheme in itertools.product(around, ("http", "https")):
        is_direct = ipaddress.ip_address(address) in network
        assert (rules.proxy_for(f"{scheme}://{address}/") == "") is is_direct

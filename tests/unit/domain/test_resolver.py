"""The /etc/resolv.conf of steps."""

import pytest

from img.domain.process import Resolver

_OTHERS = b"search a.test b.test\noptions ndots:3 edns0\n"
_HOST = b"# by the administrator\nnameserver 127.0.0.53\n" + _OTHERS


def test_without_options_the_file_is_the_hosts_byte_for_byte() -> None:
    assert Resolver().content(b"nameserver ::1\r\n\n#end") == b"nameserver ::1\r\n\n#end"


def test_in_a_network_of_its_own_a_step_searches_the_same_domains() -> None:
    assert Resolver().content(_HOST, b"10.0.2.3") == (
        b"nameserver 10.0.2.3\n# by the administrator\n" + _OTHERS
    )


@pytest.mark.parametrize(
    ("resolver", "expected"),
    [
        (
            Resolver(servers=("192.0.2.1", "fe80::1%eth0")),
            b"nameserver 192.0.2.1\nnameserver fe80::1%eth0\n" + _OTHERS,
        ),
        (
            Resolver(domains=("c.test",)),
            b"search c.test\nnameserver 127.0.0.53\noptions ndots:3 edns0\n",
        ),
        (Resolver(domains=()), b"nameserver 127.0.0.53\noptions ndots:3 edns0\n"),
        (
            Resolver(options=("ndots:1", "rotate")),
            b"options ndots:1 rotate\nnameserver 127.0.0.53\nsearch a.test b.test\n",
        ),
    ],
)
def test_each_option_replaces_the_lines_of_its_kind(resolver: Resolver, expected: bytes) -> None:
    assert resolver.content(_HOST).replace(b"# by the administrator\n", b"") == expected


def test_the_old_name_of_search_is_replaced_too() -> None:
    assert Resolver(domains=("c.test",)).content(b"\tdomain a.test\n") == b"search c.test\n"


def test_given_servers_count_in_a_network_of_its_own() -> None:
    content = Resolver(servers=("192.0.2.1",)).content(b"nameserver 1.1.1.1\n", b"10.0.2.3")

    assert content == b"nameserver 192.0.2.1\n"

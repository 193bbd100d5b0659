"""``--dns``, ``--dns-search`` and ``--dns-option``."""

from collections.abc import Sequence

import pytest

from img.domain.errors import UsageError
from img.domain.options.network import parse_resolver
from img.domain.process import Network, Resolver


def test_options_become_lines_of_the_resolver() -> None:
    assert parse_resolver(
        ["192.0.2.1", "fe80::1%eth0"],
        ["corp.example", "_x.test."],
        ["ndots:2", "use-vc"],
        Network.HOST,
    ) == Resolver(
        servers=("192.0.2.1", "fe80::1%eth0"),
        domains=("corp.example", "_x.test."),
        options=("ndots:2", "use-vc"),
    )
    assert parse_resolver([], ["."], [], Network.HOST) == Resolver(domains=())
    assert parse_resolver([], [], [], Network.NONE) is None


@pytest.mark.parametrize(
    ("servers", "domains", "options", "network", "message"),
    [
        (["one.test"], [], [], Network.HOST, "no IP address"),
        (["none"], [], [], Network.HOST, "no IP address"),
        (["192.0.2.1\nsearch x"], [], [], Network.HOST, "no IP address"),
        (["fe80::1%eth0\nsearch x"], [], [], Network.HOST, "no network interface"),
        (["127.0.0.53"], [], [], Network.PRIVATE, "does not reach --dns 127.0.0.53"),
        ([], ["a b"], [], Network.HOST, "no domain"),
        ([], [], ["ndots:2\nnameserver 1.1.1.1"], Network.HOST, "no option"),
        (["192.0.2.1"], [], [], Network.NONE, "no use with --network none"),
    ],
)
def test_what_resolv_conf_cannot_hold_is_refused(
    servers: Sequence[str],
    domains: Sequence[str],
    options: Sequence[str],
    network: Network,
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        parse_resolver(servers, domains, options, network)

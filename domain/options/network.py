"""``--network``, ``--add-host``, ``--dns``, ``--dns-search`` and ``--dns-option``."""

import ipaddress
import re
from collections.abc import Sequence

from img.domain.address_class import AddressClass
from img.domain.errors import UsageError
from img.domain.process import Network, Resolver

_DOMAIN = r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?"
_OPTION = r"[a-z0-9-]+(:[0-9]+)?"  # resolv.conf(5), "options"
_NO_SEARCH = "."
_SCOPE = r"[A-Za-z0-9_.@-]*"  # Python allows any characters in it, also the end of a line


def parse_network(text: str) -> Network:
    """Return the network that ``default``, ``host``, ``none`` or ``private`` names.

    The default is the host's network, because a bridge needs root. Raises UsageError.
    """
    match text:
        case "" | "default" | "host":
            return Network.HOST
        case "none":
            return Network.NONE
        case "private":
            return Network.PRIVATE
        case _:
            raise UsageError(f"invalid netmode {text}", hint="default, host, none or private")


def parse_host(text: str) -> tuple[str, str]:
    """Return the name and address of ``name:address`` or ``name=address``. Raises UsageError.

    ``host-gateway`` is this machine, because steps share its network.
    """
    found = re.fullmatch(r"([^:=\s]+)[:=]\[?([^\]\s]+)\]?", text)
    if found is None:
        raise UsageError(f'bad format for add-host: "{text}"', hint="use NAME:ADDRESS")
    name, address = found[1], found[2]
    if address == "host-gateway":
        return name, "127.0.0.1"
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f'invalid IP address in add-host: "{address}"') from None
    return name, address


def parse_resolver(
    servers: Sequence[str], domains: Sequence[str], options: Sequence[str], network: Network
) -> Resolver | None:
    """Return the lines of /etc/resolv.conf that the options set, for steps in ``network``.

    The domain "." stands for none. None: no option is given. Raises UsageError.
    """
    if not (servers or domains or options):
        return None
    if network is Network.NONE:
        raise UsageError("--dns, --dns-search and --dns-option have no use with --network none")
    for text in servers:
        _check_server(text, network)
    for text in domains:
        if text != _NO_SEARCH and not re.fullmatch(_DOMAIN, text):
            raise UsageError(f"--dns-search {text!r} is no domain", hint="such as corp.example")
    for text in options:
        if not re.fullmatch(_OPTION, text):
            raise UsageError(f"--dns-option {text!r} is no option", hint="such as ndots:2")
    searched = tuple(text for text in domains if text != _NO_SEARCH)
    return Resolver(
        servers=tuple(servers), domains=searched if domains else None, options=tuple(options)
    )


def _check_server(text: str, network: Network) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(f"--dns {text!r} is no IP address") from None
    if not re.fullmatch(_SCOPE, getattr(address, "scope_id", None) or ""):
        raise UsageError(f"--dns {text!r} names no network interface after %")
    if network is Network.PRIVATE and AddressClass.of_name(text) is AddressClass.LOOPBACK:
        raise UsageError(
            f"--network private does not reach --dns {text}, which is this machine",
            hint="leave --dns out: steps use the name servers of this machine",
        )

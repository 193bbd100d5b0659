"""``--network`` and ``--add-host``."""

import ipaddress
import re

from img.domain.errors import UsageError
from img.domain.process import Network


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

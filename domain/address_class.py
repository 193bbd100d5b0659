"""Classes of IP addresses, by network."""

import ipaddress
from enum import IntEnum

_TUNNELS = ipaddress.ip_network("2002::/16")  # RFC 3056 (6to4): holds an IPv4 address
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052 (NAT64): holds an IPv4 address

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressClass(IntEnum):
    """Networks, by distance."""

    PUBLIC = 0
    PRIVATE = 1  # private networks: 10.0.0.0/8, 192.168.0.0/16, fc00::/7 …
    LINK_LOCAL = 2  # link-local; clouds serve a machine's own secrets there (169.254.169.254)
    LOOPBACK = 3  # this machine

    @classmethod
    def of_address(cls, text: str) -> "AddressClass | None":
        """Return the class of an IP address, None for another text."""
        try:
            address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return None
        # Linux connects to this machine for 0.0.0.0 and ::.
        if address.is_loopback or address.is_unspecified:
            return cls.LOOPBACK
        if address.is_link_local:
            return cls.LINK_LOCAL
        is_public = address.is_global and not address.is_multicast and address not in _TUNNELS
        return cls.PUBLIC if is_public else cls.PRIVATE

    @classmethod
    def of_name(cls, name: str) -> "AddressClass":
        """Return the class of a host name: public unless it is an address, or names this machine.

        Names of this machine are those of RFC 6761, "localhost".
        """
        name = name.lower().rstrip(".").strip("[]")
        if name == "localhost" or name.endswith(".localhost"):
            return cls.LOOPBACK
        return cls.of_address(name) or cls.PUBLIC

    def may_lead_to(self, other: "AddressClass") -> bool:
        """Return whether a server of this class may redirect img to one of class ``other``.

        A server may not redirect to a nearer network, which it cannot reach without img. A server
        on this machine may redirect anywhere except to link-local addresses.
        """
        match other:
            case AddressClass.PUBLIC:
                return True
            case AddressClass.PRIVATE:
                return self is not AddressClass.PUBLIC
            case _:
                return self is other


def _plain(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address

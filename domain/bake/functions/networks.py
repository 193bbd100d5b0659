"""Functions of network addresses (hashicorp/go-cty-funcs/cidr)."""

import ipaddress

from img.domain.bake.functions.signature import function, integer
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.types import STRING
from img.domain.bake.values.value import Value, list_of, string

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(prefix: Value) -> _Network:
    text = prefix.text
    address, slash, length = text.partition("/")
    try:
        if not slash or not (length.isascii() and length.isdigit()) or "%" in address:
            raise ValueError(text)
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise FunctionFault(f"invalid CIDR expression: invalid CIDR address: {text}") from None


def _made(network: _Network, address: int, length: int) -> _Network:
    return type(network)((address, length))


def _cidrhost(prefix: Value, hostnum: Value) -> Value:
    network = _network(prefix)
    host = integer(hostnum.number, 1)
    size = network.num_addresses
    number = host if host >= 0 else size + host
    if not 0 <= number < size:
        raise FunctionFault(
            f"prefix of {network.prefixlen} does not accommodate a host numbered {host}"
        )
    return string(str(network[number]))


def _cidrsubnet(prefix: Value, newbits: Value, netnum: Value) -> Value:
    network = _network(prefix)
    bits, number = integer(newbits.number, 1), integer(netnum.number, 2)
    length = network.prefixlen + bits
    if bits < 0 or length > network.max_prefixlen:
        raise FunctionFault(
            f"insufficient address space to extend prefix of {network.prefixlen} by {bits}"
        )
    if not 0 <= number < 1 << bits:
        raise FunctionFault(
            f"prefix extension of {bits} does not accommodate a subnet numbered {number}"
        )
    address = int(network.network_address) | number << (network.max_prefixlen - length)
    return string(str(_made(network, address, length)))


def _cidrsubnets(prefix: Value, *newbits: Value) -> Value:
    network = _network(prefix)
    made: list[Value] = []
    at = int(network.network_address)
    end = at + network.num_addresses
    last: _Network | None = None
    for place, value in enumerate(newbits):
        bits = integer(value.number, 1 + place)
        if bits < 1:
            raise FunctionFault("must extend prefix by at least one bit", 1 + place)
        length = network.prefixlen + bits
        if length > network.max_prefixlen or bits > 32:
            raise FunctionFault(
                f"would extend prefix to {length} bits, which is too long for "
                f"{'an IPv4' if network.version == 4 else 'an IPv6'} address",
                1 + place,
            )
        size = 1 << (network.max_prefixlen - length)
        start = -(-at // size) * size
        if start + size > end:
            raise FunctionFault(
                "not enough remaining address space for a subnet with a prefix of "
                f"{length} bits after {last}",
                1 + place,
            )
        last = _made(network, start, length)
        made.append(string(str(last)))
        at = start + size
    return list_of(STRING, made)


NETWORKS = {
    "cidrhost": function("prefix:s hostnum:n", _cidrhost),
    "cidrnetmask": function("prefix:s", lambda prefix: string(str(_network(prefix).netmask))),
    "cidrsubnet": function("prefix:s newbits:n netnum:n", _cidrsubnet),
    "cidrsubnets": function("prefix:s newbits:n...", _cidrsubnets),
}

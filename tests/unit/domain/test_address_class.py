"""Classes of addresses, and permitted redirects."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.address_class import AddressClass

PUBLIC, PRIVATE = AddressClass.PUBLIC, AddressClass.PRIVATE
LINK_LOCAL, LOOPBACK = AddressClass.LINK_LOCAL, AddressClass.LOOPBACK


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("93.184.216.34", PUBLIC),
        ("2606:2800:220:1::1", PUBLIC),
        ("10.1.2.3", PRIVATE),
        ("172.16.0.1", PRIVATE),
        ("192.168.1.1", PRIVATE),
        ("100.64.0.1", PRIVATE),
        ("fd00::1", PRIVATE),
        ("198.18.0.5", PRIVATE),
        ("224.0.0.1", PRIVATE),
        ("255.255.255.255", PRIVATE),
        ("169.254.169.254", LINK_LOCAL),
        ("fe80::1%eth0", LINK_LOCAL),
        ("127.0.0.1", LOOPBACK),
        ("127.9.9.9", LOOPBACK),
        ("::1", LOOPBACK),
        ("0.0.0.0", LOOPBACK),  # no socket is bound to it
        ("::", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("::ffff:10.0.0.1", PRIVATE),
        ("::ffff:169.254.169.254", LINK_LOCAL),
        ("64:ff9b::7f00:1", LOOPBACK),
        ("64:ff9b::a9fe:a9fe", LINK_LOCAL),
        ("2002:7f00:1::", PRIVATE),
        ("example.com", None),
        ("", None),
    ],
)
def test_addresses(address: str, found: AddressClass | None) -> None:
    assert AddressClass.of_address(address) is found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("localhost", LOOPBACK),
        ("LOCALHOST.", LOOPBACK),
        ("a.localhost", LOOPBACK),
        ("[::1]", LOOPBACK),
        ("10.0.0.1", PRIVATE),
        ("localhost.example.com", PUBLIC),
        ("quay.io", PUBLIC),
    ],
)
def test_names(name: str, found: AddressClass) -> None:
    assert AddressClass.of_name(name) is found


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (PUBLIC, {PUBLIC}),
        (PRIVATE, {PUBLIC, PRIVATE}),
        (LINK_LOCAL, {PUBLIC, PRIVATE, LINK_LOCAL}),
        (LOOPBACK, {PUBLIC, PRIVATE, LOOPBACK}),
    ],
)
def test_a_server_leads_to_no_nearer_network(
    origin: AddressClass, allowed: set[AddressClass]
) -> None:
    assert {other for other in AddressClass if origin.may_lead_to(other)} == allowed


@given(st.ip_addresses())
def test_every_address_has_a_class(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    found = AddressClass.of_address(str(address))

    assert found is not None
    if found is PUBLIC:
        assert address.is_global

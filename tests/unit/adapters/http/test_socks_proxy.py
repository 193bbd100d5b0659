"""The protocol of SOCKS proxies, with all kinds of answers."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.http.socks_proxy import connect


def _said(
    answers: bytes, host: str = "registry.test", user: bytes = b"", word: bytes = b""
) -> bytes:
    """Return the bytes sent to a proxy that gives these answers. Raises OSError."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(answers)
        there.shutdown(socket.SHUT_WR)
        connect(here, host, 5000, (user, word))
        here.shutdown(socket.SHUT_WR)
        return there.recv(1 << 16)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("registry.test", b"\x03\x0dregistry.test"),
        ("10.1.2.3", b"\x01\x0a\x01\x02\x03"),
        ("::1", b"\x04" + bytes(15) + b"\x01"),
        ("[::1]", b"\x04" + bytes(15) + b"\x01"),
    ],
)
@pytest.mark.parametrize("bound", [b"\x01abcd", b"\x04" + bytes(16), b"\x03\x02ab"])
def test_a_host_is_asked_for_as_rfc_1928_has_it(host: str, address: bytes, bound: bytes) -> None:
    answers = b"\x05\x00" + b"\x05\x00\x00" + bound + b"\x00\x50"

    assert _said(answers, host) == b"\x05\x01\x00" + b"\x05\x01\x00" + address + b"\x13\x88"


def test_a_login_is_that_of_rfc_1929() -> None:
    answers = b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00\x01abcd\x00\x50"

    said = _said(answers, "10.1.2.3", b"ada", b"secret")

    assert said.startswith(b"\x05\x02\x00\x02" + b"\x01\x03ada\x06secret" + b"\x05\x01\x00\x01")


def test_a_server_of_another_protocol_is_told_as_such() -> None:
    with pytest.raises(OSError, match="does not speak SOCKS 5"):
        _said(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@given(answers=st.binary(max_size=40), user=st.binary(max_size=2), start=st.booleans())
@settings(max_examples=100, deadline=None)
def test_nonsense_is_an_error_of_the_system(answers: bytes, user: bytes, start: bool) -> None:
    try:
        _said((b"\x05\x00" if start else b"") + answers, user=user)
    except OSError as error:
        assert str(error)

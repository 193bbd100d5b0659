"""CA certificates as files of the programs that read them."""

import hashlib
import ssl

import pytest

from img.domain.certificates import Certificates
from tests.support.servers.certificates import Authority


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return two certificates in PEM."""
    folder = tmp_path_factory.mktemp("authorities")
    return b"".join(Authority(folder, n).certificate.read_bytes() for n in ("one", "two"))


def test_each_certificate_is_there_once_as_openssl_writes_it(two: bytes) -> None:
    windows = b"subject=/CN=one\r\n" + two.replace(b"\n", b"\r\n")

    assert Certificates.of([two, b"nothing", windows]).pem() == two


def test_what_is_no_certificate_is_left_out(two: bytes) -> None:
    others = (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        b"-----BEGIN CERTIFICATE-----\nMIIB=x\n-----END CERTIFICATE-----\n"
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
    )

    assert Certificates.of([others]) == Certificates()
    assert Certificates.of([others, two]).pem() == two


def test_the_trust_store_of_java_has_the_form_of_openjdk(two: bytes) -> None:
    ders = [ssl.PEM_cert_to_DER_cert(f"{part}-----END CERTIFICATE-----\n")
            for part in two.decode().split("-----END CERTIFICATE-----\n")[:-1]]  # fmt: skip

    store = Certificates.of([two]).java_trust_store()

    body, digest = store[:-20], store[-20:]
    assert (
        digest == hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
    )
    entries = [
        bytes.fromhex("00000002") + b"\0\6host-%d" % number + bytes(8) + b"\0\5X.509"
        + len(der).to_bytes(4, "big") + der
        for number, der in enumerate(ders)
    ]  # fmt: skip
    assert body == bytes.fromhex("FEEDFEED 00000002 00000002") + b"".join(entries)

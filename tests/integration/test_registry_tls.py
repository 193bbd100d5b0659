"""Certificate authorities and client certificates at registries with TLS."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.trust import Trust
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.host.machine import lacking
from tests.support.servers.certificates import Authority
from tests.support.servers.registry_server import PROGRAM, RegistryServer
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = pytest.mark.registry

_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A registry with TLS, and the authority that vouches for it."""

    authority: Authority
    address: str

    @property
    def name(self) -> ImageReference:
        return ImageReference(domain=self.address, path="team/app", tag="v1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with RegistryServer(tls=authority.issue("registry", "IP:127.0.0.1")) as server:
        yield Place(authority=authority, address=server.address)


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Yield a registry that accepts only client certificates of its authority."""
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    authority = Authority(tmp_path_factory.mktemp("authority"))
    server_certificate = authority.issue("registry", "IP:127.0.0.1")
    with RegistryServer(tls=server_certificate, clients=authority.certificate) as server:
        yield Place(authority=authority, address=server.address)


def _there_and_back(place: Place, trust: Trust) -> bytes:
    registry = OrasRegistry(credentials=MemoryCredentials(), trust=trust, sleep=lambda _: None)
    registry.push_blob(place.name, _BLOB, io.BytesIO(b"layer"))
    with registry.open_blob(place.name, _BLOB) as stream:
        return stream.read()


def _certs_d(root: Path, place: Place, **files: Path) -> Path:
    """Make a folder of certs.d with links to ``files``; "_" in their names stands for "."."""
    folder = root / "certs.d" / place.address
    folder.mkdir(parents=True)
    for name, file in files.items():
        (folder / name.replace("_", ".")).symlink_to(file)
    return root / "certs.d"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_named_in_the_environment_is_trusted(place: Place, variable: str) -> None:
    trust = Trust.of({variable: str(place.authority.certificate)})

    assert _there_and_back(place, trust) == b"layer"


def test_a_directory_of_authorities_is_trusted(place: Place, tmp_path: Path) -> None:
    (tmp_path / _hash_name(place.authority.certificate)).symlink_to(place.authority.certificate)

    trust = Trust.of({"SSL_CERT_DIR": f"/nonexistent-{tmp_path.name}:{tmp_path}"})

    assert _there_and_back(place, trust) == b"layer"


def _hash_name(certificate: Path) -> str:
    """Return the name under which OpenSSL looks for it (c_rehash)."""
    import subprocess

    shown = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", certificate],
        check=True,
        capture_output=True,
        text=True,
    )
    return f"{shown.stdout.strip()}.0"


def test_an_authority_in_certs_d_is_trusted(place: Place, tmp_path: Path) -> None:
    folder = _certs_d(tmp_path, place, ca_crt=place.authority.certificate)

    assert _there_and_back(place, Trust(folders=(tmp_path / "none", folder))) == b"layer"


def test_the_folders_are_the_users_then_the_systems() -> None:
    assert Trust.of({"HOME": "/home/ada"}).folders == (
        Path("/home/ada/.config/containers/certs.d"),
        Path("/etc/containers/certs.d"),
        Path("/etc/docker/certs.d"),
    )


def test_an_authority_of_another_host_is_not_trusted(place: Place, tmp_path: Path) -> None:
    elsewhere = Place(authority=place.authority, address="127.0.0.1:1")
    folder = _certs_d(tmp_path, elsewhere, ca_crt=place.authority.certificate)

    with pytest.raises(RegistryError, match="is not to be trusted"):
        _there_and_back(place, Trust(folders=(folder,)))


def test_a_client_certificate_is_shown_to_its_registry(picky: Place, tmp_path: Path) -> None:
    ada = picky.authority.issue("ada")
    folder = _certs_d(
        tmp_path,
        picky,
        ca_crt=picky.authority.certificate,
        ada_cert=ada.certificate,
        ada_key=ada.key,
    )

    assert _there_and_back(picky, Trust(folders=(folder,))) == b"layer"


def test_without_one_a_registry_that_wants_it_is_of_no_use(picky: Place, tmp_path: Path) -> None:
    folder = _certs_d(tmp_path, picky, ca_crt=picky.authority.certificate)

    with pytest.raises(RegistryError, match="certificate"):
        _there_and_back(picky, Trust(folders=(folder,)))


def test_a_client_certificate_does_not_follow_a_redirect(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server_certificate = authority.issue("server", "IP:127.0.0.1", "DNS:localhost")
    ada = authority.issue("ada")
    wanting = server_certificate.context(authority.certificate)

    def send_away(request: Request) -> Answer:
        return Answer(status=307, headers={"Location": f"https://{storage.address}/blob"})

    with (
        ScriptedServer(lambda _: Answer(body=b"layer"), wanting) as storage,
        ScriptedServer(send_away, server_certificate.context()) as registry,
    ):
        place = Place(authority=authority, address=registry.address)
        folder = _certs_d(
            tmp_path,
            place,
            ca_crt=authority.certificate,
            ada_cert=ada.certificate,
            ada_key=ada.key,
        )
        client = OrasRegistry(
            credentials=MemoryCredentials(), trust=Trust(folders=(folder,)), sleep=lambda _: None
        )
        with pytest.raises(RegistryError):
            client.open_blob(place.name, _BLOB).read()
        assert not storage.requests


def test_many_threads_at_once_are_sent_elsewhere(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.issue("server", "IP:127.0.0.1", "DNS:localhost").context()

    def send_away(request: Request) -> Answer:
        place = storage.address.replace("127.0.0.1", "localhost")
        return Answer(status=307, headers={"Location": f"https://{place}/blob"})

    with (
        ScriptedServer(lambda _: Answer(body=b"layer"), context) as storage,
        ScriptedServer(send_away, context) as registry,
    ):
        name = ImageReference(domain=registry.address, path="team/app", tag="v1")
        trust = Trust(ca_certificates=(authority.certificate,))
        client = OrasRegistry(credentials=MemoryCredentials(), trust=trust, sleep=lambda _: None)
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(lambda _: client.open_blob(name, _BLOB).read(), range(16)))
    assert read == [b"layer"] * 16


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"ada_cert": "ada"}, "ada.cert has no ada.key beside it"),
        ({"ada_key": "ada"}, "ada.key has no ada.cert beside it"),
        ({"ca_crt": "text"}, "ca.crt cannot be used: no certificate or crl found"),
        ({"ca_crt": "nothing"}, "ca.crt cannot be used: no such file"),
        ({"ada_cert": "text", "ada_key": "text"}, "ada.cert with its key cannot be used"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    place: Place, tmp_path: Path, files: dict[str, str], why: str
) -> None:
    (tmp_path / "text").write_text("text")
    folder = _certs_d(tmp_path, place, **{name: tmp_path / file for name, file in files.items()})

    with pytest.raises(RegistryError, match=why):
        _there_and_back(place, Trust(folders=(folder,)))


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_file_beside_an_authority_that_is_none_is_passed_over_and_named(
    place: Place, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("text")
    files = {"ca_crt": place.authority.certificate, f"{name}_crt": tmp_path / "text"}
    folder = _certs_d(tmp_path, place, **files)

    assert _there_and_back(place, Trust(folders=(folder,))) == b"layer"
    assert f"{name}.crt cannot be used: no certificate" in "".join(capsys.readouterr())


def test_an_authority_that_is_named_must_be_there(place: Place, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="nowhere cannot be used: no such file"):
        _there_and_back(place, Trust.of({"SSL_CERT_FILE": str(tmp_path / "nowhere")}))

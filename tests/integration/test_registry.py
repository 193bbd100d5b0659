"""Real registries, real certificates, real sizes."""

import io
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.trust import Trust
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import RegistryError, Unauthorized
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.registry_server import PROGRAM, RegistryServer
from tests.support.servers.scripted_server import Answer, ScriptedServer

_ADA = Credentials(username="ada", password="lovelace")
_BLOB = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"layer"), size=5)

needs_registry = pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="no skopeo")


def _name(address: str) -> ImageReference:
    return ImageReference(domain=address, path="team/app", tag="v1")


@pytest.mark.registry
@needs_registry
def test_a_registry_with_passwords_lets_ada_in_and_nobody_else() -> None:
    with RegistryServer((_ADA.username, _ADA.password)) as server:
        name = _name(server.address)
        ada = OrasRegistry(credentials=MemoryCredentials({server.address: _ADA}))
        ada.push_blob(name, _BLOB, io.BytesIO(b"layer"))
        assert ada.open_blob(name, _BLOB).read() == b"layer"

        with pytest.raises(Unauthorized) as refused:
            OrasRegistry(credentials=MemoryCredentials()).resolve(name)
        assert refused.value.hint is not None
        assert f"img login {server.address}" in refused.value.hint


@pytest.mark.peers
@pytest.mark.registry
@needs_registry
@needs_skopeo
def test_another_tool_reads_what_was_pushed() -> None:
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {
            "mediaType": media_types.OCI_CONFIG,
            "digest": str(Digest.of(config)),
            "size": len(config),
        },
        "layers": [],
    }
    with RegistryServer() as server:
        name = _name(server.address)
        registry = OrasRegistry(credentials=MemoryCredentials())
        blob = Descriptor(media_type="", digest=Digest.of(config), size=len(config))
        registry.push_blob(name, blob, io.BytesIO(config))
        digest = registry.push_manifest(
            name, json.dumps(manifest).encode(), media_types.OCI_MANIFEST
        )
        seen = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", f"docker://{name}"],
            check=True,
            capture_output=True,
        )
    assert json.loads(seen.stdout)["Digest"] == str(digest)


_THERE_AND_BACK = """
import hashlib, sys
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

class Noise:
    "A file of one byte, again and again: the test's own memory must not count."
    def __init__(self, size): self.size, self.at = size, 0
    def read(self, count=-1):
        count = min(count, self.size - self.at)
        self.at += count
        return b"n" * count
    def seek(self, at, whence=0): self.at = at
    def tell(self): return self.at

size = 300 * 1024 * 1024
hashed = hashlib.sha256()
noise = Noise(size)
while block := noise.read(1 << 20):
    hashed.update(block)
blob = Descriptor(media_type="", digest=Digest("sha256", hashed.hexdigest()), size=size)
name = ImageReference.parse(sys.argv[1] + "/big")
registry = OrasRegistry(credentials=MemoryCredentials())
registry.push_blob(name, blob, noise)
with registry.open_blob(name, blob) as stream:
    back = hashlib.sha256()
    while block := stream.read(1 << 20):
        back.update(block)
assert back.hexdigest() == blob.digest.encoded
# VmHWM, not ru_maxrss: that counts what the parent had when it forked (getrusage(2)).
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


@pytest.mark.registry
@needs_registry
def test_a_big_blob_passes_through_little_memory() -> None:
    with RegistryServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", _THERE_AND_BACK, server.address],
            check=True,
            capture_output=True,
        )
    assert int(done.stdout) < 100 * 1024  # KiB


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a key and a self-signed certificate for 127.0.0.1."""
    file = tmp_path / "registry.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(file), "-out", str(tmp_path / "only.pem")),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (tmp_path / "only.pem").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedServer(lambda _: Answer(body=b"layer"), context) as server:
        yield server


@needs_openssl
def test_a_certificate_nobody_knows_is_refused_with_a_way_out(tls_server: ScriptedServer) -> None:
    registry = OrasRegistry(credentials=MemoryCredentials())

    with pytest.raises(RegistryError, match="self-signed") as refused:
        registry.open_blob(_name(tls_server.address), _BLOB)

    assert refused.value.hint is not None
    assert f"--insecure-registry {tls_server.address}" in refused.value.hint


@needs_openssl
def test_an_insecure_registry_is_taken_with_any_certificate(tls_server: ScriptedServer) -> None:
    registry = OrasRegistry(
        credentials=MemoryCredentials(), insecure=lambda name: name.startswith(tls_server.address)
    )

    assert registry.open_blob(_name(tls_server.address), _BLOB).read() == b"layer"


@needs_openssl
def test_a_bundle_of_certificates_makes_a_registry_known(
    tls_server: ScriptedServer, tmp_path: Path
) -> None:
    registry = OrasRegistry(
        credentials=MemoryCredentials(), trust=Trust(ca_certificates=(tmp_path / "only.pem",))
    )

    assert registry.open_blob(_name(tls_server.address), _BLOB).read() == b"layer"

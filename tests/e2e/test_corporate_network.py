"""A network behind a private CA, a proxy with a password, and name servers of its own."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import push
from tests.e2e.test_mounts import files_holding
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.images.host_python import archive_of_python
from tests.support.servers.certificates import Authority
from tests.support.servers.proxy_server import ProxyServer
from tests.support.servers.registry_server import RegistryServer
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_PASSWORD = "e2e-proxy-password"
_WHEEL = "hello-1.0-py3-none-any.whl"
_DOCKERFILE = """\
FROM @BASE@
ADD python.tar /
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
ENV PIP_RETRIES=0 PIP_ROOT_USER_ACTION=ignore
ARG INDEX
RUN python3 -m pip install --no-compile --index-url $INDEX hello
"""


def _wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("hello.py", "print('hello')\n")
        about = "hello-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        names = ("hello.py", f"{about}/METADATA", f"{about}/WHEEL", f"{about}/RECORD")
        wheel.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in names))
    return content.getvalue()


def _index(request: Request) -> Answer:
    if request.path == "/simple/hello/":
        page = f'<!DOCTYPE html><a href="/{_WHEEL}">{_WHEEL}</a>'
        return Answer(headers={"Content-Type": "text/html"}, body=page.encode())
    return Answer(body=_wheel()) if request.path == f"/{_WHEEL}" else Answer(status=404)


def _last_layer(img: Img, *arguments: str | Path) -> str:
    img("build", "-t", "app", *arguments)
    shown = img("inspect", "--format", "{{json .RootFS.Layers}}", "app").stdout
    return str(json.loads(shown)[-1])


@pytest.mark.any_user
def test_pip_works_behind_a_private_ca_and_a_proxy_with_one_flag(
    img: Img, write_context: WriteContext, busybox_layout: Path, workplace: Path
) -> None:
    authority = Authority(workplace)
    own = authority.issue("server", "DNS:registry.invalid", "DNS:pypi.invalid")
    with (
        RegistryServer(tls=own) as registry,
        ScriptedServer(_index, own.context()) as index,
        ScriptedServer(_index) as open_index,
        ProxyServer(login=("ada", _PASSWORD)) as proxy,
    ):
        push(busybox_layout, f"{registry.address}/busybox:latest")
        base = f"registry.invalid:{registry.address.rpartition(':')[2]}/busybox"
        files = {"python.tar": archive_of_python()}
        context = write_context(_DOCKERFILE.replace("@BASE@", base), files)
        docker = img.home / ".docker"
        docker.mkdir()
        proxies = {"default": {"httpsProxy": proxy.url}}
        (docker / "config.json").write_text(json.dumps({"proxies": proxies}))
        inside = img.with_environment(
            HTTPS_PROXY=proxy.url, SSL_CERT_FILE=str(authority.certificate), SOURCE_DATE_EPOCH="1"
        )
        url = f"https://pypi.invalid:{index.address.rpartition(':')[2]}/simple"
        private = ("--build-arg", f"INDEX={url}", context)

        failed = inside("build", *private, code=4)
        layer = _last_layer(inside, "--inject-ca", *private)
        # No proxy, and no certificate: the layer is the same.
        (docker / "config.json").unlink()
        plain = _last_layer(
            inside, "--build-arg", f"INDEX=http://{open_index.address}/simple", context
        )
        again = inside("build", *private)

    assert "certificate" in failed.stderr
    assert layer == plain
    assert "CACHED" in again.stderr and "pip install" in again.stderr  # its key is the same
    assert any(line.startswith("CONNECT pypi.invalid:") for line in proxy.lines)
    assert any(line.startswith("CONNECT registry.invalid:") for line in proxy.lines)
    (line,) = authority.certificate.read_text().splitlines()[1:2]
    assert files_holding(inside.state, line.encode()) == []
    assert files_holding(inside.state, _PASSWORD.encode()) == []


@pytest.mark.parametrize(
    ("who", "executor"), [("user", "unshare"), ("root", "chroot"), ("user", "proot")]
)
def test_steps_see_the_name_servers_and_certificates_that_are_asked_for(
    who: str,
    executor: str,
    img_for: ImgFor,
    write_context: WriteContext,
    busybox: str,
    workplace: Path,
) -> None:
    authority = Authority(workplace)
    context = write_context(
        f"FROM {busybox}\n"
        "RUN mkdir /seen && cp /etc/resolv.conf $SSL_CERT_FILE /dev/img-ca/java.jks /seen\n"
    )
    img = img_for(who).with_environment(SSL_CERT_FILE=str(authority.certificate))
    options = ("--dns", "192.0.2.7", "--dns-search", "corp.test", "--dns-option", "ndots:4")
    out = img.home / "out"

    img("build", "--executor", executor, "--inject-ca", *options, "-o", out, context)

    written = b"nameserver 192.0.2.7\nsearch corp.test\noptions ndots:4\n"
    assert (out / "seen/resolv.conf").read_bytes().startswith(written)
    assert (out / "seen/bundle.pem").read_bytes().startswith(authority.certificate.read_bytes())
    assert (out / "seen/java.jks").read_bytes().startswith(bytes.fromhex("FEEDFEED"))
    assert [each.name for each in (out / "dev").iterdir()] == []

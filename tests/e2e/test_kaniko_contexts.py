"""Contexts of kaniko's executor that lie elsewhere: object stores, web servers, git."""

import io
import re
import tarfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.servers.certificates import Authority
from tests.support.servers.git_server import GitServer, Repository
from tests.support.servers.gs_server import BUCKET, GoogleStorage
from tests.support.servers.object_stores import object_store
from tests.support.servers.proxy_server import ProxyServer
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = pytest.mark.registry

_FILES = {"Dockerfile": "FROM scratch\nCOPY f /\n", "f": "f\n"}
_KEY = "team/context.tar.gz"

Served = tuple[str, Mapping[str, str]]
"""The value of --context, and variables."""


def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in _FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@contextmanager
def _s3(_place: Path) -> Iterator[Served]:
    with object_store("s3") as attributes:
        (url,) = re.findall(r"endpoint_url=([^,]+)", attributes)
        put = urllib.request.Request(
            f"{url}/reset-bucket/{_KEY}",
            data=_archive(),
            headers={"Content-Type": "application/gzip"},  # moto reads forms
            method="PUT",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(put, timeout=30).close()
        access = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        yield (
            f"s3://reset-bucket/{_KEY}",
            {"S3_ENDPOINT": url, "S3_FORCE_PATH_STYLE": "true", **access},
        )


@contextmanager
def _gs(place: Path) -> Iterator[Served]:
    storage = GoogleStorage()
    storage.objects[_KEY] = _archive()
    with storage.serving(place / "account.json"):
        yield f"gs://{BUCKET}/{_KEY}", {"STORAGE_EMULATOR_HOST": storage.address}


@contextmanager
def _azure(place: Path) -> Iterator[Served]:
    host = "account.blob.core.windows.net"

    def answer(request: Request) -> Answer:
        if "SharedKey account:" not in request.headers.get("Authorization", ""):
            return Answer(status=403)
        dates = {"ETag": '"1"', "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
        there = request.path == f"/builds/{_KEY}"
        return Answer(headers=dates, body=_archive()) if there else Answer(status=404)

    authority = Authority(place)
    context = authority.issue("azure", f"DNS:{host}").context()
    with ScriptedServer(answer, tls=context) as server:
        port = int(server.address.rpartition(":")[2])
        with ProxyServer(ports={443: port}) as proxy:
            yield (
                f"https://{host}/builds/{_KEY}",
                {
                    "AZURE_STORAGE_ACCESS_KEY": "c2VjcmV0",
                    "HTTPS_PROXY": proxy.url,
                    "SSL_CERT_FILE": str(authority.certificate),
                },
            )


@contextmanager
def _web(place: Path) -> Iterator[Served]:
    authority = Authority(place)
    context = authority.issue("web", "IP:127.0.0.1").context()
    with ScriptedServer(lambda _: Answer(body=_archive()), tls=context) as server:
        yield f"https://{server.address}/{_KEY}", {"SSL_CERT_FILE": str(authority.certificate)}


@contextmanager
def _git(place: Path) -> Iterator[Served]:
    repository = Repository(place / "served" / "repo.git")
    repository.commit(_FILES)
    with GitServer(place / "served", smart=True) as server:
        address = server.url.removeprefix("http://")
        yield f"git://{address}/repo.git#refs/heads/main", {"GIT_PULL_METHOD": "http"}


_PLACES: Mapping[str, Callable[[Path], AbstractContextManager[Served]]] = {
    "s3": _s3,
    "gs": _gs,
    "azure": _azure,
    "https": _web,
    "git": _git,
}


@pytest.mark.parametrize("kind", _PLACES)
def test_a_context_elsewhere_gives_the_image_of_its_directory(
    kind: str, img_for: ImgFor, write_context: WriteContext, workplace: Path
) -> None:
    img = img_for("user")
    executor = replace(img, command=(Path(img.command[0]).with_name("executor"),))
    place = workplace / "served"
    place.mkdir()
    (home := workplace / "directory").mkdir()
    for name, text in _FILES.items():
        (home / name).write_text(text)
    digests = []

    with _PLACES[kind](place) as (context, environment):
        for source in (f"dir://{home}", context):
            file = executor.home / "digest"
            executor.with_environment(**environment)(
                *("--context", source, "--no-push", "--reproducible", "--digest-file", file)
            )
            digests.append(file.read_text())

    assert digests[0] == digests[1]

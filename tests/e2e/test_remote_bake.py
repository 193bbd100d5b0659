"""``img bake URL`` with a git server, and an archive on a server with TLS."""

import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.host.img_command import Img
from tests.support.servers.certificates import Authority
from tests.support.servers.git_server import GitServer, Repository
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

pytestmark = [
    pytest.mark.any_user,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]

TOKEN = "a-token-nobody-may-see"
DEFINITION = """
target "default" {
  contexts = { base = "target:base" }
  output   = ["type=local,dest=out"]
}
target "base" {
  context  = "base"
  contexts = { here = "cwd://lib" }
}
target "greedy" {
  context    = "cwd:///etc"
  dockerfile = "cwd://Dockerfile"
}
"""
FILES = {
    "docker-bake.hcl": DEFINITION,
    "Dockerfile": "FROM base\nCOPY a /\n",
    "a": "1",
    "base/Dockerfile": "FROM scratch\nCOPY b /\nCOPY --from=here l /\n",
    "base/b": "b",
}


@pytest.fixture
def here(img: Img, workplace: Path) -> Path:
    """Return a working directory with what belongs to this machine."""
    directory = workplace / "here"
    (directory / "lib").mkdir(parents=True)
    (directory / "lib/l").write_text("local")
    directory.chmod(0o777)
    return directory


def exported(here: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (here / "out").iterdir()}


def test_a_repository_is_baked_locked_and_baked_again_without_the_network(
    img: Img, here: Path, workplace: Path
) -> None:
    repository = Repository(workplace / "served" / "repo")
    first = repository.commit(FILES)
    img = img.with_environment(BUILDX_BAKE_GIT_AUTH_TOKEN=TOKEN)
    with GitServer(workplace / "served", smart=True, token=TOKEN) as server:
        url = f"{server.url}/repo/.git"
        printed = json.loads(img("bake", url, "--print", cwd=here).stdout)
        refused = img("bake", url, "greedy", cwd=here, code=1)
        locked = img("bake", "--lock", url, cwd=here).stdout
        second = repository.commit({"a": "2"})
        moved = img("bake", "--lock=diff", url, cwd=here).stdout
        img("bake", "--lock=check", url, cwd=here)
    built = img("bake", "--locked", url, cwd=here)

    targets = printed["target"]
    assert targets["default"]["context"] == url
    assert targets["base"]["context"] == f"{url}#:base"
    assert refused.error_line.startswith("Error: additional privileges requested: fs.read=/etc")
    assert locked == f"+ {url}: {first} refs/heads/main\n"
    assert moved == f"{url}: {first} refs/heads/main → {second} refs/heads/main\n"
    assert exported(here) == {"a": "1", "b": "b", "l": "local"}
    assert TOKEN not in built.stderr + (here / "img.lock").read_text()


def test_an_archive_is_a_definition_with_its_contexts(
    img: Img, here: Path, workplace: Path
) -> None:
    certificates = workplace / "certificates"
    certificates.mkdir()
    authority = Authority(certificates)
    trusting = img.with_environment(CURL_CA_BUNDLE=str(authority.certificate))
    archive = an_archive({f"top/{name}": text for name, text in FILES.items()})

    def answer(request: Request) -> Answer:
        found = {"/r.tgz": archive, "/d.hcl": b'target "one" {\n  context = "cwd://lib"\n}\n'}
        body = found.get(request.path)
        return Answer(status=404) if body is None else Answer(body=body)

    tls = authority.issue("server", "IP:127.0.0.1").context()
    with ScriptedServer(answer, tls) as server:
        web = f"https://{server.address}"
        trusting("bake", f"{web}/r.tgz#:top", cwd=here)
        missing = trusting("bake", f"{web}/no", cwd=here, code=6)
        printed = trusting("bake", f"{web}/d.hcl", "--print", "one", cwd=here).stdout
        listed = trusting("bake", "-f", f"{web}/d.hcl", "--list", "targets", cwd=here).stdout

    assert exported(here) == {"a": "1", "b": "b", "l": "local"}
    assert missing.error_line == f"Error: {web}/no: invalid response status 404"
    assert json.loads(printed)["target"]["one"]["context"] == "lib"
    assert listed.splitlines()[1:] == ["one\t"]


def an_archive(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()

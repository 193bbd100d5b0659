"""Names and numbers that lead out of a tree, or that the kernel has no room for.

The inputs of the audit's findings 1 and 2a, and their relatives: real builds beside a directory
that must not change, for each user and each kind of output.
"""

import json
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.images.evil_archives import a_tar, info

pytestmark = pytest.mark.userns

_RUN = 'COPY busybox /bin/busybox\nRUN ["/bin/busybox", "true"]\n'
# What BuildKit makes of "../x" is "x".
_INSIDE = """
COPY --chown=77:77 --chmod=0777 <<"../x" /
hello
../x
ADD --chmod=0777 <<"../../y" /../
hello
../../y
"""
_REFUSED = (
    'COPY <<".." /\nhello\n..\n',
    'COPY --chmod=0777 <<"." /\nhello\n.\n',
    'COPY <<"d/../.." /\nhello\nd/../..\n',
    "ADD URL/.. /\n",
    "ADD --chmod=0777 URL/%2e%2E /\n",
    "ADD URL/d%2f.. /\n",
    "ADD URL/x%00 /\n",
    'RUN <<".."\n#!/bin/busybox sh\n..\n',
    "RUN --mount=type=secret,id=d/.. true\n",
)


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a server that answers any path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Project:
    """A directory with files in it, to which something is written as ``out``."""

    def __init__(self, place: Path, img: Img) -> None:
        self.path = place / "victim/project"
        (self.path / "src").mkdir(parents=True)
        (self.path / "README").write_text("precious")
        (self.path / "x").write_text("precious")
        for each in (self.path.parent, self.path, *self.path.iterdir()):
            shutil.chown(each, img.account.uid, img.account.gid)
        self.out = self.path / "out"
        self._before = self._seen()

    def check(self, *, state: Path) -> None:
        """Check that nothing but ``out`` is new, or other than it was; then remove it."""
        if self.out.is_dir():
            assert {path.name for path in self.out.iterdir()} - {"bin", "run"} == {"x", "y"}
            shutil.rmtree(self.out)
        else:
            self.out.unlink(missing_ok=True)
        assert self._seen() == self._before
        assert state.is_dir()

    def _seen(self) -> Mapping[str, tuple[int, int, int, int]]:
        paths = (self.path.parent, self.path, *self.path.rglob("*"))
        found = {str(path): path.lstat() for path in paths}
        return {
            name: (status.st_mode, status.st_uid, status.st_gid, status.st_ino)
            for name, status in found.items()
        }


@pytest.fixture(params=["root", "user", "one-id"])
def img(request: pytest.FixtureRequest, img_for: ImgFor) -> Img:
    return img_for(request.param)


@pytest.fixture
def project(workplace: Path, img: Img) -> Project:
    return Project(workplace, img)


@pytest.fixture
def context(write_context: WriteContext) -> Path:
    context = write_context(None, {"busybox": Path(program("busybox")).read_bytes()})
    (context / "busybox").chmod(0o755)
    return context


@pytest.mark.parametrize("img", ["root", "user"], indirect=True)
@pytest.mark.parametrize("then", ["", _RUN], ids=["alone", "before a RUN"])
def test_a_name_with_dots_is_a_file_in_the_tree(
    img: Img, project: Project, context: Path, then: str
) -> None:
    (context / "Dockerfile").write_text(f"FROM scratch\n{_INSIDE}{then}")
    img("build", "-q", "-o", f"type=local,dest={project.out}", context)
    assert (project.out / "x").read_text() == "hello\n"
    project.check(state=img.state)
    img("build", "-q", "-o", f"type=tar,dest={project.out}", context)
    with tarfile.open(project.out) as archive:
        assert {"x", "y"} <= set(archive.getnames())
        assert not any(".." in name for name in archive.getnames())
    project.check(state=img.state)
    img("build", "-q", "-t", "b", context)
    img("unpack", "-o", project.out, "b")
    assert (project.out / "x").stat().st_mode & 0o777 == 0o777
    project.check(state=img.state)


@pytest.mark.parametrize("img", ["root"], indirect=True)
@pytest.mark.parametrize(("then", "kind"), [("", "local"), (_RUN, "tar"), (_RUN, "local")])
def test_a_name_that_leads_out_is_refused_at_its_line(
    img: Img, project: Project, context: Path, url: str, then: str, kind: str
) -> None:
    for line in _REFUSED:
        text = line.replace("URL", url)
        (context / "Dockerfile").write_text(f"FROM scratch\n\n{text}{then}")
        refused = img("build", "-o", f"type={kind},dest={project.out}", context, code=3)
        assert "cannot be the name of a file" in refused.error_line
        assert f"3 | >>> {text.splitlines()[0]}" in refused.stderr
        assert not project.out.exists()
        project.check(state=img.state)


# --- hostile images ---


def an_image(
    files: Mapping[str, bytes] | None = None,
    *,
    config: Mapping[str, object] | None = None,
    members: bytes = b"",
) -> bytes:
    """Return the archive of ``docker save`` for an image called "evil", with a shell.

    ``members`` stand before the others in its one layer.
    """
    shell = info("bin/busybox")
    shell.mode = 0o755
    found = [(shell, Path(program("busybox")).read_bytes())]
    found += [(info(name), content) for name, content in (files or {}).items()]
    layer = members + a_tar(*found)
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Shell": ["/bin/busybox", "sh", "-c"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["evil:latest"], "Layers": ["layer.tar"]}]
    return a_tar(
        (info("c.json"), json.dumps(document).encode()),
        (info("layer.tar"), layer),
        (info("manifest.json"), json.dumps(manifest).encode()),
    )


def a_device(major: bytes, minor: bytes) -> bytes:
    """Return a header of a device with numbers in base 256 (GNU)."""
    header = bytearray(info("dev/evil", tarfile.CHRTYPE).tobuf(tarfile.USTAR_FORMAT))
    header[329:337], header[337:345] = major, minor
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def an_attribute(name: str) -> bytes:
    """Return the headers of a file with an extended attribute."""
    member = info("f")
    member.pax_headers = {f"SCHILY.xattr.{name}": "v"}
    return member.tobuf(tarfile.PAX_FORMAT)


_NEGATIVE = b"\xff" * 8
_HUGE = b"\x80" + b"\x7f" * 7


@pytest.mark.parametrize(
    ("passwd", "group"),
    [
        (b"evil:x:9999999999:0::/:/bin/sh\n", b""),
        (b"evil:x:1:1::/:/bin/sh\n", b"evil:x:4294967295:evil\n"),
    ],
    ids=["user", "group"],
)
def test_a_user_whose_number_no_process_can_have_runs_nothing(
    img: Img, write_context: WriteContext, passwd: bytes, group: bytes
) -> None:
    img("load", "-q", stdin=an_image({"etc/passwd": passwd, "etc/group": group}))
    context = write_context("FROM evil\nUSER evil\nRUN echo here\n")
    refused = img("build", "-q", "-t", "out", context, code=4)
    assert "no process can have it" in refused.error_line
    assert "here" not in refused.stdout


@pytest.mark.parametrize("img", ["root", "one-id"], indirect=True)
@pytest.mark.parametrize(
    "members",
    [
        a_device(_NEGATIVE, _NEGATIVE),
        a_device(_HUGE, b"0000001\0"),
        an_attribute("user.a\0b"),
        an_attribute(""),
    ],
    ids=["negative device", "huge device", "attribute with NUL", "attribute without a name"],
)
def test_a_layer_with_what_no_file_can_have_is_refused(
    img: Img, write_context: WriteContext, members: bytes
) -> None:
    img("load", "-q", stdin=an_image(members=members))
    refused = img("build", "-q", "-t", "out", write_context("FROM evil\nRUN true\n"), code=6)
    assert "which " in refused.error_line
    img("unpack", "-o", img.home / "out", "evil", code=6)


@pytest.mark.parametrize(
    "config",
    [
        {"WorkingDir": "/a\0b"},
        {"User": "a\0"},
        {"Env": ["A=\0"]},
        {"Entrypoint": ["\0"]},
        {"Cmd": ["\0"]},
    ],
    ids=lambda config: next(iter(config)),
)
def test_a_config_with_a_nul_is_refused(img_for: ImgFor, config: Mapping[str, object]) -> None:
    refused = img_for("user")("load", "-q", stdin=an_image(config=config), code=5)
    assert f"(config.{next(iter(config))}" in refused.error_line
    assert "must not hold a NUL character" in refused.error_line


def test_halves_of_surrogate_pairs_reach_no_program(img: Img, write_context: WriteContext) -> None:
    half = "\ud800"
    config = {"Labels": {half: half}, "Env": [f"A={half}"], "WorkingDir": f"/{half}"}
    img("load", "-q", stdin=an_image(config=config))
    dockerfile = 'FROM evil\nRUN /bin/busybox printf %s "$A" >/seen; /bin/busybox pwd >>/seen\n'
    out = img.home / "out"
    img("build", "-q", "-o", out, write_context(dockerfile))
    assert (out / "seen").read_text() == "\ufffd/\ufffd\n"

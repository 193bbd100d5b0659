"""COPY and ADD of unusual files, with BuildKit's results."""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.host.machine import need_root
from tests.support.host.many_runs import Run, run_all
from tests.support.images.written_images import LayerEntry, SavedImage, read_archive

pytestmark = pytest.mark.userns


def a_tar(*members: tuple[str, bytes, str]) -> bytes:
    """Return an archive of (name, type, link or text); directories and files are 7:8's."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type, member.uid, member.gid, member.mode = kind, 7, 8, 0o751
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def plain(name: str) -> bytes:
    return a_tar((name, tarfile.REGTYPE, "mine"))


_ESCAPING = a_tar(
    ("etc", tarfile.DIRTYPE, ""),
    ("e", tarfile.SYMTYPE, "/etc"),
    ("e/passwd", tarfile.REGTYPE, "mine"),
)
_TO_NOTHING = a_tar(("h", tarfile.LNKTYPE, "etc/passwd"))
_ACCOUNTS = {"passwd": "www-data:x:33:33::/:/bin/sh\n", "group": "www-data:x:33:\n"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Lines below FROM scratch, the files they need, and what the image holds (None: refused)."""

    lines: str
    expected: Mapping[str, str] | None = None  # by path: mode uid:gid, or -> what a link leads to
    message: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    above: str = ""


CASES = {
    "chmod u=rw,go=r": Case(
        lines="COPY --chmod=u=rw,go=r f /conf/app/f",
        expected={"/conf": "0755 0:0", "/conf/app": "0755 0:0", "/conf/app/f": "0644 0:0"},
    ),
    "chmod go-rwx": Case(
        lines="COPY --chmod=go-rwx f /key/f",
        expected={"/key": "0755 0:0", "/key/f": "0600 0:0"},
    ),
    "chmod g+w of a directory": Case(
        lines="COPY --chmod=g+w d /n/d", expected={"/n": "0755 0:0", "/n/d": "0755 0:0"}
    ),
    "chmod 4755": Case(
        lines="COPY --chmod=4755 f /suid/f",
        expected={"/suid": "0755 0:0", "/suid/f": "4755 0:0"},
    ),
    "chmod 1777": Case(
        lines="COPY --chmod=1777 f /st/f", expected={"/st": "0777 0:0", "/st/f": "1777 0:0"}
    ),
    "archive behind an absolute link": Case(
        lines="COPY f /etc/passwd\nADD a.tar /opt/x",
        files={"a.tar": _ESCAPING},
        expected={
            "/opt/x/e": "-> /etc",
            "/opt/x/etc/passwd": "0751 7:8",
            "/etc/passwd": "0644 0:0",
        },
    ),
    "archive with a hard link to nothing": Case(
        lines="COPY f /etc/passwd\nADD a.tar /opt/x",
        files={"a.tar": _TO_NOTHING},
        message="cannot make /opt/x/h a hard link to /opt/x/etc/passwd: there is no such file",
    ),
    "archive that climbs": Case(
        lines="ADD a.tar /opt/x",
        files={"a.tar": plain("../up")},
        expected={"/opt/x/up": "0751 7:8"},
    ),
    "archive and chmod": Case(
        lines="ADD --chmod=700 a.tar /z/",
        files={"a.tar": plain("d/f")},
        expected={"/z": "0755 0:0", "/z/d": "0755 0:0", "/z/d/f": "0751 7:8"},
    ),
    "archive and chown": Case(
        lines="ADD --chown=50:60 a.tar /y/",
        files={"a.tar": plain("d/f")},
        expected={"/y": "0755 50:60", "/y/d": "0755 0:0", "/y/d/f": "0751 50:60"},
    ),
    "several archives": Case(
        lines="ADD *.tar /dest",
        files={"a.tar": plain("d/a"), "b.tar": plain("d/b")},
        expected={"/dest/d/a": "0751 7:8", "/dest/d/b": "0751 7:8"},
    ),
    "several archives of one name": Case(
        lines="ADD x/a.tar y/a.tar /dest/",
        files={"x/a.tar": plain("a"), "y/a.tar": plain("b")},
        expected={"/dest/a": "0751 7:8", "/dest/b": "0751 7:8"},
    ),
    "parents through a link": Case(
        lines="COPY --parents l/f /p/",
        files={"d2/f": "x"},
        links={"l": "d2"},
        message='"/l/f": not found',
    ),
    "parents of a dangling link": Case(
        lines="COPY --parents d2/dang /p/",
        files={"d2/f": "x"},
        links={"d2/dang": "nowhere"},
        expected={"/p/d2/dang": "-> nowhere"},
    ),
    "a dangling link": Case(
        lines="COPY d2/dang /p/",
        files={"d2/f": "x"},
        links={"d2/dang": "nowhere"},
        message="(/d2/dang is a link to nowhere, and there is no /d2/nowhere)",
    ),
    "a link that loops": Case(
        lines="COPY loop /p/",
        links={"loop": "loop"},
        message="too many levels of symbolic links at /loop",
    ),
    "a backslash": Case(
        lines="COPY dev-x\\\\x2dy.mount /d/",
        files={"dev-x\\x2dy.mount": "x"},
        expected={"/d/dev-x\\x2dy.mount": "0644 0:0"},
    ),
    "a backslash and nothing": Case(
        lines="COPY nothing\\\\here /e/", message='"/nothing\\here": not found'
    ),
    "a wildcard in a missing directory": Case(
        lines="COPY target/*.jar /app/", message='"/target": not found'
    ),
    "a wildcard in a missing directory of a stage": Case(
        above="FROM scratch AS b\nCOPY f /f\n",
        lines="COPY --from=b /nodir/* /app/",
        message='"/nodir": not found',
    ),
    "several here-documents": Case(
        lines="COPY <<A <<B /out\na\nA\nbb\nB", expected={"/out": "0644 0:0"}
    ),
    "several files": Case(lines="COPY f* /out", files={"f2": "x"}, expected={"/out": "0644 0:0"}),
    "an unknown group": Case(
        lines="COPY passwd group /etc/\nCOPY --chown=www-data:nope f /a\n"
        "COPY --chown=99:nope f /b\nCOPY --chown=nope:nope f /c\nCOPY --chown=+5 f /d\n"
        "USER 33:nope\nWORKDIR /w",
        files=_ACCOUNTS,
        expected={
            "/a": "0644 33:33",
            "/b": "0644 99:99",
            "/c": "0644 0:0",
            "/d": "0644 5:5",
            "/w": "0755 33:33",
        },
    ),
}


def test_files_are_copied_as_buildkit_copies_them(
    img_for: ImgFor, write_context: WriteContext, workplace: Path
) -> None:
    runs = []
    for number, case in enumerate(CASES.values()):
        dockerfile = f"{case.above}FROM scratch\n{case.lines}\n"
        files = {"f": "f", **case.files}
        context = write_context(dockerfile, files, f"context-{number}")
        (context / "d").mkdir()
        for name, target in case.links.items():
            (context / name).symlink_to(target)
        out = f"type=oci,dest={workplace}/{number}.tar"
        runs.append(Run(arguments=("build", "-q", "-o", out, context)))

    ended = run_all(img_for("root"), runs)

    wrong = {}
    for number, (name, case) in enumerate(CASES.items()):
        if case.expected is None:
            if case.message not in ended[number].stderr:
                wrong[name] = ended[number].stderr[-200:]
        elif ended[number].code:
            wrong[name] = ended[number].stderr[-200:]
        else:
            found = merged(read_archive((workplace / f"{number}.tar").read_bytes()))
            seen = {path: shown(found.get(path)) for path in case.expected}
            if seen != case.expected:
                wrong[name] = str(seen)
    assert wrong == {}


def merged(image: SavedImage) -> Mapping[str, LayerEntry]:
    return {path: entry for layer in image.layers for path, entry in layer.items()}


def shown(entry: LayerEntry | None) -> str:
    if entry is None:
        return "nothing"
    return f"-> {entry.link}" if entry.link else f"{entry.mode} {entry.uid}:{entry.gid}"


def test_a_warning_is_no_part_of_the_result(img_for: ImgFor, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\nCOPY --chown=nope f /d\n", {"f": "f"})

    built = img_for("root")("build", "-q", "-o", "-", context)

    with tarfile.open(fileobj=io.BytesIO(built.output)) as files:
        assert files.getnames() == ["d"]
    assert "unable to find user nope" in built.stderr


def test_an_image_dated_by_its_dockerfile_is_the_same_each_time(
    img_for: ImgFor, write_context: WriteContext, workplace: Path
) -> None:
    context = write_context("ARG SOURCE_DATE_EPOCH=-1\nFROM scratch\nCOPY f /d/f\n", {"f": ""})
    images = []
    for state in ("one", "two"):
        img = img_for("root", state)
        os.utime(context / "f")
        out = workplace / f"{state}.tar"
        img("build", "-q", "-o", f"type=oci,dest={out}", context)
        images.append(read_archive(out.read_bytes()))

    assert images[0].digest == images[1].digest
    config = images[0].config
    created = {config["created"], *(item["created"] for item in config["history"])}
    assert created == {"1969-12-31T23:59:59Z"}


def test_a_directory_that_may_not_be_read_matters_only_where_it_is_copied(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    need_root()  # the context is of another user than the one of the build
    img = img_for("user")
    context = write_context(
        "FROM scratch AS used\nCOPY dist *.txt /a/\nCOPY d?st/f /b\n"
        "FROM scratch AS all\nCOPY . /\n"
        "FROM scratch AS named\nCOPY .data/db /db\n"
        "FROM scratch AS below\nCOPY .data/listed/* /db/\n",
        {"dist/f": "f", "x.txt": "x", ".data/db/g": "g", ".data/listed/k": "k"},
    )
    (context / ".data/db").chmod(0)
    (context / ".data/listed").chmod(0o644)  # its names can be read, and nothing else

    img("build", "-q", "-t", "x", "--target", "used", context)
    for target, directory in (("all", ""), ("named", "db"), ("below", "listed")):
        refused = img("build", "-q", "-t", "x", "--target", target, context, code=5)
        assert f"open .data/{directory}" in refused.error_line
        assert "permission denied (make it readable" in refused.error_line

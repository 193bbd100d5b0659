"""Archives that try to get out of where they are unpacked."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

Member = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]


def a_tar(*members: Member, format_: int = tarfile.PAX_FORMAT, ends: bool = True) -> bytes:
    """Return an archive of members, each with or without content; others follow unless it ends."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as out:
        for member in members:
            info_, content = member if isinstance(member, tuple) else (member, b"")
            info_.size = len(content)
            out.addfile(info_, io.BytesIO(content))
        length = out.offset
    content = buffer.getvalue()
    return content if ends else content[:length]


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Return a header."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    made.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return made


def _link(name: str, text: str) -> tarfile.TarInfo:
    return info(name, tarfile.SYMTYPE, text)


def _hard_link(name: str, target: str) -> tarfile.TarInfo:
    return info(name, tarfile.LNKTYPE, target)


def _device(name: str) -> tarfile.TarInfo:
    made = info(name, tarfile.CHRTYPE)
    made.devmajor, made.devminor = 1, 1  # the memory of the machine
    return made


def _with_pax(name: str, **records: str) -> tarfile.TarInfo:
    made = info(name)
    made.pax_headers = {key.replace("__", "."): value for key, value in records.items()}
    return made


def _climbing(out: str) -> str:
    return "../" * 24 + out.lstrip("/")


# By what they try, given the absolute path of a directory with a file "secret". The names "pwn"
# are what must come to be nowhere else.
EVIL: dict[str, Callable[[str], bytes]] = {
    "absolute symlink as parent": lambda out: a_tar(_link("ev", out), (info("ev/pwn"), b"x")),
    "relative symlink as parent": lambda out: a_tar(
        _link("ev", _climbing(out)), (info("ev/pwn"), b"x")
    ),
    "symlink to the directory above": lambda _: a_tar(_link("ev", ".."), (info("ev/pwn"), b"x")),
    "symlink through /proc": lambda out: a_tar(
        _link("ev", "/proc/1/root"), (info(f"ev{out}/pwn"), b"x")
    ),
    "dot dot": lambda out: a_tar((info(f"{_climbing(out)}/pwn"), b"x")),
    "dot dot in the middle": lambda out: a_tar((info(f"a/b/{_climbing(out)}/pwn"), b"x")),
    "dot dot in a pax record": lambda out: a_tar(
        (_with_pax("harmless", path=f"{_climbing(out)}/pwn"), b"x")
    ),
    "dot dot in a long name": lambda out: a_tar(
        (info("a/" + "b" * 120 + f"/{_climbing(out)}/pwn"), b"x"), format_=tarfile.GNU_FORMAT
    ),
    "absolute name": lambda out: a_tar((info(out + "/pwn"), b"x")),
    "hard link through a symlink": lambda out: a_tar(
        _link("ev", out), _hard_link("h", "ev/secret")
    ),
    "hard link to an absolute name": lambda out: a_tar(_hard_link("h", out + "/secret")),
    "hard link to a relative name": lambda out: a_tar(_hard_link("h", f"{_climbing(out)}/secret")),
    "file over a symlink": lambda out: a_tar(_link("f", out + "/secret"), (info("f"), b"pwned")),
    "directory over a symlink, then a file": lambda out: a_tar(
        _link("d", out), info("d", tarfile.DIRTYPE), (info("d/pwn"), b"x")
    ),
    "hard link to a symlink, then a write": lambda out: a_tar(
        _link("s", out + "/secret"), _hard_link("h", "s"), (info("h"), b"pwned")
    ),
    "device, and a symlink to one": lambda _: a_tar(
        _device("memory"), _link("f", "memory"), (info("f"), b"pwned")
    ),
    "whiteout through a symlink": lambda out: a_tar(_link("s", out), info("s/.wh.secret")),
    "opaque whiteout through a symlink": lambda out: a_tar(_link("s", out), info("s/.wh..wh..opq")),
    "whiteout of the parent": lambda _: a_tar(info("a/.wh...")),
    "whiteout of the directory": lambda _: a_tar(info("a/.wh..")),
    "attributes of an overlay": lambda out: a_tar(
        _with_pax(
            "d/f",
            SCHILY__xattr__user__overlay__redirect=_climbing(out),
            SCHILY__xattr__trusted__overlay__redirect=out,
            SCHILY__xattr__user__overlay__metacopy="",
        )
    ),
    "attributes of owners": lambda _: a_tar(
        _with_pax("d/f", SCHILY__xattr__user__img__owner="7:7")
    ),
    "chain of symlinks": lambda out: a_tar(
        _link("a", ".."),
        _link("b", "a/.."),
        _link("c", "b/" + _climbing(out)),
        (info("c/pwn"), b"x"),
    ),
}


class Outside:
    """A directory that no archive may change or read."""

    def __init__(self, place: Path) -> None:
        self.path = place / "outside"
        self.path.mkdir()
        (self.path / "secret").write_text(self.text)
        self._before = self._seen()

    text = "this is nobody's business"

    def assert_untouched(self, why: object) -> None:
        """Fail if anything was changed."""
        assert self._seen() == self._before, why
        assert (self.path / "secret").read_text() == self.text, why

    def _seen(self) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for path in (self.path, *sorted(self.path.iterdir())):
            seen = path.lstat()
            found.append(
                (
                    path.name,
                    seen.st_mode,
                    seen.st_uid,
                    seen.st_nlink,
                    seen.st_size,
                    seen.st_ctime_ns,
                )
            )
        return found

"""The build context of the matrix' Dockerfiles: files, an archive, two Debian packages."""

import gzip
import io
import platform
import struct
import tarfile
from collections.abc import Iterable
from pathlib import Path

_LONG_AGO = 1_000_000_000  # seconds
# No program of a minimal Debian sets extended attributes, but its perl makes system calls.
_SETXATTR = {"x86_64": 188, "aarch64": 5}.get(platform.machine(), 226)
# What setcap(8) writes for cap_net_raw+ep: version 2 (linux/capability.h, struct vfs_cap_data).
_CAPABILITY = struct.pack("<5I", 0x0200_0001, 0x2000, 0, 0, 0)
_SET_XATTRS = f"""\
my %values = (capability => ["security.capability", pack("H*", "{_CAPABILITY.hex()}")],
  comment => ["user.comment", "of the matrix"]);
my ($name, $value) = @{{$values{{shift @ARGV}}}};
for my $path (@ARGV) {{
  syscall({_SETXATTR}, $path, $name, $value, length $value, 0) == 0 or die "$path: $!" }}
"""
_POST_INSTALL = """\
#!/bin/sh
set -e
groupadd --system service-data
useradd --system --home-dir /var/lib/service --shell /usr/sbin/nologin --gid service-data service
rm -f /var/log/lastlog /var/log/faillog
install -d -o service -g service-data -m 2750 /var/lib/service
chown root:service-data /etc/service/secret && chmod 0640 /etc/service/secret
dpkg-statoverride --update --add root service-data 4754 /usr/bin/service-helper
su service -s /bin/sh -c 'umask 077 && echo made > /var/lib/service/by-itself'
ln -sf /usr/bin/service-helper /usr/local/bin/helper
mkfifo -m 0620 /var/lib/service/pipe && chown service /var/lib/service/pipe
"""


def write_context(place: Path) -> None:
    """Fill the directory ``place`` with the same files for each user."""
    for name, text, mode in (
        ("tree/f", "a file\n", 0o644),
        ("tree/exec", "#!/bin/sh\n", 0o755),
        ("tree/sub/g", "another\n", 0o600),
        ("secret", "only seen while it runs", 0o644),
        ("set-xattrs.pl", _SET_XATTRS, 0o644),
    ):
        path = place / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    (place / "tree/sub/g").chmod(0o644)
    (place / "tree/link").symlink_to("sub/g")
    (place / "tree.tar.gz").write_bytes(gzip.compress(_tar(_members()), mtime=0))
    (place / "debs").mkdir(mode=0o755)
    for name, scripts, files in (
        ("service", {"postinst": _POST_INSTALL, "conffiles": "/etc/service/secret\n"}, _SERVICE),
        ("plain", {}, {"./usr/share/plain/f": (0o644, "plain\n")}),
    ):
        (place / f"debs/{name}.deb").write_bytes(_deb(name, scripts, files))


def _members() -> Iterable[tuple[tarfile.TarInfo, bytes]]:
    def member(name: str, kind: bytes, mode: int, owner: int, **more: object) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, owner, owner + 1, 1 << 30
        for field, value in more.items():
            setattr(info, field, value)
        return info

    yield member("dir", tarfile.DIRTYPE, 0o2750, 1000), b""
    yield member("dir/file", tarfile.REGTYPE, 0o640, 65534), b"text\n"
    yield member("dir/suid", tarfile.REGTYPE, 0o4711, 0), b"program\n"
    yield member("link", tarfile.SYMTYPE, 0o777, 7, linkname="dir/file"), b""
    yield member("hard", tarfile.LNKTYPE, 0o640, 65534, linkname="dir/file"), b""
    yield member("fifo", tarfile.FIFOTYPE, 0o620, 5), b""
    device = {"devmajor": 1, "devminor": 3}
    yield member("null", tarfile.CHRTYPE, 0o666, 0, **device), b""
    extended = {"pax_headers": {"SCHILY.xattr.user.comment": "packed"}}
    yield member("noted", tarfile.REGTYPE, 0o444, 1000, **extended), b"noted\n"
    capability = {"pax_headers": {"SCHILY.xattr.security.capability": _CAPABILITY.decode()}}
    yield member("capable", tarfile.REGTYPE, 0o755, 0, **capability), b"program\n"


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


Files = dict[str, tuple[int, str]]  # by path: mode and content
_SERVICE: Files = {
    "./etc/service/secret": (0o644, "secret\n"),
    "./usr/bin/service-helper": (0o755, "#!/bin/sh\n"),
    "./usr/share/service/data": (0o644, "data\n"),
}


def _deb(name: str, scripts: dict[str, str], files: Files) -> bytes:
    """Return a binary package (deb(5))."""
    control = (
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: M <m@example.org>\n"
        f"Description: {name}\n"
    )
    meta: Files = {"./control": (0o644, control)}
    meta |= {f"./{key}": (0o755, text) for key, text in scripts.items()}
    parts = (("debian-binary", b"2.0\n"), ("control.tar", _tar(_packed(meta))))
    packed = b"!<arch>\n"
    for member, content in (*parts, ("data.tar", _tar(_packed(files)))):
        header = f"{member:<16}{_LONG_AGO:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        packed += header.encode() + content + b"\n" * (len(content) % 2)
    return packed


def _packed(files: Files) -> Iterable[tuple[tarfile.TarInfo, bytes]]:
    parents = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    for path in ("./", *(f"./{parent}" for parent in sorted(parents))):
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, _LONG_AGO
        yield info, b""
    for path, (mode, text) in files.items():
        info = tarfile.TarInfo(path)
        info.mode, info.mtime = mode, _LONG_AGO
        yield info, text.encode()

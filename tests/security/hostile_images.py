"""Images and Dockerfiles that are meant to do harm, as Hypothesis strategies."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Json = Any

# All places in a root that img, an executor or a runtime reads, writes or mounts on.
PLACES = (
    *(
        "etc",
        "etc/passwd",
        "etc/group",
        "etc/hosts",
        "etc/resolv.conf",
        "etc/hostname",
        "etc/shadow",
    ),
    *(
        "proc",
        "sys",
        "dev",
        "dev/null",
        "dev/shm",
        "dev/pts",
        "dev/fd",
        "dev/stdout",
        "dev/console",
    ),
    *("tmp", "run", "run/secrets", "run/secrets/s", "run/ssh", "root", "home", "w", "w/x", "var"),
    *("mnt", "mnt/in", "cache", "usr", "usr/lib", "lib", "sbin", "bin/link", ".dockerenv", "out"),
    *("run/.containerenv", "run/systemd", "run/buildkit", ".img-draft-0123456789abcdef", "x"),
)
_NUMBERS = st.sampled_from(
    (
        *("", "0", "1", "1000", "-1", "65534", "65536", "2147483648", "4294967295", "4294967296"),
        *("9999999999", "9" * 30, "1e3", "0x0", " 1", "\u0663", "1_0", "+1", "\0", "a"),
    )
)
_ODD_NAMES = st.sampled_from(
    (
        *("evil", "root", "app", "a b", "", "x\0y", "\udcff", "é", "-1", "..", "a/b", "n" * 300),
        *("1000", "4294967295", "9999999999", "root:root", "0:0", "app:evil", ":", "a:b:c"),
        *("\x1b[2J", "\u0663"),
    )
)
_ODD_TEXTS = st.sampled_from(
    (
        *("", " ", "\0", "a\0b", "\ud800", "\udcff", "$", "${A", "${A:?}", "\n", "a\nRUN x", "="),
        *("\x1b[2J", "A", "=b", "A=\0", "PATH=", "PATH=/nowhere", "LD_PRELOAD=/x.so", "x" * 70_000),
        *("..", "/"),
    )
)


def _paths(outside: str) -> st.SearchStrategy[str]:
    climbing = "../" * 24 + outside.lstrip("/")
    return st.sampled_from(
        (
            *(f"/{place}" for place in PLACES),
            *(
                outside,
                f"{outside}/secret",
                f"{outside}/public/new",
                climbing,
                f"{climbing}/secret",
            ),
            *("/l", "/l/secret", "/l/new", "/a/../../..", "..", ".", "/", "//", "/proc/self/exe"),
            *("/proc/self/fd/3", "/proc/self/fd/7/x", "/proc/self/root", "/proc/1/root", "a\0b"),
            *(
                f"/proc/self/root{outside}",
                "/proc/self/cwd/../x",
                "/sys/kernel",
                "/dev/../l/secret",
            ),
            *("/proc/1/root/x", "/dev/fd/0", "relative/x", "é\udcff", "n" * 256, "d/" * 200),
        )
    )


@st.composite
def _passwd(draw: st.DrawFn) -> bytes:
    line = st.builds(
        "{}:{}:{}:{}:{}:{}:{}".format,
        _ODD_NAMES,
        st.just("x"),
        _NUMBERS,
        _NUMBERS,
        st.just(""),
        st.sampled_from(("/", "/root", "/nowhere", "..", "", "/l", "\0", "h" * 5000)),
        st.just("/bin/sh"),
    )
    lines = draw(st.lists(st.one_of(line, st.text(max_size=30)), max_size=6))
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    more = draw(
        st.one_of(st.just(b""), st.just(b"\n"), st.binary(max_size=40), st.just(b":" * 9000))
    )
    return text + more + draw(st.sampled_from((b"", b"", b"\0" * 100, b"x:" * (1 << 19))))


@dataclass(frozen=True)
class Member:
    """A member of the hostile layer."""

    path: str
    kind: bytes
    link: str = ""
    content: bytes = b""
    mode: int = 0o755


@dataclass(frozen=True)
class HostileImage:
    """A layer on busybox, a config, and a Dockerfile on both."""

    members: tuple[Member, ...]
    config: Mapping[str, Json]
    dockerfile: str

    def layer(self) -> bytes:
        """Return the layer as a tar."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for member in self.members:
                made = tarfile.TarInfo(member.path)
                made.type, made.linkname, made.mode = member.kind, member.link, member.mode
                made.size = len(member.content)
                made.devmajor, made.devminor = 1, 3
                tar.addfile(made, io.BytesIO(member.content))
        return buffer.getvalue()


def _members(outside: str) -> st.SearchStrategy[tuple[Member, ...]]:
    climbing = "../" * 24 + outside.lstrip("/")
    targets = st.sampled_from(
        (
            *(outside, f"{outside}/secret", f"{outside}/private", f"{outside}/program", climbing),
            *(f"{climbing}/secret", f"{outside}/nothing", f"{outside}/public/new", "..", ".", "/"),
            *("/proc/self/root" + outside, "/proc/1/root", "/proc/self/exe", "/proc/self/fd/3"),
            *("/proc/self/fd/4", "/proc/self/fd/7", "/dev/null", "/l", "l", "loop", "/nowhere"),
            *("/proc/self/cwd", "/sys/fs/cgroup", "../../../../dev/null", "n" * 200),
        )
    )
    place = st.sampled_from(PLACES)
    link = st.builds(lambda path, to: Member(path, tarfile.SYMTYPE, to), place, targets)
    special = st.builds(Member, place, st.sampled_from((tarfile.FIFOTYPE, tarfile.CHRTYPE)))
    file = st.builds(
        lambda path, content, mode: Member(path, tarfile.REGTYPE, "", content, mode),
        place,
        st.sampled_from(
            (b"", b"#!/proc/self/exe\n", b"#!/bin/link\n", b"\x7fELF", b"#!" + b"x" * 300)
        ),
        st.sampled_from((0, 0o644, 0o755, 0o4755)),
    )
    directory = st.builds(lambda path, mode: Member(path, tarfile.DIRTYPE, mode=mode), place,
                          st.sampled_from((0, 0o755, 0o7777)))  # fmt: skip
    users = st.builds(
        lambda path, content: Member(path, tarfile.REGTYPE, "", content, 0o644),
        st.sampled_from(("etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf")),
        _passwd(),
    )
    always = (Member("l", tarfile.SYMTYPE, outside), Member("loop", tarfile.SYMTYPE, "loop"))
    return st.lists(st.one_of(link, link, special, file, directory, users), max_size=6).map(
        lambda found: (*always, *found)
    )


@st.composite
def _config(draw: st.DrawFn, outside: str) -> Mapping[str, Json]:
    path, text = _paths(outside), _ODD_TEXTS
    wrong: st.SearchStrategy[Json] = st.sampled_from(
        (None, 0, -1, 1e300, True, [], {}, [None], "x")
    )
    argv = st.lists(st.one_of(text, path), max_size=3)
    fields: dict[str, st.SearchStrategy[Json]] = {
        "User": _ODD_NAMES,
        "WorkingDir": st.one_of(path, text),
        "Env": st.lists(st.one_of(text, text.map("A={}".format)), max_size=4),
        "Cmd": argv,
        "Entrypoint": argv,
        "Shell": st.one_of(argv, st.just(["/bin/sh", "-c"])),
        "Volumes": st.dictionaries(path, st.just({}), max_size=2),
        "ExposedPorts": st.dictionaries(st.one_of(text, _NUMBERS), st.just({}), max_size=2),
        "Labels": st.dictionaries(text, text, max_size=2),
        "StopSignal": text,
        "OnBuild": st.lists(st.sampled_from(("RUN true", "COPY x /l/new", "USER evil", "\0", "X")),
                            max_size=1),
    }  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
    return {name: draw(wrong if draw(st.integers(0, 11)) == 0 else fields[name]) for name in chosen}


def _dockerfile(outside: str) -> st.SearchStrategy[str]:
    path = _paths(outside)
    there = st.one_of(st.sampled_from(("/l", "/loop", "/bin", "/", "/l/secret", "/etc")), path)
    user = _ODD_NAMES
    touch = (
        "echo x >{0}; chmod 777 {0}; chown 7 {0}; rm -rf {0}/secret; cat {0}/secret {0} >>/found"
    )
    instruction = st.one_of(
        st.just("RUN true"),
        st.just('RUN ["/bin/busybox", "true"]'),
        path.map(lambda p: f"RUN {touch.format(p)}; true"),
        path.map(lambda p: f'RUN ["{p}"]'),
        path.map("WORKDIR {}".format),
        path.map("COPY x {}".format),
        there.map("COPY --from=other {} /out/".format),
        path.map("COPY --parents x {}/".format),
        path.map("ADD a.tar {}".format),
        path.map("RUN --mount=type=bind,source=x,target={} true".format),
        path.map(
            "RUN --mount=type=bind,rw,from=other,source=/,target={0} echo x >{0}/new; true".format
        ),
        path.map("RUN --mount=type=cache,target={0} echo x >{0}/new; true".format),
        path.map("RUN --mount=type=tmpfs,target={} true".format),
        there.map("RUN --mount=type=bind,from=other,source={},target=/mnt true".format),
        there.map(
            "RUN --mount=type=cache,from=other,source={},target=/cache cat /cache/secret".format
        ),
        user.map("USER {}".format),
        user.map("COPY --chown={} x /x".format),
        user.map("RUN --mount=type=cache,uid=7,target=/cache true\nUSER {}\nRUN id".format),
        path.map("VOLUME {}".format),
        path.map('ENTRYPOINT ["{}"]'.format),
        st.just("RUN mkdir -p /d && ln -s /l /d/m\nRUN --mount=type=tmpfs,target=/d/m true"),
        st.just("RUN --network=none true"),
        st.just("RUN rm -rf /etc /tmp; ln -s /l /etc; ln -s /l /tmp; true\nRUN true"),
    )

    def joined(lines: list[str]) -> str:
        body = "\n".join(line.replace("\r", "") for line in lines)
        return f"FROM registry.test/base AS other\nFROM registry.test/base\n{body}\nRUN true\n"

    return st.lists(instruction, min_size=1, max_size=4).map(joined)


def hostile_images(outside: str) -> st.SearchStrategy[HostileImage]:
    """Return images that try to get at the directory ``outside``."""
    return st.builds(HostileImage, _members(outside), _config(outside), _dockerfile(outside))

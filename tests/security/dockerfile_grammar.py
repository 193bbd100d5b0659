"""Dockerfiles that are right by their grammar, and by a few words wrong."""

import random
from collections.abc import Callable

from tests.security.hostile_texts import ODD

_STAGES = ("a", "b", "base", "final", "0", "1", "2", "scratch", "busybox")
_PATHS = (
    *(
        "/",
        ".",
        "./",
        "..",
        "/a",
        "/a/b/",
        "a",
        "sub",
        "sub/",
        "*.txt",
        "sub/*",
        "**",
        "a*/./b",
        "~",
    ),
    *(
        "/etc/passwd",
        "/proc",
        "/dev/null",
        "link",
        "nothing",
        "sub/./deep",
        "/w/../x",
        "a\\b",
        '"a b"',
    ),
)
_NAMES = ("A", "B", "PATH", "TARGETARCH", "HOME", "UNSET", "HTTP_PROXY", "SOURCE_DATE_EPOCH", "_1")
_VALUES = ("1", "x y", "$A", "${B:-1}", "${A:+$B}", "${A#*x}", "'q q'", '"d $A"', "a\\ b", "")
_COMMANDS = ("true", "echo $A", "a && b", "x | y", "exit 3", "cat <<X", "#", '["sh","-c","x"]', "")
_IDS = ("0", "root", "0:0", "root:root", "1000", "app:app", "4294967295", "$A", "nobody")
_MOUNTS = (
    *("type=bind,target=/m", "type=bind,from=base,source=/,target=/m,rw", "type=cache,target=/c"),
    *(
        "type=cache,id=x,sharing=locked,mode=0700,uid=1,gid=2,target=c",
        "type=tmpfs,target=/t,size=1m",
    ),
    *("type=secret,id=s", "type=secret,id=s,env=S,required", "type=ssh", "type=ssh,id=x,mode=0600"),
    *(
        "type=bind,source=sub,target=/m",
        "type=cache,target=/c,from=a,source=/x",
        "type=secret,target=x",
    ),
)
_SHELLS = ('["/bin/sh", "-c"]', "[]", "sh", '["x", 1]')
_PORTS = ("80", "80/tcp 90/udp", "1-3", "1-65535/sctp", "$A", "8080:80")
_VOLUMES = ("/v", "/v /w", '["/v"]', "$A", "/")
_CHECKS = ("NONE", "CMD x", 'CMD ["x"]', "x")
_WORDS = ('["a", "b"]', "a b", "[]", '["a', "$A")


class DockerfileMaker:
    """A generator of Dockerfiles, which depend only on ``rng``."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._oddness = rng.choice((0.0, 0.0, 0.02, 0.05, 0.2))
        self._instructions: list[Callable[[], str]] = [
            *(self._from, self._run, self._run, self._copy, self._copy, self._add, self._arg),
            *(self._env, self._label, self._user, self._workdir, self._shell, self._expose),
            *(self._volume, self._health, self._onbuild, self._command, self._stop, self._rest),
        ]

    def make(self) -> str:
        """Return a Dockerfile."""
        rng = self._rng
        lines = [*self._directives(), *(self._arg() for _ in range(rng.choice((0, 0, 1, 2))))]
        lines.append(self._from())
        for _ in range(rng.choice((0, 1, 2, 3, 5, 8, 13))):
            lines.append(rng.choice(self._instructions)())
            if rng.random() < 0.05:
                lines.append(rng.choice(("", "# a comment", "#", "  # x", "\t")))
        return rng.choice(("\n", "\n", "\n", "\r\n")).join(lines) + rng.choice(("\n", "\n", ""))

    def _pick(self, words: tuple[str, ...]) -> str:
        return self._rng.choice(ODD if self._rng.random() < self._oddness else words)

    def _pairs(self) -> str:
        rng = self._rng
        pairs = (
            f"{self._pick(_NAMES)}={self._pick(_VALUES)}" for _ in range(rng.choice((1, 1, 3)))
        )
        return rng.choice((" ", " ", " \\\n  ")).join(pairs)

    def _directives(self) -> list[str]:
        lines = (
            *("# syntax=docker/dockerfile:1", "# escape=`", "# check=skip=all;error=true"),
            *("# check=skip=JSONArgsRecommended", "#syntax=x/y", "// syntax=a", "\ufeff# a"),
        )
        return [self._pick(lines) for _ in range(self._rng.choice((0, 0, 0, 1, 2)))]

    def _from(self) -> str:
        rng = self._rng
        platform = self._pick(("--platform=$BUILDPLATFORM ", "--platform=linux/arm64 ", "", "", ""))
        name = f" AS {self._pick(_STAGES)}" if rng.random() < 0.6 else ""
        bases = ("scratch", "busybox", "base", "a", "0", "onbuild", "busybox@sha256:" + "0" * 64)
        return f"FROM {platform}{self._pick((*bases, '$A', '${B:-busybox}'))}{name}"

    def _run(self) -> str:
        rng = self._rng
        mounts = [f"--mount={self._pick(_MOUNTS)}" for _ in range(rng.choice((0, 0, 0, 1, 2)))]
        others = ("--network=none", "--network=host", "--security=insecure", "--device=x")
        flags = [*mounts, *([self._pick(others)] if rng.random() < 0.1 else [])]
        if rng.random() < 0.15:
            return f"RUN {' '.join(flags)} <<E {self._pick(_COMMANDS)}\n{self._pick(_VALUES)}\nE"
        return " ".join(["RUN", *flags, self._pick(_COMMANDS)])

    def _flags(self) -> list[str]:
        known = (
            *("--from=base", "--from=0", "--from=busybox", "--chown=0:0", "--chown=app", "--link"),
            *("--chmod=755", "--chmod=u+s,g=rX", "--parents", "--exclude=*.txt", "--link=false"),
            *(
                "--exclude=sub/**",
                "--checksum=sha256:" + "0" * 64,
                "--keep-git-dir",
                "--unpack=true",
            ),
            *(f"--chown={self._pick(_IDS)}", f"--chmod={self._pick(('0', '7777', 'a+x', '$A'))}"),
        )
        return [self._pick(known) for _ in range(self._rng.choice((0, 0, 1, 1, 2)))]

    def _copy(self) -> str:
        rng = self._rng
        if rng.random() < 0.1:
            name = self._pick(("E", "'E'", "-E", "sub/E"))
            return f"COPY <<{name} {self._pick(_PATHS)}\n{self._pick(_VALUES)}\nE"
        paths = [self._pick(_PATHS) for _ in range(rng.choice((2, 2, 2, 3, 1)))]
        if rng.random() < 0.1:
            return " ".join(["COPY", *self._flags(), '["' + '","'.join(paths) + '"]'])
        return " ".join(["COPY", *self._flags(), *paths])

    def _add(self) -> str:
        sources = (
            *("http://h.example/a.tar", "https://h.example/x/", "a.tar", "sub", "*.tar"),
            *(
                "https://github.com/x/y.git#v1:sub",
                "git@github.com:x/y.git",
                "http://h.example/?a=b",
            ),
        )
        return " ".join(["ADD", *self._flags(), self._pick(sources), self._pick(_PATHS)])

    def _arg(self) -> str:
        return f"ARG {self._pairs() if self._rng.random() < 0.7 else self._pick(_NAMES)}"

    def _env(self) -> str:
        old = f"ENV {self._pick(_NAMES)} {self._pick(_VALUES)}"
        return old if self._rng.random() < 0.2 else f"ENV {self._pairs()}"

    def _label(self) -> str:
        return f"LABEL {self._pairs()}"

    def _user(self) -> str:
        return f"USER {self._pick(_IDS)}"

    def _workdir(self) -> str:
        return f"WORKDIR {self._pick((*_PATHS, '$A/x', '${UNSET}'))}"

    def _shell(self) -> str:
        return f"SHELL {self._pick(_SHELLS)}"

    def _expose(self) -> str:
        return (
            f"EXPOSE {self._pick(('80', '80/tcp 90/udp', '1-3', '1-65535/sctp', '$A', '8080:80'))}"
        )

    def _volume(self) -> str:
        return f"VOLUME {self._pick(_VOLUMES)}"

    def _health(self) -> str:
        flags = self._pick(("", "--interval=5s", "--timeout=1h --retries=3", "--start-period=0s"))
        return f"HEALTHCHECK {flags} {self._pick(_CHECKS)}"

    def _onbuild(self) -> str:
        return f"ONBUILD {self._rng.choice(self._instructions)()}"

    def _command(self) -> str:
        word = self._rng.choice(("CMD", "ENTRYPOINT"))
        return f"{word} {self._pick(_WORDS)}"

    def _stop(self) -> str:
        return f"STOPSIGNAL {self._pick(('SIGTERM', '9', '$A', 'SIGNOPE', '-1'))}"

    def _rest(self) -> str:
        return self._pick(("MAINTAINER x", "FORM x", "run x", "COPY", "FROM", "}", "E"))

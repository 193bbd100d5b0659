"""Builds in a real default container of Docker: no namespaces, no mounts, fourteen capabilities."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host import REPOSITORY, in_memory, lacking, need_root, program

_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /srv && echo 'app:x:1000:1001::/:/bin/sh' > /etc/passwd && chown 5:6 /srv
RUN echo hi > /srv/x && ln /srv/x /srv/y && chmod 4755 /srv/x && rm /etc/passwd
RUN --mount=type=cache,target=/var/cache/x echo c > /var/cache/x/c && cat /var/cache/x/c
RUN --mount=type=tmpfs,target=/t --mount=type=bind,target=/ctx test -f /ctx/busybox && touch /t/a
RUN sleep 0 && (setsid sleep 1000 &) && mknod /srv/device c 1 3
"""
_LOST = (" && chown 5:6 /srv", " && mknod /srv/device c 1 3")  # without root, under PRoot


class Docker:
    """A daemon of its own, and an image that has nothing but the places for mounts."""

    def __init__(self, base: Path) -> None:
        self._client = [program("docker"), "-H", f"unix://{base}/socket"]
        options = [f"--{name}={base}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        options += [f"--host=unix://{base}/socket", "--storage-driver=vfs"]
        with open(base / "log", "wb") as log:
            self._daemon = subprocess.Popen(
                [program("dockerd"), *options, "--iptables=false", "--bridge=none"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while subprocess.run([*self._client, "info"], capture_output=True, check=False).returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.close()
                lacking(f"dockerd does not start: {(base / 'log').read_text()[-300:]}")
            time.sleep(0.2)
        root = base / "root"
        for name in ("etc", "tmp", "root", "work", "proc", "sys", "dev", "context", "usr"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        (root / "tmp").chmod(0o1777)
        packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True)
        subprocess.run([*self._client, "import", "-", "base"], input=packed.stdout, check=True)

    def run(self, script: str, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run a script in a new container that sees our Python and img, read-only."""
        shown = {"/usr", str(REPOSITORY), *(p for p in (sys.prefix,) if not p.startswith("/usr"))}
        volumes = [f"--volume={path}:{path}:ro" for path in sorted(shown)]
        limits = ["--rm", "--network=none", "--env=PYTHONDONTWRITEBYTECODE=1"]
        return subprocess.run(
            [*self._client, "run", *limits, *volumes, *options, "base", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def close(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(30)


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    need_root()
    base = Path(tempfile.mkdtemp(dir=in_memory(), prefix="img-docker-"))
    running = Docker(base)
    yield running
    running.close()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("context")
    place.chmod(0o755)
    place.parent.chmod(0o755)
    shutil.copy(program("busybox"), place / "busybox")
    (place / "Dockerfile").write_text(_DOCKERFILE)
    kept = functools.reduce(lambda text, lost: text.replace(lost, ""), _LOST, _DOCKERFILE)
    (place / "Dockerfile.user").write_text(kept)
    (place / "Dockerfile.copy").write_text("FROM scratch\nCOPY busybox /bin/busybox\n")
    return place


IMG = f"{sys.executable} -m img"
BUILD = f"cd {REPOSITORY} && {IMG} --state /tmp/state build --progress plain -t t"
LIST = f"{IMG} --state /tmp/state ls"
_REFUSED = "this system refuses namespaces: Operation not permitted"
EPOCH = "--env=SOURCE_DATE_EPOCH=1700000000"


def test_root_builds_the_same_image_as_outside(docker: Docker, context: Path) -> None:
    inside = docker.run(f"{BUILD} /context && {LIST}", f"--volume={context}:/context:ro", EPOCH)

    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert f"#1 [internal] executor chroot, snapshots naive; {_REFUSED}\n" in inside.stderr
    assert "RUN has no /proc here" in inside.stderr
    assert digest(inside.stdout) == digest(outside(context, "Dockerfile"))


def test_a_user_builds_with_proot_what_has_no_other_owners(docker: Docker, context: Path) -> None:
    program("proot")
    inside = docker.run(
        f"{BUILD} -f /context/Dockerfile.user /context && {LIST}",
        f"--volume={context}:/context:ro",
        "--user=1234:1234",
        "--env=HOME=/tmp",
        EPOCH,
    )

    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert f"#1 [internal] executor proot, snapshots naive; {_REFUSED}\n" in inside.stderr
    assert digest(inside.stdout) == digest(outside(context, "Dockerfile.user"))


def test_without_proot_a_user_can_copy_and_is_told_what_run_needs(
    docker: Docker, context: Path
) -> None:
    alone = ("--user=1234:1234", "--env=HOME=/tmp", f"--volume={context}:/context:ro")
    hidden = f"--volume=/dev/null:{program('proot')}"
    copied = docker.run(f"{BUILD} -f /context/Dockerfile.copy /context", *alone, hidden)
    refused = docker.run(f"{BUILD} /context", *alone, hidden)

    assert copied.returncode == 0, copied.stderr
    assert f"#1 [internal] no executor, so RUN is not possible; {_REFUSED}\n" in copied.stderr
    assert refused.returncode != 0
    assert "this system refuses namespaces" in refused.stderr
    assert "install proot" in refused.stderr


def test_a_step_of_root_cannot_look_at_the_container(docker: Docker, context: Path) -> None:
    attempts = (
        "cat /../../tmp/secret",
        "ls /proc/1/root/tmp",
        "/bin/busybox chroot / true",
        "mount -t proc proc /proc",
    )
    script = "".join(f"RUN ! {attempt}\n" for attempt in attempts)
    setup = _DOCKERFILE.split("RUN mkdir", maxsplit=1)[0]
    (context / "Dockerfile.evil").write_text(setup + script)

    tried = docker.run(
        f"echo secret > /tmp/secret; {BUILD} -f /context/Dockerfile.evil /context; "
        "echo $?; cat /tmp/secret; ls /",
        f"--volume={context}:/context:ro",
    )

    assert tried.stdout.splitlines()[-3:] != [], tried.stderr
    assert tried.stdout.split()[:2] == ["0", "secret"], tried.stderr


def test_a_build_that_is_killed_leaves_nothing_and_the_next_one_works(
    docker: Docker, context: Path
) -> None:
    slow = _DOCKERFILE.split("RUN mkdir", maxsplit=1)[0] + "RUN sleep 4321\n"
    (context / "Dockerfile.slow").write_text(slow)

    done = docker.run(
        f"({BUILD} -f /context/Dockerfile.slow /context & echo $! > /tmp/pid; wait) & "
        "for i in $(seq 200); do grep -qs sleep.4321 /proc/[0-9]*/cmdline && break; sleep 0.05; "
        "done; pkill -9 -f 'state build'; sleep 0.5; "
        "pgrep -x sleep; "
        f"{BUILD} /context && ls /tmp/state/snapshots/same/naive/work && echo well",
        f"--volume={context}:/context:ro",
    )

    assert done.stdout.split()[-1:] == ["well"], done.stdout + done.stderr
    assert done.stdout.split() == ["well"], done.stdout


def test_doctor_says_what_there_is(docker: Docker) -> None:
    told = docker.run(f"cd {REPOSITORY} && {IMG} doctor", "--env=HOME=/tmp")

    assert "--executor auto: chroot" in told.stdout
    assert "--backend auto: naive" in told.stdout


def outside(context: Path, file: str) -> str:
    """Return what is said of the image when it is built here, by root."""
    state = Path(tempfile.mkdtemp(dir=in_memory(), prefix="img-outside-"))
    script = f"{BUILD} -f {context / file} {context} && {LIST}".replace("/tmp/state", str(state))
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    try:
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, env=env, check=False
        )
    finally:
        shutil.rmtree(state)
    assert done.returncode == 0, done.stderr
    return done.stdout


def digest(listing: str) -> str:
    """Return the manifest's digest out of ``img ls``."""
    return next(word for word in listing.split() if word.startswith("sha256:"))

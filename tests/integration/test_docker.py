"""Builds in a real default container of Docker: no namespaces, no mounts, fourteen capabilities."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.machine import REPOSITORY, in_memory, need_root, new_directory, program

_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /srv && echo 'app:x:1000:1001::/:/bin/sh' > /etc/passwd && chown 5:6 /srv
RUN echo hi > /srv/x && ln /srv/x /srv/y && chmod 4755 /srv/x && rm /etc/passwd
RUN --mount=type=cache,target=/var/cache/x echo c > /var/cache/x/c && cat /var/cache/x/c
RUN --mount=type=tmpfs,target=/t --mount=type=bind,target=/ctx test -f /ctx/busybox && touch /t/a
RUN test $(readlink /proc/self/exe) = /bin/busybox && grep -c processor /proc/cpuinfo > /dev/stdout
RUN sleep 0 && (setsid sleep 1000 &) && mknod /srv/device c 1 3
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerDaemon]:
    need_root()
    base = new_directory("img-docker", in_memory())
    running = DockerDaemon(base)
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
    (place / "Dockerfile.copy").write_text("FROM scratch\nCOPY busybox /bin/busybox\n")
    return place


IMG = f"{sys.executable} -m img"
BUILD = f"cd {REPOSITORY} && {IMG} --state /tmp/state build --progress plain -t t"
LIST = f"{IMG} --state /tmp/state ls"
_REFUSED = "this system refuses namespaces: Operation not permitted"
EPOCH = "--env=SOURCE_DATE_EPOCH=1700000000"


def test_root_builds_the_same_image_as_outside(docker: DockerDaemon, context: Path) -> None:
    inside = docker.run(f"{BUILD} /context && {LIST}", f"--volume={context}:/context:ro", EPOCH)

    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert f"#1 [internal] executor chroot, snapshots naive; {_REFUSED}\n" in inside.stderr
    assert digest(inside.stdout) == digest(outside(context, "Dockerfile"))


def test_a_user_builds_the_same_image_with_proot(docker: DockerDaemon, context: Path) -> None:
    program("proot")
    inside = docker.run(
        f"{BUILD} /context && {LIST}",
        f"--volume={context}:/context:ro",
        "--user=1234:1234",
        "--env=HOME=/tmp",
        EPOCH,
    )

    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert f"#1 [internal] executor proot, snapshots naive; {_REFUSED}\n" in inside.stderr
    assert digest(inside.stdout) == digest(outside(context, "Dockerfile"))


def test_without_proot_a_user_can_copy_and_is_told_what_run_needs(
    docker: DockerDaemon, context: Path
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


def test_a_step_of_root_cannot_look_at_the_container(docker: DockerDaemon, context: Path) -> None:
    attempts = (
        "cat /../../tmp/secret",
        "cat /proc/self/root/../tmp/secret /proc/self/cwd/../../../tmp/secret",
        "cat /dev/fd/../../../../tmp/secret",
        "ls /proc/1/root/tmp",
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | grep hunter[2]",
        "grep -rs hunter[2] /run /dev/shm /tmp",
        "env | grep hunter[2]",
        "test -e /run/secrets/token",
        "kill -9 1",
        "kill -9 $PPID",
        "/bin/busybox chroot / true",
        "mount -t proc proc /proc",
        "unshare -m true",
        "nsenter -t 1 -m ls",
        "sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk'",
        "sh -c 'mknod /tmp/memory c 1 1 && head -c 1 /tmp/memory'",
    )
    tried = built_from_busybox(
        docker,
        context,
        "RUN mkdir /tmp\n" + "".join(f"RUN ! {attempt}\n" for attempt in attempts),
        before="mkdir /run/secrets; echo hunter2 | tee /run/secrets/token > /tmp/secret; "
        "export TOKEN=hunter2; touch /tmp/state.lock",
        after="cat /tmp/secret",
    )

    assert tried.returncode == 0, tried.stderr
    assert tried.stdout == "hunter2\n"
    assert "applet not found" not in tried.stderr
    assert ": not found" not in tried.stderr


def test_the_containers_own_root_is_as_it_was(docker: DockerDaemon, context: Path) -> None:
    look = "find / -xdev -path /tmp/state -prune -o -printf '%p %y %m %U:%G %T@ %C@ %l\\n'"
    listed = built_from_busybox(
        docker,
        context,
        "RUN echo evil > /../../evil; rm -rf /../etc /../dev/shm; touch /dev/null\n",
        before=f"mkdir /tmp/state /tmp/tree; {look} > /dev/shm/before",
        after=f"{look} > /dev/shm/after; cd /dev/shm; diff before after && wc -l < after",
    )

    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert int(listed.stdout) > 10


def test_every_kind_of_mount_has_something_in_its_place(
    docker: DockerDaemon, context: Path
) -> None:
    done = built_from_busybox(
        docker,
        context,
        "RUN --mount=type=secret,id=key,mode=0440,gid=7 grep hunter[2] /run/secrets/key\n"
        "RUN --mount=type=secret,id=key,env=KEY env | grep hunter[2] && ! test -e /run/secrets\n"
        "RUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n"
        "RUN --mount=type=cache,target=/c,id=one echo kept > /c/x\n"
        "RUN --mount=type=cache,target=/d,id=one grep kept /d/x && ! test -e /c\n"
        "RUN --mount=type=tmpfs,target=/t echo x > /t/x\n"
        "RUN --mount=type=bind,target=/ctx,rw echo x > /ctx/busybox\n"
        "RUN --mount=type=bind,target=/ctx test $(wc -c < /ctx/busybox) -gt 2 && ! test -e /t\n",
        before="echo hunter2 > /tmp/key; eval $(ssh-agent) > /tmp/agent",
        options="--secret id=key,src=/tmp/key --ssh default",
        after="grep -rls hunter2 /tmp/state; find /tmp/state/snapshots -path '*/work/*'",
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_what_cannot_be_done_is_refused_by_name(docker: DockerDaemon, context: Path) -> None:
    refused = built_from_busybox(docker, context, "RUN --network=none true\n")

    assert refused.returncode == 1
    assert "the executor chroot cannot take the network away (--network=none)" in refused.stderr


def test_a_step_under_proot_cannot_read_what_img_knows(docker: DockerDaemon, context: Path) -> None:
    program("proot")
    tried = built_from_busybox(
        docker,
        context,
        "RUN cat /proc/[0-9]*/environ | grep -c hunter[2]; test $? = 1\n"
        "RUN cat /proc/[0-9]*/environ | tr '\\\\0' ' ' | grep -q HOME=\n",
        "--user=1234:1234",
        "--env=HOME=/tmp",
        environment="TOKEN=hunter2",
    )

    assert tried.returncode == 0, tried.stderr


def test_a_build_that_is_killed_leaves_nothing_and_the_next_one_works(
    docker: DockerDaemon, context: Path
) -> None:
    slow = _DOCKERFILE.split("RUN mkdir", maxsplit=1)[0] + "RUN sleep 4321\n"
    (context / "Dockerfile.slow").write_text(slow)

    done = docker.run(
        f"({BUILD} -f /context/Dockerfile.slow /context & echo $! > /tmp/pid; wait) & "
        "for i in $(seq 200); do grep -qs sleep.4321 /proc/[0-9]*/cmdline && break; sleep 0.05; "
        "done; pkill -9 -f 'state build'; sleep 0.5; "
        "pgrep -x sleep; "
        f"{BUILD} /context && ls /tmp/state/snapshots/same/*/naive/work && echo well",
        f"--volume={context}:/context:ro",
    )

    assert done.stdout.split()[-1:] == ["well"], done.stdout + done.stderr
    assert done.stdout.split() == ["well"], done.stdout


def test_doctor_says_what_there_is(docker: DockerDaemon) -> None:
    told = docker.run(f"cd {REPOSITORY} && {IMG} doctor", "--env=HOME=/tmp")

    assert "--executor auto: chroot" in told.stdout
    assert "--backend auto: naive" in told.stdout


def built_from_busybox(
    docker: DockerDaemon,
    context: Path,
    lines: str,
    *where: str,
    before: str = "true",
    options: str = "",
    environment: str = "",
    after: str = "true",
) -> "subprocess.CompletedProcess[str]":
    """Build a Dockerfile of busybox and ``lines`` in a new container; its code is the build's."""
    text = _DOCKERFILE.split("RUN mkdir", maxsplit=1)[0] + lines
    file = context / f"Dockerfile.{len(os.listdir(context))}"
    file.write_text(text)
    build = f"{environment} {IMG} --state /tmp/state build --progress plain -t t {options}"
    script = (
        f"{before}; cd {REPOSITORY}; {build} -f /context/{file.name} /context || exit 1; {after}"
    )
    return docker.run(script, f"--volume={context}:/context:ro", *where)


def outside(context: Path, file: str) -> str:
    """Return the description of the image that root builds here."""
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


_SHOWN = """\
FROM scratch
COPY busybox /bin/busybox
LABEL a.b="x <y>" empty=""
ENV A=1 B="two words"
EXPOSE 80 53/udp
VOLUME /data
USER 7:8
WORKDIR /srv
HEALTHCHECK --interval=5s --retries=3 CMD ["/bin/busybox", "true"]
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/busybox"]
COPY Dockerfile /
CMD ["echo", "a b"]
"""

_TEMPLATES = (
    "{{.ID}} {{.Os}}/{{.Architecture}}{{.Variant}} {{.Created}} {{.Comment}}",
    "{{.RepoTags}} {{len .RepoTags}} {{json .RepoTags}}",
    "{{json .Config.Env}} {{.Config.Env}} {{index .Config.Env 1}}",
    '{{json .Config.Labels}} {{.Config.Labels}} {{index .Config.Labels "a.b"}}',
    "{{json .Config.ExposedPorts}} {{range $p, $_ := .Config.ExposedPorts}}{{$p}},{{end}}",
    "{{json .Config.Volumes}} {{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}}",
    '{{json .Config.Entrypoint}} {{join .Config.Cmd " "}} {{.Config.OnBuild}}',
    "{{json .Config.Healthcheck}} {{.Config.Healthcheck.Retries}}",
    "{{json .RootFS}} {{len .RootFS.Layers}} {{index .RootFS.Layers 0}}",
    "{{range .Config.Env}}{{println .}}{{end}}{{with .Config}}{{upper .User}}{{end}}",
    '{{if .Config.Shell}}shell{{else if eq .Os "linux"}}linux{{else}}other{{end}}',
    '{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$i}}={{printf "%q" $e}}{{end}}',
    '{{split .ID ":"}} {{slice .ID 7 19}} {{title .Os}} {{pad .Os 1 2}}|{{truncate .ID 9}}',
    "{{and .Config.Cmd .Os}} {{or .Config.Shell .Os}} {{not .Os}} {{print 1 2 .Os 3}}",
    '{{.Config.Labels.none}} {{index .Config.Labels "none"}}|{{- " trimmed " -}}  |',
)


def test_images_are_shown_as_docker_shows_them(
    docker: DockerDaemon, context: Path, tmp_path: Path
) -> None:
    def img(*arguments: str | Path) -> str:
        command = [sys.executable, "-m", "img", "--state", tmp_path / "state", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    (tmp_path / "Dockerfile").write_text(_SHOWN)
    names = ("shown:1", "shown:two", "other.example/team/shown:1")
    tags = [f"--tag={name}" for name in names]
    img("build", "-q", "-f", tmp_path / "Dockerfile", *tags, context)
    img("save", "-o", tmp_path / "shown.tar", *names)
    docker.client("load", "-q", "-i", tmp_path / "shown.tar")

    for template in ("{{.Id}}", "\n--\n".join(_TEMPLATES)):
        ours, theirs = (show("inspect", "-f", template, "shown:1") for show in (img, docker.client))
        assert ours.split("\n--\n") == theirs.split("\n--\n")
    line = "{{.ID}}|{{.Size}}|{{.CreatedBy}}|{{.Comment}}"
    history = ("history", "--no-trunc", "--human=false", "--format", line, "shown:1")
    assert img(*history) == docker.client(*history)
    for filters in (
        ["reference=*shown*:t*"],
        ["reference=shown:1", "reference=*/*/shown"],
        ["label=a.b=x <y>", "reference=shown"],
    ):
        command = ["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]
        command += [f"--filter={each}" for each in filters]
        ours, theirs = img(*command), docker.client(*command)
        assert sorted(ours.splitlines()) == sorted(theirs.splitlines()), filters

"""RUN --mount: what is seen while a step runs is nowhere afterwards."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.images.written_images import read_archive

pytestmark = [pytest.mark.userns, pytest.mark.registry]

SECRET = "e2e-Zx81-never-to-be-kept"

_WITH_SECRETS = """\
FROM @BASE@
RUN --mount=type=secret,id=one cat /run/secrets/one && cp /run/secrets/one /tmp/x && rm /tmp/x
RUN --mount=type=secret,id=one,target=/deep/down/file,mode=0444 test -s /deep/down/file
RUN --mount=type=secret,id=two,env=TOKEN echo "it is $TOKEN" && ps | cat
"""

_WITH_MOUNTS = """\
FROM @BASE@ AS other
RUN mkdir -m 750 /data && chown 7:8 /data && echo data >/data/file
FROM @BASE@
WORKDIR /w
RUN --mount=type=secret,id=one,target=s --mount=type=secret,id=one,target=../v/t \
    test -s /w/s && test -s /v/t
USER 7
RUN --mount=type=cache,from=other,source=/data,target=/from,uid=9,mode=0700 \
    test "$(stat -c '%a %u:%g' /from)" = "750 7:8" && cat /from/file && echo >/from/new
USER 0
RUN --mount=type=bind,from=other,source=/data,target=/new/bound \\
    --mount=type=tmpfs,target=/new/tmp \\
    --mount=type=cache,target=/var/cache/here --mount=type=secret,id=one \\
    --mount=type=bind,source=a.txt,target=/new/a.txt,rw \\
    grep data /new/bound/file && echo changed >/new/a.txt && touch /new/tmp/x /var/cache/here/y
"""


def files_holding(directory: Path, text: bytes) -> list[str]:
    """Return the files below ``directory`` in which ``text`` stands, as it is or compressed."""
    found = []
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if content.startswith(b"\x1f\x8b"):
                content += gzip.decompress(content)
            if text in content:
                found.append(str(path.relative_to(directory)))
    return found


def test_the_values_of_secrets_are_nowhere(
    img: Img, write_context: WriteContext, busybox: str, workplace: Path
) -> None:
    secret = workplace / "secret"
    secret.write_text(f"{SECRET}-one\n")
    secret.chmod(0o644)
    context = write_context(_WITH_SECRETS.replace("@BASE@", busybox))
    secrets = ("--secret", f"id=one,src={secret}", "--secret", "id=two,env=TWO")

    built = img.with_environment(TWO=f"{SECRET}-two")("-d", "build", "-t", "s", *secrets, context)

    assert "****" in built.stderr  # they were printed, and masked
    saved = img("save", "--format", "oci", "s").output
    image = read_archive(saved)
    assert SECRET not in str(image)
    for told in (built.stderr, built.stdout, img("inspect", "s").stdout, img("du").stdout):
        assert SECRET not in told
    assert files_holding(img.state, SECRET.encode()) == []


@pytest.mark.parametrize("backend", ["overlayfs", "naive"])
def test_no_mount_point_of_ours_is_in_a_layer(
    backend: str, img: Img, write_context: WriteContext, busybox: str, workplace: Path
) -> None:
    secret = workplace / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    context = write_context(_WITH_MOUNTS.replace("@BASE@", busybox), {"a.txt": "a"})

    img("build", "-b", backend, "-t", "m", "--secret", f"id=one,src={secret}", context)

    last = read_archive(img("save", "--format", "oci", "m").output).layers[-1]
    # The step made nothing, so its layer holds nothing: no stub, no resolv.conf, no hosts.
    assert dict(last) == {}
    assert (context / "a.txt").read_text() == "a"


_WITH_CONTEXT = """\
FROM @BASE@
RUN --mount=type=bind,target=/src \\
    cd /src && ls -A >/seen && stat -c '%u:%g %a %n' f1 run d >>/seen && cat line >>/seen \\
    && ! touch f1 2>/dev/null && ! cat out 2>/dev/null && readlink out >>/seen
RUN --mount=type=bind,target=/src,rw cd /src && rm -r f* d && echo mine >line && cat line >>/seen
USER 1000
RUN --mount=type=bind,target=/src test "$(cat /src/line)" -gt 0
"""


def test_a_bound_context_is_seen_as_it_is_and_stays_as_it_is(
    img: Img, write_context: WriteContext, busybox: str
) -> None:
    files = {f"f{number}": str(number) for number in range(100)}
    files |= {"d/deep": "x", "ignored": "x", ".dockerignore": "ignored\n.dockerignore\nDockerfile"}
    context = write_context(_WITH_CONTEXT.replace("@BASE@", busybox), {**files, "line": "1\n"})
    (context / "run").write_text("x")
    (context / "run").chmod(0o705)
    (context / "out").symlink_to("/proc/1/root/etc/shadow-of-the-host")

    def seen(line: str) -> list[str]:
        (context / "line").write_text(line)
        tar = img("build", "-o", "-", context).output
        with tarfile.open(fileobj=io.BytesIO(tar)) as built:
            file = built.extractfile("seen")
            assert file is not None
            return file.read().decode().splitlines()

    names = sorted([*(f"f{number}" for number in range(100)), "d", "line", "out", "run"])
    facts = ["0:0 644 f1", "0:0 705 run", "0:0 755 d"]
    link = "/proc/1/root/etc/shadow-of-the-host"
    assert seen("1\n") == [*names, *facts, "1", link, "mine"]
    assert seen("22\n") == [*names, *facts, "22", link, "mine"]
    assert (context / "line").read_text() == "22\n"
    assert (context / "f1").read_text() == "1"
    assert "files of a build context" in img("du").stdout
    assert "files of a build context" in img("prune").stdout
    assert "files of a build context" not in img("du").stdout


def test_a_volume_of_the_host_is_in_steps_and_in_no_layer(
    img: Img, write_context: WriteContext, busybox: str, workplace: Path
) -> None:
    source = workplace / "volume"
    source.mkdir(mode=0o777)
    source.chmod(0o777)
    (source / "file").write_text("of the host\n")
    run = "cat /new/data/file >/copy; echo x >>/new/data/log || echo refused >>/copy"
    bake = {"target": {"default": {"tags": ["baked"]}}}
    files = {"docker-bake.json": json.dumps(bake)}
    context = write_context(f"FROM {busybox}\nRUN {run}\n", files)
    build = ("build", "--insecure-registry", "--progress", "plain", "-t", "app")

    writing = [
        img(*build, "-v", f"{source}:/new/data", context).stderr,
        img(*build, "-v", "./volume:/new/data:z", context, cwd=workplace).stderr,
    ]
    assert (source / "log").read_text() == "x\nx\n"
    for text, cached in zip(writing, ("0 cached, 2 run", "1 cached, 1 run"), strict=True):
        assert text.count("results of RUN are not cached: the files of") == 1
        assert f"Steps: {cached}" in text
    assert "the files of volume /new/data may change" in img("why").stdout

    reading = [img(*build, "-v", f"{source}:/new/data:ro", context).stderr for _ in range(2)]
    assert "Steps: 2 cached, 0 run" in reading[1]
    (source / "file").write_text("changed\n")
    img("bake", "--insecure-registry", "-v", f"{source}:/new/data:ro", cwd=context)
    assert (source / "log").read_text() == "x\nx\n"
    files_of = read_archive(img("save", "--format", "oci", "baked").output).layers[-1]
    assert set(files_of) == {"/", "/copy"}

    missing = img(*build, "-v", f"{workplace}/missing:/data", context, code=1).error_line
    assert f"{workplace}/missing: No such file or directory" in missing

"""Builds on a cluster: the same images, and what is left when a part of it fails."""

import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host.dask_cluster import DaskProcesses, dask_processes, on_cluster
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import processes_naming
from tests.support.host.waiting import wait_while

pytestmark = pytest.mark.userns

EPOCH = "1700000000"
SECRET = "xyzzy-the-secret-9317"

# All begin with the same stage, which is run once for all.
SHARED = """FROM {base} AS shared
ARG SOURCE_DATE_EPOCH
RUN echo "of all" && mkdir /w && echo one > /w/one && ln /w/one /w/two && chmod 4755 /w/one
"""
DOCKERFILES = {
    "files": "WORKDIR /a/b\nRUN rm -r /w/two /tmp && echo x > /tmp && mkfifo pipe\n",
    "stages": "FROM {base}\nCOPY --from=shared /w /v\nCOPY --chown=3:4 sub/file /v/\nRUN ls /v\n",
    "linked": "FROM {base}\nCOPY --link --from=shared /w /v\nCOPY --link . /context\n",
    "scratch": "FROM scratch\nCOPY --from=shared /w/one /bin/\nCOPY <<E /text\nhello\nE\n",
    "bound": "RUN --mount=source=sub,target=/m cat /m/file > /w/three && touch /w/four\n",
    "bound-stage": "FROM {base}\nRUN --mount=from=shared,source=/w,target=/m cp -a /m /copied\n",
    "cached": "RUN --mount=type=cache,id=c,target=/c echo 1 >> /c/n && echo done > /w/done\n",
    "secret": "RUN --mount=type=secret,id=s sha256sum /run/secrets/s > /w/sum\n",
    "script": "RUN <<E\nset -e\necho a\necho b > /w/b\nE\nUSER 7:8\nWORKDIR /home/me\n",
    "offline": 'ENV A=b\nRUN --network=none env > /w/env\nLABEL c=d\nCMD ["x"]\n',
    "moved": "FROM shared AS more\nADD sub/file /added/\nRUN mv /added /moved\n",
    "platforms": "FROM scratch\nCOPY sub /sub\nWORKDIR /x\n",
}


def definition(base: str, secret: Path) -> str:
    """Return the definition of a bake with a target for each Dockerfile."""
    targets = {}
    for name, text in DOCKERFILES.items():
        target: dict[str, object] = {
            "dockerfile-inline": (SHARED + text).format(base=base),
            "args": {"SOURCE_DATE_EPOCH": EPOCH},
            "tags": [name],
        }
        if name == "secret":
            target["secret"] = [{"type": "file", "id": "s", "src": str(secret)}]
        if name == "platforms":
            target["platforms"] = ["linux/amd64", "linux/arm64"]
        targets[name] = target
    return json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets})


@pytest.fixture
def cluster(workplace: Path) -> Iterator[DaskProcesses]:
    with dask_processes(workplace / "store") as started:
        yield started


def baked(img: Img, context: Path, *options: str) -> tuple[dict[str, str], str]:
    """Return the digests of all targets, and the progress."""
    metadata = img.home / "metadata.json"
    run = img(
        *("bake", "--tls-verify=false", "--metadata-file", str(metadata), *options),
        cwd=context,
        timeout_s=200,
    )
    found = json.loads(metadata.read_text())
    return {name: each["containerimage.digest"] for name, each in found.items()}, run.stderr


def test_images_are_the_same_from_threads_and_from_any_workers(
    img_for: ImgFor, write_context: WriteContext, cluster: DaskProcesses, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    secret = client.home / "secret"
    secret.write_text(SECRET)
    context = write_context(None, {"sub/file": "content\n"})
    (context / "docker-bake.json").write_text(definition(busybox, secret))
    alone, _ = baked(client, context, f"--allow=fs.read={secret}")
    assert len(set(alone.values())) == len(DOCKERFILES)

    cluster.start(img_for("user", "state-first"), "first", slots=2)
    options = (f"--allow=fs.read={secret}", *cluster.options)
    one, progress = baked(client.with_state(client.home / "one"), context, *options)

    assert one == alone
    assert progress.count("of all\n") == 1
    assert "RUN rm -r /w/two /tmp && echo x > /tmp && mkfifo pipe (on first)" in progress
    assert re.search(r"RUN --mount=type=secret,id=s sha256sum /run/secrets/s > /w/sum\n", progress)

    for who in ("root", "one-id", "user"):
        cluster.start(img_for(who, f"state-{who}"), f"of-{who}")
    four, progress = baked(client.with_state(client.home / "four"), context, "--no-cache", *options)

    assert four == alone
    nowhere = ("--cluster=tcp://127.0.0.1:9", *cluster.options[2:])
    cached, progress_of_cached = baked(client, context, f"--allow=fs.read={secret}", *nowhere)
    assert cached == alone
    assert "cluster tcp://" not in progress_of_cached
    assert len(set(re.findall(r"\(on ([a-z-]+)\)", progress))) > 1
    own = ("--cluster=local:1", "--cluster-secrets", *cluster.options[2:])
    sent, progress_of_sent = baked(
        client.with_state(client.home / "sent"),
        context,
        f"--allow=fs.read={secret}",
        *own,
        "secret",
    )
    assert sent["secret"] == alone["secret"]
    assert "sha256sum /run/secrets/s > /w/sum (on local-1)" in progress_of_sent

    written = [*cluster.store.rglob("*"), *cluster.store.parent.glob("state-*/**/*")]
    logs = "".join(each.log for each in cluster.workers.values())
    assert SECRET not in logs + progress + progress_of_sent
    assert not [each for each in written if each.is_file() and SECRET.encode() in each.read_bytes()]


def started_step(
    img: Img, context: Path, cluster: DaskProcesses, *options: str
) -> "tuple[subprocess.Popen[bytes], str]":
    """Return a build that has begun its step on a worker, and the worker's name."""
    process = img.start(
        *("build", "--tls-verify=false", "--progress=plain", "-t", "app", *options),
        *cluster.options,
        context,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(rb"begun.*\(on ([a-z0-9-]+)\)", line):
            worker = found[1].decode()
        if re.search(rb"^#\d+ [\d.]+ begun", line):
            return process, worker
    raise AssertionError(process.wait())


def a_long_step(write_context: WriteContext, base: str, seconds: str) -> Path:
    return write_context(
        f"FROM {base}\nRUN echo first > /first\nRUN echo begun; sleep {seconds}; echo end\n"
    )


def test_the_cluster_of_one_build_ends_with_it(
    img_for: ImgFor, write_context: WriteContext, workplace: Path, busybox: str
) -> None:
    client = on_cluster(img_for("user"))
    store = workplace / "store"
    store.mkdir(mode=0o777)
    store.chmod(0o777)
    began = time.monotonic()

    client(
        *("build", "--tls-verify=false", "-t", "app"),
        *("--cluster=local:1", f"--cluster-store=dir:{store}"),
        write_context(f"FROM {busybox}\nRUN true\n"),
    )

    assert time.monotonic() - began < 40  # img would kill it after 60
    assert processes_naming(f"{client.home}/.local/share/img-workers/local-1") == []


def test_what_was_done_is_kept_when_the_scheduler_ends(
    img_for: ImgFor, write_context: WriteContext, cluster: DaskProcesses, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    cluster.start(img_for("root", "state-a"), "a")
    context = a_long_step(write_context, busybox, "86.317")
    process, _ = started_step(client, context, cluster)

    cluster.scheduler.kill()
    output, errors = process.communicate(timeout=60)

    run = Img.outcome(process, output, errors, 6)
    assert "the connection to the scheduler of the cluster" in run.stderr
    assert wait_while(lambda: processes_naming("sleep 86.317"), patience_s=30) == []
    with dask_processes(cluster.store.with_name("other")) as second:
        second.start(img_for("root", "state-second"), "c")
        second.store = cluster.store
        context = a_long_step(write_context, busybox, "0.1")
        again = client("build", "--tls-verify=false", "-t", "app", *second.options, context)
    assert re.search(r"RUN echo first > /first\n#\d+ CACHED", again.stderr)


def test_an_interrupt_ends_a_step_and_the_end_of_a_worker_does_not(
    img_for: ImgFor, write_context: WriteContext, cluster: DaskProcesses, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    for name in ("a", "b"):
        cluster.start(img_for("root", f"state-{name}"), name)
    context = a_long_step(write_context, busybox, "87.317")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process, _ = started_step(client, context, cluster, "--no-cache")

        process.send_signal(number)
        output, errors = process.communicate(timeout=60)

        Img.outcome(process, output, errors, code)
        assert wait_while(lambda: processes_naming("sleep 87.317"), patience_s=30) == []

    context = a_long_step(write_context, busybox, "4.317")
    process, name = started_step(client, context, cluster)
    cluster.workers[name].process.kill()
    killed = processes_naming("sleep 4.317")
    output, errors = process.communicate(timeout=100)

    run = Img.outcome(process, output, errors, 0)
    other = "b" if name == "a" else "a"
    assert killed
    assert f"the step begins again on {other}" in run.stderr
    assert wait_while(lambda: processes_naming("sleep 4.317"), patience_s=20) == []


# Six stages that do not depend on one another, and one of their files.
PARALLEL = "ARG SOURCE_DATE_EPOCH\n" + "".join(
    f"FROM {{base}} AS s{number}\nARG SOURCE_DATE_EPOCH\n"
    f"RUN sleep 0.{number + 2} && echo {number} > /f{number}\n"
    f"RUN sleep 0.2 && echo more >> /f{number}\n"
    for number in range(6)
)
PARALLEL += "FROM {base}\n" + "".join(f"COPY --from=s{each} /f{each} /\n" for each in range(6))


@pytest.mark.all_tests
@pytest.mark.timeout(1800)  # 50 builds, each with a worker that starts
def test_a_worker_may_be_killed_at_any_moment(
    img_for: ImgFor, write_context: WriteContext, cluster: DaskProcesses, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    context = write_context(PARALLEL.format(base=busybox))
    build = ("build", "--tls-verify=false", "--no-cache", f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}")
    wanted = client(*build, "-q", "-t", "app", context).stdout
    for name in ("a", "b", "c"):
        cluster.start(img_for("root", f"state-{name}"), name)
    chosen = random.Random(18)
    for number in range(50):
        process = client.start(*build, "-q", "-t", "app", *cluster.options, context)
        time.sleep(chosen.uniform(0.3, 3))
        name = chosen.choice("abc")
        cluster.workers[name].process.kill()
        output, errors = process.communicate(timeout=120)
        run = Img.outcome(process, output, errors, 0)
        assert run.stdout == wanted, number
        cluster.workers[name].process.wait()
        cluster.start(img_for("root", f"state-{name}"), name)
    for each in cluster.workers.values():
        each.process.terminate()
        each.process.wait()
    assert wait_while(lambda: processes_naming("sleep 0."), patience_s=20) == []


@pytest.mark.all_tests
def test_a_client_may_end_at_any_moment(
    img_for: ImgFor, write_context: WriteContext, cluster: DaskProcesses, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    context = write_context(PARALLEL.format(base=busybox))
    options = ("--tls-verify=false", "--no-cache", f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}")
    build = ("build", *options, "-q", "-t", "app")
    wanted = client(*build, context).stdout
    for name in ("a", "b"):
        cluster.start(img_for("root", f"state-{name}"), name)
    chosen = random.Random(18)
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    for number in range(20):
        process = client.start(*build, *cluster.options, context)
        time.sleep(chosen.uniform(0.2, 2.5))
        ending = chosen.choice(list(codes))
        process.send_signal(ending)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors.decode(), (number, errors)
        assert process.returncode in (codes[ending], -ending, 0), (number, errors)
    assert wait_while(lambda: processes_naming("sleep 0."), patience_s=20) == []

    assert client(*build, *cluster.options, context).stdout == wanted


@pytest.mark.all_tests
def test_a_scheduler_may_end_at_any_moment(
    img_for: ImgFor, write_context: WriteContext, workplace: Path, busybox: str
) -> None:
    client = on_cluster(img_for("root"))
    context = write_context(PARALLEL.format(base=busybox))
    options = ("--tls-verify=false", f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}")
    build = ("build", *options, "-q", "-t", "app")
    wanted = client.with_state(client.home / "alone")(*build, context).stdout
    chosen = random.Random(18)
    for number in range(10):
        with dask_processes(workplace / f"store-{number}") as cluster:
            cluster.start(img_for("root", "state-a"), "a", slots=2)
            process = client.start(*build, "--no-cache", *cluster.options, context)
            time.sleep(chosen.uniform(0.3, 2.5))
            cluster.scheduler.kill()
            output, errors = process.communicate(timeout=60)
            text = errors.decode()
            assert "Traceback" not in text, (number, text)
            lost = process.returncode == 6 and "scheduler" in text
            assert lost or output.decode() == wanted, (number, text)
        assert wait_while(lambda: processes_naming("sleep 0."), patience_s=20) == []

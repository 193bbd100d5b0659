"""Builds generated Dockerfiles with img and with BuildKit."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tests.differential.case import BASE, Case, Stage
from tests.differential.files import write
from tests.differential.shown import Shown, of_docker_archive, of_oci_archive
from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.img_command import Img
from tests.support.host.machine import Account, lacking, program
from tests.support.host.many_runs import Run, run_all
from tests.support.host.shared_things import run

SECRET = "s3cret value"
_EPOCH = "1700000000"  # later than the base, earlier than what a step writes
_AT_ONCE = 2

Built = Mapping[int, Shown | str]
"""By the case's number; a text says why there is no image."""


class Judge(Protocol):
    """The reference builder."""

    name: str
    is_of_2020: bool  # before here-documents, --link, --parents and others

    def build(self, cases: Sequence[Case], place: Path) -> Built:
        """Return the results of the cases, each built separately; some may be left out."""


def prepare(case: Case, text: str, account: Account, place: Path) -> tuple[Path, Path]:
    """Write the context, and beside it the Dockerfile; return both."""
    place.mkdir()
    context, dockerfile = place / "context", place / "Dockerfile"
    write(case.files, context, account.uid, account.gid)
    dockerfile.write_text(text)
    (place / "secret").write_text(SECRET)
    if case.ignore:
        (context / ".dockerignore").write_text("\n".join(case.ignore) + "\n")
    return context, dockerfile


# --- img


def built_by_img(
    img: Img, cases: Sequence[Case], place: Path, layout: Path
) -> tuple[Built, Mapping[int, str]]:
    """Return the result of each case, and the digests."""
    place.mkdir()
    os.chown(place, img.account.uid, img.account.gid)
    runs = []
    for case in cases:
        context, dockerfile = prepare(case, case.text(), img.account, place / f"{case.number}")
        words: list[str | Path] = ["build", "-q", "--network", "none", "-f", dockerfile]
        words += ["--secret", f"id=known,src={place}/{case.number}/secret"]
        words += ["--build-context", f"{BASE}=oci-layout://{layout}"]
        for value in case.build_args:
            words += ["--build-arg", value]
        words += ["-o", f"type=oci,dest={place}/{case.number}.tar"]
        words += ["--metadata-file", f"{place}/{case.number}.json", context]
        runs.append(Run(arguments=words))
    ended = run_all(img.with_environment(SOURCE_DATE_EPOCH=_EPOCH), runs)
    built: dict[int, Shown | str] = {}
    digests = {}
    for case, end in zip(cases, ended, strict=True):
        if end.error:
            built[case.number] = end.error
            continue
        archive = place / f"{case.number}.tar"
        metadata = json.loads((place / f"{case.number}.json").read_text())
        digests[case.number] = metadata["containerimage.digest"]
        built[case.number] = of_oci_archive(archive)
    shutil.rmtree(place)
    return built, digests


# --- BuildKit


class DockersBuildKit:
    """The BuildKit within a daemon of Docker 20.10, which is Debian's."""

    name = "docker"
    is_of_2020 = True

    def __init__(self, daemon: DockerDaemon, layout: Path, place: Path) -> None:
        client = "/usr/bin/docker"  # a newer one needs a plugin to build
        if not os.path.exists(client):
            lacking(f"{client} does not exist")
        self._command = [client, "-H", daemon.address]
        base = place / "base.tar"
        target = f"docker-archive:{base}:{BASE}:latest"
        run(program("skopeo"), "copy", "-q", f"oci:{layout}:latest", target)
        self._run("load", "-i", base)

    def build(self, cases: Sequence[Case], place: Path) -> Built:
        """Build those that have a text for it, several at once; have all images in one archive."""
        place.mkdir()
        cases = [case for case in cases if case.older() is not None]

        def build(case: Case) -> str:
            return self._build(case, place / f"{case.number}")

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            errors = dict(zip((c.number for c in cases), threads.map(build, cases), strict=True))
        built: dict[int, Shown | str] = {number: error for number, error in errors.items() if error}
        names = {_name(number): number for number, error in errors.items() if not error}
        if names:
            archive = place / "images.tar"
            self._run("save", "-o", archive, *names)
            for name, shown in of_docker_archive(archive).items():
                built[names[name]] = shown
            self._run("rmi", "-f", *names)
        shutil.rmtree(place)
        return built

    def _build(self, case: Case, place: Path) -> str:
        root = Account(name="root", uid=0, gid=0, home=place)
        context, dockerfile = prepare(case, case.older() or "", root, place)
        words: list[str | Path] = ["build", "-q", "--network", "none", "-f", dockerfile]
        words += ["-t", _name(case.number)]
        words += ["--secret", f"id=known,src={place}/secret"]
        for value in case.build_args:
            words += ["--build-arg", value]
        try:
            self._run(*words, context)
        except subprocess.CalledProcessError as error:
            return _last_line(error.stderr)
        return ""

    def _run(self, *words: str | Path) -> bytes:
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        command = [*self._command, *map(str, words)]
        done = subprocess.run(command, capture_output=True, check=True, env=environment)
        return done.stdout


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "failed"


def _name(number: int) -> str:
    return f"case-{number}:latest"


class NewestBuildKit:
    """A daemon of BuildKit itself, of which ``programs`` has buildkitd and buildctl."""

    name = "buildkit"
    is_of_2020 = False

    def __init__(self, programs: Path, base: Path, layout: Path) -> None:
        self._layout = layout
        address = f"unix://{base}/socket"
        self._command = [str(programs / "buildctl"), "--addr", address]
        options = ["--addr", address, "--root", str(base / "root")]
        options += ["--oci-worker-net=host", "--oci-worker-gc=false"]
        with open(base / "log", "wb") as log:
            command = [str(programs / "buildkitd"), *options]
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while subprocess.run(
            [*self._command, "debug", "workers"], capture_output=True, check=False
        ).returncode:
            assert self._daemon.poll() is None and time.monotonic() < deadline, base / "log"
            time.sleep(0.2)
        # Of builds that ask for the base at the same time, all fail if one is given up.
        first = Case(number=0, files=(), stages=(Stage(base=BASE, name="one"),))
        assert isinstance(self._build(first, base / "first"), Shown)

    def build(self, cases: Sequence[Case], place: Path) -> Built:
        """Build several at once."""
        place.mkdir()

        def build(case: Case) -> Shown | str:
            return self._build(case, place / f"{case.number}")

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            built = dict(zip((c.number for c in cases), threads.map(build, cases), strict=True))
        shutil.rmtree(place)
        return built

    def _build(self, case: Case, place: Path) -> Shown | str:
        root = Account(name="root", uid=0, gid=0, home=place)
        context, dockerfile = prepare(case, case.text(), root, place)
        words = ["build", "--frontend", "dockerfile.v0", "--local", f"context={context}"]
        words += ["--local", f"dockerfile={dockerfile.parent}", "--progress=plain"]
        words += ["--secret", f"id=known,src={place}/secret", "--opt", "force-network-mode=none"]
        words += ["--oci-layout", f"{BASE}={self._layout}"]
        words += ["--opt", f"context:{BASE}=oci-layout://{BASE}@{self._base()}"]
        for value in case.build_args:
            words += ["--opt", f"build-arg:{value}"]
        archive = place / "image.tar"
        words += ["--output", f"type=oci,dest={archive}"]
        done = subprocess.run([*self._command, *words], capture_output=True, check=False)
        if done.returncode:
            return _last_line(done.stderr)
        return of_oci_archive(archive)

    def _base(self) -> str:
        index = json.loads((self._layout / "index.json").read_text())
        return str(index["manifests"][0]["digest"])

    def close(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(30)

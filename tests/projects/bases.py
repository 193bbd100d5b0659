"""The base images of the projects: built by img itself, in a registry under the names of others."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.host.img_command import Img
from tests.support.host.machine import in_memory, program, this_account

_HERE = Path(__file__).with_name("base_images")
_SUITE = "trixie"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_LIMIT_S = 3600.0

# The name in projects, and the stage of base_images/Dockerfile that replaces it.
STAGES = {
    "docker.io/library/debian:trixie-slim": "debian",
    "docker.io/library/ubuntu:24.04": "debian",
    "docker.io/library/python:3.13-slim-trixie": "python",
    "ghcr.io/astral-sh/uv:python3.13-trixie-slim": "uv",
    "docker.io/library/node:24-slim": "node",
    "docker.io/library/nginx:slim": "nginx",
    "docker.io/library/golang:1.24-trixie": "golang",
    "docker.io/tonistiigi/xx:latest": "xx",
    "quay.io/prometheus/busybox:latest": "busybox",
    "docker.io/library/rust:1.85-slim-trixie": "rust",
    "docker.io/library/ruby:3.3-slim-trixie": "ruby",
    "docker.io/library/maven:3.9-eclipse-temurin-21": "maven",
    "docker.io/library/eclipse-temurin:21-jre": "jre",
    "docker.io/library/mono:6.12": "mono",
    "docker.io/library/mono:6.12-slim": "mono-runtime",
    "docker.io/library/php:8.4-apache": "php",
    "docker.io/library/nextcloud:apache": "nextcloud",
}


class Bases:
    """A registry that is filled with what is needed; ``mirrors`` is the registries.conf for it."""

    def __init__(self, work: Path, registry: str, mirrors: Path) -> None:
        self._context = work / "bases"
        self._registry = registry
        self._there: set[str] = set()
        self._img = Img(
            command=(Path(sys.executable).with_name("img"),),
            account=this_account(),
            state=work / "state",  # kept, so that the next run finds all steps in the cache
            home=work,
        )
        self.mirrors = mirrors
        self.mirrors.write_text("".join(map(self._mirror, sorted({*map(_host, STAGES)}))))

    def place(self, name: str) -> str:
        """Return the place in the registry for the image ``name``."""
        return f"{self._registry}/{name}"

    def provide(self, names: Iterable[str]) -> None:
        """Build and push what is not there yet. Raises AssertionError with img's last words."""
        if not self._context.exists():
            self._make_context()
        shutil.copytree(_HERE, self._context, dirs_exist_ok=True)
        for name in names:
            if name not in self._there:
                options = ("-q", "--target", STAGES[name], "-t", self.place(name))
                self._img("build", *options, self._context, timeout_s=_LIMIT_S)
                self._img("push", "--insecure-registry", self.place(name), timeout_s=_LIMIT_S)
                self._there.add(name)

    def _mirror(self, host: str) -> str:
        location = f'location = "{self._registry}/{host}"\ninsecure = true'
        return f'[[registry]]\nprefix = "{host}"\n[[registry.mirror]]\n{location}\n'

    def _make_context(self) -> None:
        place = Path(self._context.with_name("bases.part"))
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        root = in_memory() / "img-projects-root"  # on a disk dpkg waits for it after each file
        try:
            _run(program("debootstrap"), "--variant=minbase", _SUITE, root)
            _run("tar", "-C", root, "--numeric-owner", "-cf", place / "rootfs.tar", ".")
        finally:
            shutil.rmtree(root, ignore_errors=True)
        # A machine may reach package registries through a host that only its own authorities know.
        shutil.copy(_AUTHORITIES, place / "ca-certificates.crt")
        place.rename(self._context)


def _host(name: str) -> str:
    return name.partition("/")[0]


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

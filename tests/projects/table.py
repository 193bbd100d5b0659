"""The projects: what is built of each, what it stands on, and what shows that it works."""

from dataclasses import dataclass
from pathlib import Path

from tests.projects.started import Answers, Check, Prints, Serves

INPUTS = Path(__file__).with_name("inputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Files of ours in the shape of a Dockerfile that others use."""

    name: str  # of its directory too
    upstream: str  # repository, path and commit of the Dockerfile that gave the shape
    holds: str
    bases: tuple[str, ...]
    check: Check
    options: tuple[str, ...] = ()  # of ``build``
    varies: str = ""  # a pattern of paths that two builds of one builder do not both have

    @property
    def context(self) -> Path:
        """Return the directory of its files."""
        return INPUTS / self.name


_DEBIAN = "docker.io/library/debian:trixie-slim"
_UBUNTU = "docker.io/library/ubuntu:24.04"
_PYTHON = "docker.io/library/python:3.13-slim-trixie"
_UV = "ghcr.io/astral-sh/uv:python3.13-trixie-slim"
_NODE = "docker.io/library/node:24-slim"
_NGINX = "docker.io/library/nginx:slim"
_GO = "docker.io/library/golang:1.24-trixie"
_XX = "docker.io/tonistiigi/xx:latest"
_RUST = "docker.io/library/rust:1.85-slim-trixie"
_BUSYBOX = "quay.io/prometheus/busybox:latest"
_RUBY = "docker.io/library/ruby:3.3-slim-trixie"
_MAVEN = "docker.io/library/maven:3.9-eclipse-temurin-21"
_JRE = "docker.io/library/eclipse-temurin:21-jre"
_MONO = "docker.io/library/mono:6.12"
_MONO_SLIM = "docker.io/library/mono:6.12-slim"
_PHP = "docker.io/library/php:8.4-apache"
_NEXTCLOUD = "docker.io/library/nextcloud:apache"

_WORDPRESS = "docker-library/wordpress latest/php8.2/apache/Dockerfile 06f28e291877"
_RAILS = "rails/rails railties/lib/rails/generators/rails/app/templates/Dockerfile.tt 027ad2c83ed1"

PROJECTS = (
    Project(
        name="uv-example",
        upstream="astral-sh/uv-docker-example multistage.Dockerfile 00e63007faeb",
        holds="uv, cache and bind mounts of files, compiled bytecode, `COPY --chown`",
        bases=(_UV, _PYTHON),
        check=Serves(8000, "hello from uv"),
    ),
    Project(
        name="bakerydemo",
        upstream="wagtail/bakerydemo Dockerfile 0b2f2600324a",
        holds="Wagtail by uv, packages for the build purged, `chown -R 1000:2000`, VOLUME",
        bases=(_UV,),
        check=Serves(8000, "Sign in to Wagtail"),
    ),
    Project(
        name="nginx",
        upstream="nginx/docker-nginx mainline/debian/Dockerfile 14585c6fca4b",
        holds="groupadd, apt install and purge, links to /dev/stdout, STOPSIGNAL",
        bases=(_DEBIAN,),
        check=Serves(80, "hello from nginx"),
    ),
    Project(
        name="mariadb",
        upstream="MariaDB/mariadb-docker 10.11/Dockerfile 0ce8670cc314",
        holds="debconf, apt, gosu, `chmod 1777`, sed over find, VOLUME",
        bases=(_UBUNTU,),
        check=Answers(("mariadb", "-e", "SELECT VERSION()"), "MariaDB"),
    ),
    Project(
        name="cpu-features",
        upstream="google/cpu_features cmake/ci/docker/amd64/Dockerfile abd6b97b114b",
        holds="CMake in eight stages, ENTRYPOINT of a shell, ctest",
        bases=(_UBUNTU,),
        check=Prints("adds and multiplies", ("build/sample",)),
    ),
    Project(
        name="welcome-to-docker",
        upstream="docker/welcome-to-docker Dockerfile 9675c9c3b350",
        holds="npm install and a bundle in one RUN, wildcard of a file, pages in an image of nginx",
        bases=(_NODE, _NGINX),
        check=Serves(80, "welcome from npm"),
    ),
    Project(
        name="heroku-24",
        upstream="heroku/base-images heroku-24/Dockerfile 528f14e4dfd7",
        holds="`RUN --mount=target=/build`, a shortened list of packages, locale-gen, setcap, USER",
        bases=(_UBUNTU,),
        check=Prints("uid=1002(heroku)", ("sh", "-c", "id; psql --version; locale -a")),
    ),
    Project(
        name="buildx",
        upstream="docker/buildx Dockerfile 00cb53d0efc5",
        holds="heredocs, bind of the context, of a file and of a stage, `COPY --link`, ARG in FROM",
        bases=(_XX, _GO, _DEBIAN),
        check=Prints("buildx v0.1.0"),
    ),
    Project(
        name="prometheus",
        upstream="prometheus/prometheus Dockerfile 0180c950db49",
        holds="ARG in FROM and COPY, `chown -R nobody`, VOLUME after its contents, JSON CMD",
        bases=(_BUSYBOX,),
        check=Serves(9090, "up 1", path="/metrics"),
    ),
    Project(
        name="gosu",
        upstream="tianon/gosu Dockerfile 00c53ed7511f",
        holds="Go for two platforms, programs tried inside the build, COPY of what may lack",
        bases=(_GO,),
        varies=r"/root/\.cache/go-build/|/root/\.config/go/telemetry/",
        check=Prints("65534", ("gosu-amd64", "nobody", "id")),
    ),
    Project(
        name="memcached",
        upstream="docker-library/memcached 1/debian/Dockerfile 0215dbaa543d",
        holds="a source package compiled in one RUN, apt-mark and purge, USER",
        bases=(_DEBIAN,),
        check=Answers(
            ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/11211; echo version >&3; head -1 <&3"),
            "VERSION 1.6",
        ),
    ),
    Project(
        name="jenkins",
        upstream="jenkinsci/docker debian/Dockerfile 01fb59e92021",
        holds="SHELL, quotes in FROM, jlink, tini, VOLUME and chown, USER, many ARG",
        bases=(_DEBIAN,),
        check=Serves(8080, "jenkins 2.574"),
    ),
    Project(
        name="nextcloud-cron",
        upstream="nextcloud/docker .examples/dockerfiles/cron/apache/Dockerfile b25e1abe9c6c",
        holds="PHP and Apache under supervisor, VOLUME of the base",
        bases=(_NEXTCLOUD,),
        check=Serves(80, "cloud"),
    ),
    Project(
        name="meilisearch",
        upstream="meilisearch/meilisearch Dockerfile 02887fb5da71",
        holds="cargo of a workspace without dependencies, ARG without value, tini, CMD of a shell",
        bases=(_RUST, _DEBIAN),
        check=Serves(7700, "available"),
    ),
    Project(
        name="healthchecks",
        upstream="healthchecks/healthchecks docker/Dockerfile 07117ff82134",
        holds="SHELL pipefail, wheels, one compiled, bind of a stage's wheels, HEALTHCHECK, USER",
        bases=(_PYTHON,),
        check=Serves(8000, "log in to healthchecks"),
    ),
    Project(
        name="rails",
        upstream=_RAILS,
        holds="Ruby: a gem compiled in a stage, Sinatra, numeric USER, quoted sources",
        bases=(_RUBY,),
        check=Serves(3000, "hello from ruby"),
    ),
    Project(
        name="aspnetapp",
        upstream="dotnet/dotnet-docker samples/aspnetapp/Dockerfile 0110115ec723",
        holds="C# by mono: wildcard for the project, xbuild, `COPY --link` into WORKDIR, USER",
        bases=(_MONO, _MONO_SLIM),
        check=Serves(8080, "hello from mono"),
    ),
    Project(
        name="vaultwarden",
        upstream="dani-garcia/vaultwarden docker/Dockerfile.debian 006da3d38058",
        holds="Rust: dependencies by a dummy project, find -delete, touch, `.dockerignore` of `*`",
        bases=(_XX, _RUST, _DEBIAN),
        check=Serves(80, "vault of rust"),
    ),
    Project(
        name="spring",
        upstream="docker/awesome-compose spring-postgres/backend/Dockerfile 195e8994b28f",
        holds="Java: Maven off line, jar taken apart in a WORKDIR, ARG in COPY, VOLUME /tmp",
        bases=(_MAVEN, _JRE),
        check=Serves(8080, "hello from java"),
    ),
    Project(
        name="wordpress",
        upstream=_WORDPRESS,
        holds="PHP: an extension compiled and its tools purged, a2enmod, chown and `chmod -R 1777`",
        bases=(_PHP,),
        check=Serves(80, "hello from php"),
    ),
)

"""The build request that the options of ``img build`` describe."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from img.domain.build import BuildRequest
from img.domain.docker_config import docker_config_place, proxies_for_steps
from img.domain.errors import ImgError, UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.options.contexts import parse_named_context
from img.domain.options.limits import parse_shm_size, parse_ulimit
from img.domain.options.network import parse_host, parse_network
from img.domain.platform import Platform, parse_platforms
from img.domain.pull_policy import PullPolicy
from img.entrypoints.cli.output import say
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.domain.process import Volume
    from img.entrypoints.wiring.root import Container

_DEFAULT_SHM = 64 << 20  # bytes


def build_request(
    *,
    build_args: Sequence[str],
    labels: Sequence[str],
    target: str,
    no_cache: bool,
    no_cache_filter: Sequence[str],
    pull: PullPolicy,
    network: str,
    host_network: bool,
    hosts: Sequence[str],
    shm_size: str,
    ulimits: Sequence[str],
    contexts: Sequence[str],
) -> BuildRequest:
    """Return the request for this machine's platform. Raises UsageError."""
    arguments = _build_args(build_args)
    if network == "private" and any(text.endswith("host-gateway") for text in hosts):
        raise UsageError(
            "--network private does not reach this machine, which host-gateway stands for",
            hint="use --network host",
        )
    return BuildRequest(
        platform=host_platform(),
        build_platform=host_platform(),
        build_args=arguments,
        target=target,
        labels=dict(_label(text) for text in labels),
        no_cache=no_cache,
        no_cache_filter=tuple(name for text in no_cache_filter for name in text.split(",")),
        pull=pull,
        network=parse_network(network),
        host_network=host_network,
        hosts=tuple(parse_host(text) for text in hosts),
        shm_size=parse_shm_size(shm_size) if shm_size else _DEFAULT_SHM,
        ulimits=tuple(parse_ulimit(text) for text in ulimits),
        contexts=dict(parse_named_context(text) for text in contexts),
    )


def with_configured_proxies(build_args: Sequence[str]) -> list[str]:
    """Return ``build_args``, and one for each proxy of the file that they do not name.

    A file that cannot be read is reported, and sets no proxies, as in docker.
    """
    path = docker_config_place(os.environ)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = proxies_for_steps(file.read())
    except (FileNotFoundError, NotADirectoryError):
        found = {}
    except (OSError, ImgError) as error:
        reason = error.message if isinstance(error, ImgError) else error.strerror
        say(f"WARNING: {path} sets no proxies for steps: {reason}", error=True)
        found = {}
    given = {text.partition("=")[0].lower() for text in build_args}
    more = (f"{name}={value}" for name, value in found.items() if name not in given)
    return [*build_args, *more]


def ca_choice(text: str) -> str:
    """Return the certificates for Surroundings.inject_ca. Raises UsageError for no file."""
    on = parse_boolean(text) if text else False
    if on is not None:
        return "true" if on else ""
    if not os.path.exists(text):
        raise UsageError(f"--inject-ca {text}: no such file")
    return os.path.abspath(text)


def platforms(texts: Sequence[str]) -> tuple[Platform, ...]:
    """Return the platforms of all ``--platform``. Raises InvalidPlatform."""
    return parse_platforms(",".join(texts), host_platform()) if texts else ()


def _build_args(texts: Sequence[str]) -> dict[str, str]:
    """Return the build arguments; a name without "=" has its value from the environment."""
    arguments: dict[str, str] = {}
    # buildx passes SOURCE_DATE_EPOCH on as well.
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        arguments["SOURCE_DATE_EPOCH"] = epoch
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"invalid build-arg value {text}", hint="use NAME=VALUE")
        if equals:
            arguments[name] = value
        elif name in os.environ:
            arguments[name] = os.environ[name]
    return arguments


def _label(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")  # a name alone is an empty label, as buildx has it
    if not name:
        raise UsageError(f"invalid label value {text}", hint="use NAME=VALUE")
    return name, value


def with_volumes(
    container: "Container", request: BuildRequest, texts: Sequence[str], *, talks: bool
) -> BuildRequest:
    """Return ``request`` with the volumes of ``--volume``. Raises UsageError, VolumeNotFound."""
    if not texts:
        return request
    return replace(request, volumes=found_volumes(container, texts, talks=talks))


def found_volumes(
    container: "Container", texts: Sequence[str], *, talks: bool
) -> "tuple[Volume, ...]":
    """Return the volumes of ``--volume``; tell once which of them prevent caching.

    Raises UsageError, VolumeNotFound.
    """
    from img.domain.options.volumes import parse_volumes  # few builds have some

    find = container.execution.volumes().find
    volumes = tuple(map(find, parse_volumes(texts)))
    uncached = [f"{each.source}:{each.target}" for each in volumes if not each.state]
    if uncached and talks:
        names = ", ".join(uncached)
        say(f"results of RUN are not cached: the files of {names} may change", error=True)
    return volumes

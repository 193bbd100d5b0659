"""Build requests for valid and unusual options of ``img build``."""

import random

from img.domain.build import BuildRequest
from img.domain.options.pull import parse_pull
from img.entrypoints.cli.build_request import build_request
from img.entrypoints.cli.commands import check_words
from tests.security.hostile_texts import ODD

Options = tuple[tuple[str, str], ...]  # name and value

# Contexts lead nowhere but into the place of the target: a user may name any directory.
_VALUES = {
    "build-arg": ("A=1", "B=x y", "SOURCE_DATE_EPOCH=0", "SOURCE_DATE_EPOCH=context", "A=$B", "X"),
    "more build-arg": (
        *(
            "BUILDKIT_SYNTAX=docker/dockerfile:1",
            "BUILDKIT_MULTI_PLATFORM=1",
            "HTTP_PROXY=http://u:p@h",
        ),
        *("BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"),
    ),
    "label": ("a=b", "a", "a.b/c=d=e"),
    "target": ("a", "base", "0", "99", "FINAL"),
    "network": ("none", "host", "default", "private"),
    "no-cache-filter": ("a", "a,b", ""),
    "add-host": ("h:1.2.3.4", "h=::1", "h:host-gateway"),
    "shm-size": ("64m", "1g", "0"),
    "ulimit": ("nofile=1:2", "core=-1", "nproc=5"),
    "build-context": (
        "base=docker-image://busybox",
        "a=docker-image://x",
        "busybox=https://h.example/c",
    ),
    "pull": ("always", "never", "newer", "false"),
}


def some_options(rng: random.Random) -> Options:
    """Return a few options, decided by ``rng`` alone."""
    made = []
    for _ in range(rng.choice((0, 0, 1, 2, 4))):
        name = rng.choice(list(_VALUES))
        value = rng.choice(_VALUES[name])
        if rng.random() < 0.1 and name != "build-context":
            value = rng.choice(ODD) if rng.random() < 0.5 else value + rng.choice(ODD)
        made.append((name.removeprefix("more "), value))
    return tuple(made)


def request_of(options: Options) -> BuildRequest:
    """Return the request of ``options``. Raises UsageError."""
    check_words(value for _, value in options)
    lists: dict[str, list[str]] = {}
    for name, value in options:
        lists.setdefault(name, []).append(value)
    return build_request(
        build_args=lists.get("build-arg", []),
        labels=lists.get("label", []),
        target=lists.get("target", [""])[-1],
        no_cache=False,
        no_cache_filter=lists.get("no-cache-filter", []),
        pull=parse_pull(lists.get("pull", ["missing"])[-1]),
        network=lists.get("network", [""])[-1],
        host_network=False,
        hosts=lists.get("add-host", []),
        shm_size=lists.get("shm-size", [""])[-1],
        ulimits=lists.get("ulimit", []),
        contexts=lists.get("build-context", []),
    )

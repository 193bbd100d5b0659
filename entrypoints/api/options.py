"""Options of the API: those of the command line, with the same names and underscores.

An option that the command line repeats takes one text or several; one with pairs also takes a
mapping, in which None is a name without a value. What an option does is in docs/commands.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypedDict

from img.domain.errors import UsageError

PathText = str | os.PathLike[str]
Texts = str | Sequence[str]
Paths = PathText | Sequence[PathText]
Pairs = Texts | Mapping[str, str | None]
Number = str | int | float


class SharedOptions(TypedDict, total=False):
    """The options of all functions."""

    state: PathText
    backend: str
    shared_store: Paths
    debug: bool


class RegistryOptions(SharedOptions, total=False):
    """The options of functions that talk to registries."""

    insecure_registry: bool
    tls_verify: bool
    authfile: PathText


class BuildOptions(RegistryOptions, total=False):
    """The options of ``img.build``."""

    tag: Texts
    build_arg: Pairs
    target: str
    platform: Texts
    label: Pairs
    secret: Texts
    ssh: Texts
    build_context: Pairs
    add_host: Texts
    network: str
    dns: Texts
    dns_search: Texts
    dns_option: Texts
    inject_ca: PathText | bool
    shm_size: str
    ulimit: Texts
    memory: str
    memory_swap: str
    cpus: Number
    cpu_shares: Number
    cpu_period: Number
    cpu_quota: Number
    cpuset_cpus: str
    cpuset_mems: str
    cgroup_parent: str
    resource: Pairs
    retry: int
    timeout: str
    executor: str
    on_fail: Literal["keep", "discard"]
    volume: Texts
    explain: bool
    secret_guard: bool
    cluster: str
    cluster_store: PathText
    cluster_secrets: bool
    verify_base: Pairs
    source_policy_file: PathText
    emulate: Literal["full", "ids", "fake", "off"]
    no_cache: bool
    no_cache_filter: Texts
    cache_from: Texts
    cache_to: Texts
    pull: Literal["always", "missing", "newer", "never"] | bool
    output: Paths
    push: bool
    load: bool
    squash: Literal["new", "all"]
    annotation: Pairs
    attest: Texts
    provenance: str | bool
    sbom: str | bool
    attest_as: Literal["index", "referrer"]
    allow: Texts
    locked: bool
    lockfile: PathText
    iidfile: PathText
    metadata_file: PathText


class BakeOptions(RegistryOptions, total=False):
    """The options of ``img.bake``."""

    file: Paths
    set: Pairs
    var: Pairs
    push: bool
    load: bool
    no_cache: bool
    pull: bool
    allow: Texts
    inject_ca: PathText | bool
    jobs: int
    lock: bool | Texts
    provenance: str | bool
    sbom: str | bool
    on_fail: Literal["keep", "discard"]
    volume: Texts
    secret_guard: bool
    cluster: str
    cluster_store: PathText
    cluster_secrets: bool
    verify_base: Pairs
    source_policy_file: PathText
    locked: bool
    lockfile: PathText
    metadata_file: PathText


class LockOptions(RegistryOptions, total=False):
    """The options of ``img.lock``."""

    build_arg: Pairs
    target: str
    platform: Texts
    secret: Texts
    ssh: Texts
    build_context: Pairs
    lockfile: PathText
    update: bool | Texts
    check: bool
    diff: bool


class PullOptions(RegistryOptions, total=False):
    """The options of ``img.pull``."""


class PushOptions(RegistryOptions, total=False):
    """The options of ``img.push``."""

    allow_nondistributable_artifacts: bool


class SaveOptions(SharedOptions, total=False):
    """The options of ``img.save``."""

    format: Literal["docker", "oci"]


class LoadOptions(SharedOptions, total=False):
    """The options of ``img.load``."""


class ImagesOptions(SharedOptions, total=False):
    """The options of ``img.images``."""

    filter: Texts


def command(
    name: str, kind: type, options: Mapping[str, object], arguments: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the command line of ``img name`` with ``options``, those of the TypedDict ``kind``.

    Raises TypeError for unknown options and for values of other types, as functions do.
    """
    known = _names_of(kind)
    for option in options:
        if option not in known:
            raise TypeError(f"img.{name}() got an unexpected keyword argument {option!r}")
    words = [word for option, value in options.items() for word in _words(option, value)]
    return (name, *words, "--", *arguments)


def _names_of(kind: type) -> set[str]:
    # mypy: a TypedDict lists the keys of its bases as well.
    return set(kind.__annotations__)


def _words(option: str, value: object) -> Iterator[str]:
    """Yield the words of an option: ``--name=value``, which no value can be mistaken in."""
    name = f"--{option.replace('_', '-')}"
    match value:
        case None:
            return
        case bool():
            yield f"{name}={str(value).lower()}"
        case str() | int() | float() | os.PathLike():
            yield f"{name}={_text(option, value)}"
        case Mapping():
            for key, each in value.items():
                if not isinstance(key, str) or "=" in key:
                    raise UsageError(f"{option}: {key!r} is no name, which is text without '='")
                yield f"{name}={key}" if each is None else f"{name}={key}={_text(option, each)}"
        case Sequence() if not isinstance(value, bytes | bytearray):
            for each in value:
                yield f"{name}={_text(option, each)}"
        case _:
            raise TypeError(f"{option}: {type(value).__name__} is not a type of this option")


def _text(option: str, value: object) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str):
            return text
    raise TypeError(f"{option}: {type(value).__name__} is not a text")

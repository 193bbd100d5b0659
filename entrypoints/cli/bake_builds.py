"""The builds that the targets of a bake definition describe, from the options of ``img build``."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from img.domain.attestations.options import parse_attestations
from img.domain.bake.definition.attributes import Contents, entries_of, pairs_of, texts_of
from img.domain.bake.definition.entries import Entry
from img.domain.bake.definition.target_build import TargetBuild
from img.domain.context_location import LocalPlace, is_web, place_of
from img.domain.errors import ImgError, UsageError
from img.domain.go.csv_text import join_csv
from img.domain.options.cache import CacheExchange
from img.domain.options.call import Call
from img.domain.options.entitlements import DELETE_OUTPUT, NETWORK_HOST
from img.domain.options.outputs import OutputOptions
from img.domain.options.resources import parse_resources
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.outputs import Output
from img.domain.pull_policy import PullPolicy
from img.entrypoints.cli.build_outputs import outputs_of
from img.entrypoints.cli.build_request import (
    build_request,
    platforms,
    with_configured_proxies,
)

_LOCAL = "cwd://"
_DEFAULT = "Dockerfile"
_NEEDS_NOTHING_HERE = frozenset({NETWORK_HOST, "ssh", DELETE_OUTPUT})


@contextmanager
def naming(target: str) -> Iterator[None]:
    """Name the target in errors."""
    try:
        yield
    except ImgError as error:
        error.message = f"target {target}: {error.message}"
        raise


def target_build(name: str, contents: Contents) -> TargetBuild:
    """Return the build of a target, with unchecked privileges.

    Raises UsageError, InvalidReference, InvalidPlatform …
    """
    with naming(name):
        _refuse_what_img_lacks(contents)
        call = str(contents.get("call") or "")
        network = str(contents.get("network") or "")
        location = _located(str(contents.get("context") or "."))
        return TargetBuild(
            request=build_request(
                build_args=with_configured_proxies(_pairs(contents, "args")),
                labels=_pairs(contents, "labels"),
                target=str(contents.get("target") or ""),
                no_cache=contents.get("no-cache") is True,
                no_cache_filter=texts_of(contents, "no-cache-filter"),
                pull=PullPolicy.ALWAYS if contents.get("pull") is True else PullPolicy.MISSING,
                network=network,
                host_network=NETWORK_HOST in texts_of(contents, "entitlements"),
                hosts=_hosts(contents),
                shm_size=str(contents.get("shm-size") or ""),
                ulimits=texts_of(contents, "ulimits"),
                contexts=[
                    f"{key}={_located(place)}" for key, place in _named_pairs(contents, "contexts")
                ],
            ),
            location=location,
            file=_dockerfile(location, str(contents.get("dockerfile") or _DEFAULT)),
            inline=_inline(contents),
            outputs=_outputs(contents),
            platforms=platforms(texts_of(contents, "platforms")),
            caches=CacheExchange.parse(
                [_line(entry) for entry in entries_of(contents, "cache-from")],
                [_line(entry) for entry in entries_of(contents, "cache-to")],
                os.environ,
            ),
            secrets=tuple(map(_secret, entries_of(contents, "secret"))),
            agents=tuple(map(_agent, entries_of(contents, "ssh"))),
            resources=parse_resources({}, _resources(contents)),
            entitlements=tuple(texts_of(contents, "entitlements")),
            call=call if Call.parse(call or "build") else "",
            attestations=parse_attestations(
                [_line(entry) for entry in entries_of(contents, "attest")],
                build_args=pairs_of(contents, "args"),
            ),
        )


def _refuse_what_img_lacks(contents: Contents) -> None:
    for entitlement in texts_of(contents, "entitlements"):
        if entitlement not in _NEEDS_NOTHING_HERE:
            raise UsageError(f"the entitlement {entitlement} is not supported", hint="leave it out")
    for policy in entries_of(contents, "policy"):
        if policy.get("Files") and not policy.get("Disabled"):
            raise UsageError(
                "policy is not supported: img reads no Rego",
                hint="leave it out; use --source-policy-file, or a policy in the settings file",
            )


def _outputs(contents: Contents) -> tuple[Output, ...]:
    wanted = [_as_stored(entry) for entry in entries_of(contents, "output")]
    only_cached = bool(wanted) and all(entry.get("type") == "cacheonly" for entry in wanted)
    return outputs_of(
        OutputOptions(
            outputs=[_line(entry) for entry in wanted],
            tags=texts_of(contents, "tags"),
            annotations=[] if only_cached else texts_of(contents, "annotations"),
            allowed=frozenset({DELETE_OUTPUT}),
        )
    )


def _as_stored(entry: Entry) -> Entry:
    """Return the output; without a file, type=docker is the store, where buildx has Docker's."""
    if entry.get("type") == "docker" and not entry.get("dest"):
        return {**entry, "type": "image"}
    return entry


def _located(place: str) -> str:
    """Return the place of a context; one below ``cwd://`` is a path, even if it has a scheme."""
    path = place.removeprefix(_LOCAL)
    return place if path == place else os.path.join(".", path)


def _dockerfile(location: str, dockerfile: str) -> str | None:
    """Return the Dockerfile as ``img build -f`` names it, None for the default one."""
    if dockerfile.startswith(_LOCAL):
        return os.path.abspath(dockerfile.removeprefix(_LOCAL))
    if dockerfile == _DEFAULT:
        return None
    if is_web(dockerfile):
        return dockerfile
    is_local = isinstance(place_of(location, is_directory=os.path.isdir(location)), LocalPlace)
    return os.path.join(location, dockerfile) if is_local else dockerfile


def _inline(contents: Contents) -> str | None:
    text = contents.get("dockerfile-inline")
    return text if isinstance(text, str) and text else None


def _hosts(contents: Contents) -> list[str]:
    hosts = _named_pairs(contents, "extra-hosts")
    return [f"{name}={address}" for name, listed in hosts for address in listed.split(",")]


def _pairs(contents: Contents, name: str) -> list[str]:
    return [f"{key}={value}" for key, value in _named_pairs(contents, name)]


def _named_pairs(contents: Contents, name: str) -> list[tuple[str, str]]:
    """Return the pairs of a map. Raises UsageError for a name that options could not hold."""
    pairs = list(pairs_of(contents, name).items())
    for key, _ in pairs:
        if "=" in key:
            raise UsageError(f"the name {key!r} in {name} holds an equals sign", hint="rename it")
    return pairs


def _resources(contents: Contents) -> list[str]:
    return _pairs(contents, "resources")


def _line(entry: Entry) -> str:
    return join_csv(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in entry.items()
    )


def _secret(entry: Entry) -> SecretSpec:
    texts = {key: str(value) for key, value in entry.items()}
    return SecretSpec(id=texts.get("id", ""), path=texts.get("src", ""), env=texts.get("env", ""))


def _agent(entry: Entry) -> AgentSpec:
    paths: object = entry.get("paths")
    listed: Sequence[object] = paths if isinstance(paths, list) else ()
    return AgentSpec(id=str(entry.get("id") or "default"), paths=tuple(map(str, listed)))

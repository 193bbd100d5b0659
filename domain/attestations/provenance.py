"""Predicates of provenance, in the form that BuildKit writes (SLSA provenance v1 and v0.2).

Source: BuildKit, docs/attestations/slsa-definitions.md and solver/llbsolver/provenance/types.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime

from img.domain.attestations.account import Account
from img.domain.attestations.material import Material
from img.domain.attestations.secrets import (
    secret_values,
    shown_argument,
    shown_text,
    without_values,
)
from img.domain.attestations.steps import Steps, dockerfile_steps, steps_of
from img.domain.attestations.wanted import MIN, V02, ProvenanceWanted
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.operations import Exec
from img.domain.process import Network
from img.domain.url import redact_credentials, redact_urls

V1_TYPE = "https://slsa.dev/provenance/v1"
V02_TYPE = "https://slsa.dev/provenance/v0.2"
_BUILD_V1 = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
_BUILD_V02 = "https://mobyproject.org/buildkit@v1"
_FRONTEND = "dockerfile.v0"
_COMPATIBILITY = 30
_GIT_SECRETS = ("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN")
_NETWORKS = {Network.NONE: "none", Network.PRIVATE: "sandbox"}

Json = dict[str, object]


def predicate_type(wanted: ProvenanceWanted) -> str:
    """Return the type of the predicate."""
    return V02_TYPE if wanted.version == V02 else V1_TYPE


def predicate_of(wanted: ProvenanceWanted, account: Account) -> Json:
    """Return the predicate, without credentials."""
    parts = _Parts(wanted, account)
    predicate = parts.v02() if wanted.version == V02 else parts.v1()
    secrets = secret_values(account.request.build_args)
    if secrets:
        cleaned = without_values(predicate, secrets)
        assert isinstance(cleaned, dict)
        return cleaned
    return predicate


@dataclass(slots=True)
class _Parts:
    wanted: ProvenanceWanted
    account: Account
    _steps: Steps | None = None

    @property
    def steps(self) -> Steps:
        """The steps of the build."""
        self._steps = self._steps or steps_of(self.account)
        return self._steps

    @property
    def _is_min(self) -> bool:
        return self.wanted.mode == MIN

    @property
    def _builder(self) -> Json:
        return {"id": redact_credentials(self.wanted.builder_id)}

    def v1(self) -> Json:
        account = self.account
        definition: Json = {"buildType": _BUILD_V1}
        if materials := _objects(account.materials):
            definition["resolvedDependencies"] = materials
        definition["externalParameters"] = {
            "configSource": self._source("path"),
            "request": self._request("path"),
        }
        internal = {} if self._is_min else {"buildConfig": _sorted(self._build_config())}
        definition["internalParameters"] = {**internal, **self._environment("builderPlatform")}
        metadata: Json = {
            "invocationId": account.invocation,
            "startedOn": nanoseconds(account.started),
            "finishedOn": nanoseconds(account.finished),
            "buildkit_metadata": self._metadata(),
        }
        if account.is_hermetic:
            metadata["buildkit_hermetic"] = True
        metadata["buildkit_completeness"] = {
            "request": self._is_complete_request,
            "resolvedDependencies": account.is_complete,
        }
        if self.wanted.reproducible:
            metadata["buildkit_reproducible"] = True
        run: Json = {"builder": self._builder, "metadata": metadata}
        return {"buildDefinition": definition, "runDetails": run}

    def v02(self) -> Json:
        account = self.account
        predicate: Json = {"builder": self._builder, "buildType": _BUILD_V02}
        if materials := _objects(account.materials):
            predicate["materials"] = materials
        predicate["invocation"] = {
            "configSource": self._source("entryPoint"),
            "parameters": self._request("path"),
            "environment": _sorted(self._environment("platform")),
        }
        if not self._is_min:
            predicate["buildConfig"] = self._build_config()
        metadata: Json = {
            "buildInvocationID": account.invocation,
            "buildStartedOn": nanoseconds(account.started),
            "buildFinishedOn": nanoseconds(account.finished),
            "completeness": {
                "parameters": self._is_complete_request,
                "environment": True,
                "materials": account.is_complete,
            },
            "reproducible": self.wanted.reproducible,
            f"{_BUILD_V02}#metadata": self._metadata(),
        }
        if account.is_hermetic:
            metadata[f"{_BUILD_V02}#hermetic"] = True
        return {**predicate, "metadata": metadata}

    def _source(self, path: str) -> Json:
        """Return the place of the Dockerfile, {} for a default one of this machine."""
        made: Json = {}
        if (context := self.account.context) is not None:
            made = context.as_object()
        if self.account.dockerfile_given:
            made[path] = redact_credentials(self.account.dockerfile_given)
        return made

    def _request(self, path: str) -> Json:
        account = self.account
        made: Json = {"frontend": _FRONTEND}
        arguments = self._arguments()
        if arguments:
            made["args"] = arguments
        if not self._is_min:
            if secrets := self._secrets():
                made["secrets"] = secrets
            if agents := self._used("ssh"):
                made["ssh"] = [_access(name, optional) for name, optional in agents.items()]
        if local := account.local_sources:
            made["locals"] = [{"name": name} for name in local]
        sent = dict(sorted({**arguments, **_prefixed("vcs:", account.vcs)}.items()))
        if sent:
            made["root"] = {"configSource": self._source(path), "request": {"args": sent}}
        made["compatibilityVersion"] = _COMPATIBILITY
        return made

    def _arguments(self) -> dict[str, str]:
        """Return the options of the frontend, sorted."""
        request = self.account.request
        found = {} if self._is_min else self._values()
        for name, place in request.contexts.items():
            is_local = name in self.account.local
            found[f"context:{name}"] = f"local:{name}" if is_local else _shown_place(place)
        if request.target:
            found["target"] = request.target
        if request.hosts:
            found["add-hosts"] = ",".join(f"{name}={address}" for name, address in request.hosts)
        if request.network in _NETWORKS:
            found["force-network-mode"] = _NETWORKS[request.network]
        if request.no_cache:
            found["no-cache"] = ",".join(request.no_cache_filter)
        return dict(sorted(found.items()))

    def _values(self) -> dict[str, str]:
        request = self.account.request
        found = {
            f"build-arg:{name}": shown_argument(name, value)
            for name, value in request.build_args.items()
        }
        labels = {f"label:{name}": redact_urls(value) for name, value in request.labels.items()}
        return {**found, **labels}

    @property
    def _is_complete_request(self) -> bool:
        """True if no argument was left out or hidden."""
        request = self.account.request
        if self._is_min:
            return not (request.build_args or request.labels)
        given = {f"build-arg:{name}": value for name, value in request.build_args.items()}
        given |= {f"label:{name}": value for name, value in request.labels.items()}
        return self._values() == given

    def _secrets(self) -> list[Json]:
        found = self._used("secret")
        if self.account.uses_git:
            found = {**dict.fromkeys(_GIT_SECRETS, True), **found}
        return [_access(name, optional) for name, optional in sorted(found.items())]

    def _used(self, kind: str) -> dict[str, bool]:
        """Return the secrets or agents of all RUNs, and whether the build needs none of them."""
        found: dict[str, bool] = {}
        for _, vertex in self.account.vertices:
            if isinstance(vertex.operation, Exec):
                for mount in vertex.operation.mounts:
                    if mount.type == kind:
                        found[mount.id] = found.get(mount.id, True) and not mount.required
        return dict(sorted(found.items()))

    def _environment(self, platform: str) -> Json:
        account = self.account
        return {
            platform: str(account.request.build_platform.normalized()),
            "dockerfileVersion": account.tool_version,
        }

    def _build_config(self) -> Json:
        steps = self.steps
        return {"llbDefinition": steps.definition(), "digestMapping": dict(steps.digests())}

    def _metadata(self) -> Json:
        made: Json = {}
        if self.account.vcs:
            made["vcs"] = dict(sorted(self.account.vcs.items()))
        if self._is_min:
            return made
        steps = self.steps
        fetched = dockerfile_steps(self.account)
        text = self.account.dockerfile_text.decode("utf-8", "surrogateescape")
        secrets = secret_values(self.account.request.build_args)
        shown = shown_text(text, secrets).encode("utf-8", "surrogateescape")
        made["source"] = {
            "locations": steps.locations(),
            "infos": [
                {
                    "filename": self.account.dockerfile_name,
                    "language": "Dockerfile",
                    "data": b64encode(shown).decode(),
                    "llbDefinition": fetched.definition(),
                    "digestMapping": dict(fetched.digests()),
                }
            ],
        }
        if layers := self._layers(steps.places):
            made["layers"] = layers
        return made

    def _layers(self, places: Mapping[int, int]) -> Json:
        """Return the chains of layers by the steps that have them, of those below the result."""
        account, found = self.account, {}
        before = 0
        for position in reversed(account.plan.graph.below(account.plan.target)):
            depth = account.depths.get(position, 0)
            if depth > before and depth <= len(account.layers) and places[position] >= 0:
                chain = [
                    {"mediaType": each.media_type, "digest": str(each.digest), "size": each.size}
                    for each in account.layers[:depth]
                ]
                found[f"step{places[position]}:0"] = [chain]
            before = max(before, depth)
        return dict(sorted(found.items()))


def invocation_of(account_key: str, epoch: int) -> str:
    """Return an ID that equal builds with SOURCE_DATE_EPOCH have in common: 25 characters."""
    digest = int(
        Digest.of(f"{account_key}\0{epoch}".encode("utf-8", "surrogateescape")).encoded, 16
    )
    return base36(digest)[:25]


def base36(number: int) -> str:
    """Return a number in the digits 0 to 9 and a to z, as BuildKit's IDs are."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, last = divmod(number, 36)
        text = digits[last] + text
    return text or "0"


def nanoseconds(moment: datetime) -> str:
    """Return ``moment`` as RFC 3339 in UTC, without zeros at the end of the fraction."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{re.sub(r'[.]?0*$', '', text) if '.' in text else text}Z"


def _shown_place(place: str) -> str:
    """Return the place of a named context without credentials and directories of this machine."""
    layout = LayoutPlace.parse(place)
    return redact_urls(place) if layout is None else layout.without_directory


def _objects(materials: tuple[Material, ...]) -> list[Json]:
    return [each.as_object() for each in materials]


def _prefixed(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _access(name: str, optional: bool) -> Json:
    return {"id": name, "optional": True} if optional else {"id": name}


def _sorted(value: Json) -> Json:
    """Return ``value`` with sorted keys at all depths, as Go writes maps."""
    return {key: _sorted_value(value[key]) for key in sorted(value)}


def _sorted_value(value: object) -> object:
    match value:
        case dict():
            return _sorted(value)
        case list():
            return [_sorted_value(each) for each in value]
        case _:
            return value

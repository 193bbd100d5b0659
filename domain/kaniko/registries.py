"""Registries by the options of kaniko (pkg/config, RegistryOptions; pkg/creds)."""

from collections.abc import Iterator, Mapping

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.kaniko.command_line import Given
from img.domain.reference import DEFAULT_DOMAIN
from img.domain.registries import Endpoint, RegistryRule, RegistryRules

_HUB = ("index.docker.io", "docker.io", "registry-1.docker.io")
HELPERS = ("env", "google", "ecr", "acr", "gitlab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files for one host: a certificate to trust, or a client's certificate and key."""

    host: str
    trusted: str = ""
    client: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """The registries of a command line.

    ``insecure`` are hosts for pushes and pulls; ``insecure_pulls`` concerns all hosts but those of
    the destinations. ``variables`` and ``gitlab`` are the sources of credentials besides the files.
    """

    rules: RegistryRules
    insecure: frozenset[str]
    insecure_pushes: bool
    insecure_pulls: bool
    certificates: tuple[Certificates, ...]
    variables: bool
    gitlab: bool


def registry_settings(given: Given, environment: Mapping[str, str]) -> RegistrySettings:
    """Return the settings of a command line. Raises UsageError."""
    helpers = given.texts("credential-helpers") if "credential-helpers" in given.flags else ()
    helpers = helpers or HELPERS
    has_pushes = "insecure" in given.flags
    return RegistrySettings(
        rules=_rules(given, environment),
        insecure=frozenset(
            map(
                _domain,
                (*given.texts("insecure-registry"), *given.texts("skip-tls-verify-registry")),
            )
        ),
        insecure_pushes=has_pushes
        and (given.switch("insecure") or given.switch("skip-tls-verify")),
        insecure_pulls=given.switch("insecure-pull") or given.switch("skip-tls-verify-pull"),
        certificates=tuple(_certificates(given)),
        variables="env" in helpers,
        gitlab="gitlab" in helpers,
    )


def _rules(given: Given, environment: Mapping[str, str]) -> RegistryRules:
    """Return the mirrors. A registry with others is asked last, if at all."""
    texts = [*given.texts("registry-map")]
    if text := environment.get("KANIKO_REGISTRY_MAP"):
        texts.append(text)
    pairs = [pair for text in texts for pair in text.split(";") if pair]
    mirrors = [*given.texts("registry-mirror")]
    if mirror := environment.get("KANIKO_REGISTRY_MIRROR"):
        mirrors.append(mirror)
    pairs += [f"{DEFAULT_DOMAIN}={mirror}" for mirror in mirrors]
    places: dict[str, list[str]] = {}
    for pair in pairs:
        registry, equals, other = pair.partition("=")
        if not (registry and equals and other):
            raise UsageError(f"--registry-map {pair}: it must be REGISTRY=OTHER")
        places.setdefault(_domain(registry), []).append(other)
    only_mirrors = given.switch("skip-default-registry-fallback")
    return RegistryRules(
        rules=tuple(
            RegistryRule(
                prefix=registry,
                mirrors=tuple(Endpoint(location=each.rstrip("/")) for each in others),
                only_mirrors=only_mirrors,
            )
            for registry, others in places.items()
        )
    )


def _domain(registry: str) -> str:
    """Return the name of a registry as in names of images: Docker Hub has several."""
    return DEFAULT_DOMAIN if registry in _HUB else registry


def _certificates(given: Given) -> Iterator[Certificates]:
    for text in given.texts("registry-certificate"):
        host, path = _pair("registry-certificate", text, "HOST=FILE")
        yield Certificates(host=_domain(host), trusted=path)
    for text in given.texts("registry-client-cert"):
        host, files = _pair("registry-client-cert", text, "HOST=CERTIFICATE,KEY")
        certificate, comma, key = files.partition(",")
        if not (certificate and comma and key):
            raise UsageError(f"--registry-client-cert {text}: it must be HOST=CERTIFICATE,KEY")
        yield Certificates(host=_domain(host), client=(certificate, key))


def _pair(flag: str, text: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise UsageError(f"--{flag} {text}: it must be {form}")
    return key, value

"""Options of other builders that img accepts, or refuses by name.

Sources: docker build and buildx build (docker/cli and docker/buildx, docs/reference), podman build
(buildah, docs/buildah-build.1.md), the kaniko executor (README.md, "Additional Flags").
"""

from collections.abc import Callable, Mapping
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean


class Takes(Enum):
    """Kinds of options, by the value that follows."""

    SWITCH = "switch"  # only behind "=", and then a boolean
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOption:
    """An option of another builder that img does not need.

    ``accepted`` decides whether a value is harmless: it asks for nothing, or for what img does
    anyway. The value of a switch is "true" or "false". ``instead`` is the hint that is shown when
    another value is refused.
    """

    takes: Takes
    accepted: Callable[[str], bool]
    instead: str
    heard: bool = False  # the command has a hidden switch of that name

    @property
    def takes_value(self) -> bool:
        """True if a value follows the option."""
        return self.takes is Takes.VALUE

    def check(self, spelling: str, value: str) -> None:
        """Raise UsageError if ``spelling`` with ``value`` asks for a feature that img lacks."""
        if not self.accepted(self._meaning(spelling, value)):
            shown = spelling if self.takes is Takes.SWITCH and not value else f"{spelling}={value}"
            raise UsageError(f"{shown} is not supported", hint=self.instead)

    def _meaning(self, spelling: str, value: str) -> str:
        if self.takes_value:
            return value
        return str(switched(spelling, value or "true")).lower()


def switched(spelling: str, value: str) -> bool:
    """Return the boolean of ``spelling=value``. Raises UsageError for another value."""
    on = parse_boolean(value)
    if on is None:
        raise UsageError(f"invalid value {value!r} of {spelling}", hint="use true or false")
    return on


def _anything(_: str) -> bool:
    return True


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


_LEAVE_OUT = "leave it out"
_NEVER = _one_of()
_ON, _OFF = _one_of("true"), _one_of("false")
_ATTEST = "use --sbom=true, or --sbom=generator=IMAGE"
_TIMES = "use --build-arg SOURCE_DATE_EPOCH=SECONDS"
_TLS = "use --insecure-registry or --tls-verify=false"
_PLATFORM = "use --platform OS/ARCH[/VARIANT]"
_CACHES = "use --cache-from and --cache-to type=registry,ref=NAME"
_RESULT_FILE = "use --iidfile or --metadata-file"
_CAPABILITIES = "steps have the capabilities that docker's have; leave it out"
_ENVIRONMENT = "use ENV or LABEL in the Dockerfile"
_SIGNATURES = "leave it out; `img sign` signs what was pushed, `img verify` checks it"

_Rows = tuple[tuple[str, Callable[[str], bool], str], ...]

_SWITCHES: _Rows = (
    # docker build
    ("--compress", _anything, ""),
    ("--rm", _anything, ""),
    ("--force-rm", _anything, ""),
    ("--disable-content-trust", _ON, _SIGNATURES),
    # buildx build
    ("-D", _anything, ""),
    ("--detach", _OFF, "start img in the background"),
    # podman build
    ("--all-platforms", _OFF, "name them with --platform"),
    ("--compat-volumes", _OFF, _LEAVE_OUT),
    ("--created-annotation", _OFF, "use --annotation org.opencontainers.image.created=TIME"),
    ("--disable-compression", _anything, ""),
    ("--http-proxy", _OFF, "use --build-arg http_proxy=$http_proxy, and so on"),
    ("--identity-label", _anything, ""),
    ("--inherit-annotations", _OFF, "name them with --annotation"),
    ("--inherit-labels", _ON, "labels of base images stay; set them to nothing with --label"),
    ("--layers", _ON, "use --no-cache"),
    ("--logsplit", _OFF, "use --progress plain"),
    ("--no-hostname", _OFF, _LEAVE_OUT),
    ("--no-hosts", _OFF, _LEAVE_OUT),
    ("--omit-history", _OFF, _LEAVE_OUT),
    ("--rewrite-timestamp", _OFF, "use -o type=image,rewrite-timestamp=true"),
    ("--rusage", _OFF, _LEAVE_OUT),
    ("--save-stages", _OFF, "stages stay in the build cache; leave it out"),
    ("--skip-unused-stages", _ON, "build each stage with --target"),
    ("--squash-all", _OFF, "use --squash=all"),
    ("--stage-labels", _OFF, _LEAVE_OUT),
    ("--stdin", _OFF, "steps have no standard input; leave it out"),
    # kaniko
    ("--cache", _OFF, _CACHES),
    ("--cache-copy-layers", _anything, ""),
    ("--cache-run-layers", _anything, ""),
    ("--cleanup", _anything, ""),
    ("--compressed-caching", _anything, ""),
    ("--force", _anything, ""),
    ("--ignore-var-run", _anything, ""),
    ("--insecure", _OFF, _TLS),
    ("--insecure-pull", _OFF, _TLS),
    ("--dryrun", _OFF, "use --check, or --call outline"),
    ("--force-build-metadata", _anything, ""),
    ("--materialize", _anything, ""),
    ("--pre-cleanup", _anything, ""),
    ("--preserve-context", _anything, ""),
    ("--push-ignore-immutable-tag-errors", _OFF, _LEAVE_OUT),
    ("--skip-default-registry-fallback", _OFF, "name mirrors in registries.conf"),
    ("--skip-push-permission-check", _anything, ""),
    ("--whitelist-var-run", _anything, ""),
    ("--log-timestamp", _anything, ""),
    ("--no-push", _ON, "use --push"),
    ("--no-push-cache", _anything, ""),
    ("--reproducible", _OFF, _TIMES),
    ("--single-snapshot", _OFF, "use --squash"),
    ("--skip-tls-verify", _OFF, _TLS),
    ("--skip-tls-verify-pull", _OFF, _TLS),
    ("--use-new-run", _anything, ""),
)

_VALUES: _Rows = (
    # docker build
    ("--isolation", _one_of("", "default"), "choose what isolates steps with --executor"),
    ("--security-opt", _one_of("", "label=disable"), _LEAVE_OUT),
    # buildx build
    ("--builder", _anything, ""),
    ("--invoke", _NEVER, _LEAVE_OUT),
    ("--on", _NEVER, _LEAVE_OUT),
    ("--policy", _one_of(""), "img reads no Rego; use --source-policy-file, or docs/policy.md"),
    ("--print", _one_of(""), "use --call"),
    ("--root", _anything, ""),
    ("--server-config", _anything, ""),
    # podman build
    ("--arch", _NEVER, _PLATFORM),
    ("--build-arg-file", _NEVER, "use --build-arg KEY=VALUE for each of its lines"),
    ("--cache-ttl", _one_of("", "0", "0s"), "use --no-cache, or `img prune` before"),
    ("--cap-add", _NEVER, _CAPABILITIES),
    ("--cap-drop", _NEVER, _CAPABILITIES),
    ("--cert-dir", _NEVER, "put certificates into /etc/docker/certs.d/REGISTRY"),
    ("--cgroupns", _one_of("", "private"), _LEAVE_OUT),
    ("--cpp-flag", _NEVER, "run cpp first, and img with -f -"),
    ("--creds", _NEVER, "use `img login`, or --authfile"),
    ("--decryption-key", _NEVER, "images cannot be encrypted; leave it out"),
    ("--device", _NEVER, "img hands no devices on; leave it out"),
    ("--env", _NEVER, _ENVIRONMENT),
    ("--format", _one_of("", "oci"), "use -o type=image,oci-mediatypes=false"),
    ("--from", _NEVER, "use an ARG in FROM, and --build-arg"),
    ("--group-add", _NEVER, _LEAVE_OUT),
    ("--hooks-dir", _one_of(""), _LEAVE_OUT),
    ("--ignorefile", _NEVER, "name it as the Dockerfile, and .dockerignore after that"),
    ("--ipc", _one_of("", "private"), _LEAVE_OUT),
    ("--jobs", _anything, ""),
    ("--layer-label", _NEVER, "use --label"),
    ("--logfile", _NEVER, "redirect standard error: 2>FILE"),
    ("--manifest", _NEVER, "use -t; several of --platform make an index"),
    ("--mount", _NEVER, "use RUN --mount in the Dockerfile"),
    ("--os", _NEVER, _PLATFORM),
    ("--os-feature", _NEVER, _LEAVE_OUT),
    ("--os-version", _NEVER, _LEAVE_OUT),
    ("--pid", _one_of("", "private"), _LEAVE_OUT),
    ("--retry-delay", _anything, ""),
    ("--runtime", _NEVER, "use --executor runc or crun"),
    ("--runtime-flag", _NEVER, _LEAVE_OUT),
    ("--rusage-logfile", _NEVER, _LEAVE_OUT),
    ("--sbom-image-output", _NEVER, _ATTEST),
    ("--sbom-image-purl-output", _NEVER, _ATTEST),
    ("--sbom-merge-strategy", _NEVER, _ATTEST),
    ("--sbom-output", _NEVER, _ATTEST),
    ("--sbom-purl-output", _NEVER, _ATTEST),
    ("--sbom-scanner-command", _NEVER, _ATTEST),
    ("--sbom-scanner-image", _NEVER, _ATTEST),
    ("--sign-by", _NEVER, _SIGNATURES),
    ("--signature-policy", _NEVER, _SIGNATURES),
    ("--source-date-epoch", _NEVER, _TIMES),
    ("--timestamp", _NEVER, _TIMES),
    ("--unsetannotation", _NEVER, _LEAVE_OUT),
    ("--unsetenv", _NEVER, _ENVIRONMENT),
    ("--unsetlabel", _NEVER, _ENVIRONMENT),
    ("--userns", _one_of("", "private"), "img chooses the user namespace; leave it out"),
    ("--userns-gid-map", _NEVER, _LEAVE_OUT),
    ("--userns-gid-map-group", _NEVER, _LEAVE_OUT),
    ("--userns-uid-map", _NEVER, _LEAVE_OUT),
    ("--userns-uid-map-user", _NEVER, _LEAVE_OUT),
    ("--uts", _one_of("", "private"), _LEAVE_OUT),
    ("--variant", _NEVER, _PLATFORM),
    # kaniko
    ("--bucket", _NEVER, "give the build context as PATH: img build PATH"),
    ("--cache-dir", _NEVER, "img keeps its cache below --state"),
    ("--cache-repo", _NEVER, _CACHES),
    ("--compression", _NEVER, "use -o type=image,compression=TYPE"),
    ("--compression-level", _NEVER, "use -o type=image,compression-level=LEVEL"),
    ("--context", _NEVER, "give the build context as PATH: img build PATH"),
    ("--context-sub-path", _NEVER, "give that directory as PATH: img build PATH"),
    ("--credential-helpers", _NEVER, "name them in docker's config.json"),
    ("--custom-platform", _NEVER, _PLATFORM),
    ("--customPlatform", _NEVER, _PLATFORM),
    ("--destination", _NEVER, "use -t NAME --push"),
    ("--digest-file", _NEVER, _RESULT_FILE),
    ("--dockerfile", _NEVER, "use -f FILE"),
    ("--git", _NEVER, "give the repository as PATH: img build URL#BRANCH:DIRECTORY"),
    ("--ignore-path", _NEVER, "remove it in the same RUN; what is mounted is in no layer"),
    ("--image-download-retry", _anything, ""),
    ("--image-fs-extract-retry", _anything, ""),
    ("--image-format", _one_of("", "oci"), "use -o type=image,oci-mediatypes=false"),
    ("--image-name-tag-with-digest-file", _NEVER, _RESULT_FILE),
    ("--image-name-with-digest-file", _NEVER, _RESULT_FILE),
    ("--kaniko-dir", _NEVER, "use --state DIR"),
    ("--log-format", _NEVER, "use --progress plain"),
    ("--oci-layout-path", _NEVER, "use -o type=oci,tar=false,dest=DIR"),
    ("--push-retry", _anything, ""),
    ("--registry-certificate", _NEVER, "put it into /etc/docker/certs.d/REGISTRY"),
    ("--registry-client-cert", _NEVER, "put it into /etc/docker/certs.d/REGISTRY"),
    ("--registry-map", _NEVER, "name mirrors in registries.conf"),
    ("--registry-mirror", _NEVER, "name mirrors in registries.conf"),
    ("--skip-tls-verify-registry", _NEVER, _TLS),
    ("--snapshot-mode", _anything, ""),
    ("--snapshotMode", _anything, ""),
    ("--tar-path", _NEVER, "use -o type=docker,dest=FILE"),
    ("--tarPath", _NEVER, "use -o type=docker,dest=FILE"),
    ("--verbosity", _anything, ""),
)

_CONTRADICTED = ("--no-push",)

OF_BUILD: Mapping[str, ForeignOption] = {
    name: ForeignOption(
        takes=takes, accepted=accepted, instead=instead, heard=name in _CONTRADICTED
    )
    for takes, rows in ((Takes.SWITCH, _SWITCHES), (Takes.VALUE, _VALUES))
    for name, accepted, instead in rows
}
"""Those of builds, by their spelling."""

_OF_TRANSFER = ("--cert-dir", "--creds", "--decryption-key", "--disable-content-trust",
                "--retry-delay", "--sign-by", "--signature-policy")  # fmt: skip

OF_TRANSFER: Mapping[str, ForeignOption] = {
    **{name: OF_BUILD[name] for name in _OF_TRANSFER},
    # `img build --retry` is for RUN.
    "--retry": ForeignOption(takes=Takes.VALUE, accepted=_anything, instead=""),
}
"""Those of pull and push."""

OF_BAKE: Mapping[str, ForeignOption] = {name: OF_BUILD[name] for name in ("--builder", "-D")}
"""Those of buildx bake."""

RENAMED: Mapping[str, str] = {"--pull-always": "--pull=always", "--pull-never": "--pull=never"}
"""Switches of podman build, and img's word for them."""

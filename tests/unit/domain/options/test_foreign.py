"""Options of other builders."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.foreign import OF_BUILD, OF_TRANSFER, RENAMED, Takes
from img.domain.options.pull import parse_pull
from img.domain.pull_policy import PullPolicy
from img.entrypoints.cli.app import command_line

# The whole lists of options: docker/cli 29, docker/buildx 2026-08, buildah 1.44, kaniko 1.25.
DOCKER = """
add-host build-arg cache-from cgroup-parent compress cpu-period cpu-quota cpu-shares cpuset-cpus
cpuset-mems disable-content-trust file force-rm iidfile isolation label memory memory-swap network
no-cache platform pull quiet rm security-opt shm-size squash tag target ulimit
"""
BUILDX = """
add-host allow annotation attest build-arg build-context builder cache-from cache-to call
cgroup-parent check debug detach file iidfile invoke label load metadata-file network no-cache
no-cache-filter on output platform policy print progress provenance pull push quiet resource root
sbom secret server-config shm-size ssh tag target ulimit
"""
PODMAN = """
add-host all-platforms allow annotation arch authfile build-arg build-arg-file build-context
cache-from cache-to cache-ttl cap-add cap-drop cert-dir cgroup-parent cgroupns compat-volumes
cpp-flag cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems created-annotation creds
decryption-key device disable-compression dns dns-option dns-search env file force-rm format from
group-add hooks-dir http-proxy identity-label ignorefile iidfile inherit-annotations inherit-labels
ipc isolation jobs label layer-label layers logfile logsplit manifest memory memory-swap
metadata-file network no-cache no-hostname no-hosts omit-history os os-feature os-version output
pid platform pull pull-always pull-never quiet retry retry-delay rewrite-timestamp rm runtime
runtime-flag rusage rusage-logfile save-stages sbom sbom-image-output sbom-image-purl-output
sbom-merge-strategy sbom-output sbom-purl-output sbom-scanner-command sbom-scanner-image secret
security-opt shm-size sign-by signature-policy skip-unused-stages source-date-epoch
source-policy-file squash squash-all ssh stage-labels stdin tag target timestamp tls-verify ulimit
unsetannotation unsetenv unsetlabel userns userns-gid-map userns-gid-map-group userns-uid-map
userns-uid-map-user uts variant volume
"""
KANIKO = """
annotation bucket build-arg cache cache-copy-layers cache-dir cache-repo cache-run-layers cache-ttl
cleanup compressed-caching compression compression-level context context-sub-path
credential-helpers custom-platform customPlatform destination digest-file dockerfile dryrun force
force-build-metadata git ignore-path ignore-var-run image-download-retry image-format
image-fs-extract-retry image-name-tag-with-digest-file image-name-with-digest-file insecure
insecure-pull insecure-registry kaniko-dir label log-format log-timestamp materialize no-push
no-push-cache oci-layout-path pre-cleanup preserve-context push-ignore-immutable-tag-errors
push-retry registry-certificate registry-client-cert registry-map registry-mirror reproducible
secret single-snapshot skip-default-registry-fallback skip-push-permission-check skip-tls-verify
skip-tls-verify-pull skip-tls-verify-registry skip-unused-stages snapshot-mode snapshotMode
tar-path tarPath target use-new-run verbosity whitelist-var-run
"""


def _own() -> set[str]:
    import typer

    build = getattr(typer.main.get_command(command_line(["build"])), "commands")["build"]  # noqa: B009
    return {name for each in build.params for name in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("names", [DOCKER, BUILDX, PODMAN, KANIKO])
def test_each_option_of_another_builder_is_ours_or_in_the_table(names: str) -> None:
    known = _own() | OF_BUILD.keys() | RENAMED.keys()

    assert [name for name in names.split() if f"--{name}" not in known] == []


def test_no_option_of_ours_is_in_the_table_but_those_that_others_contradict() -> None:
    heard = {name for name, option in OF_BUILD.items() if option.heard}

    assert _own() & OF_BUILD.keys() == heard


def test_each_option_of_the_table_is_taken_or_refused_with_what_to_do() -> None:
    for table in (OF_BUILD, OF_TRANSFER):
        for name, option in table.items():
            values = ["true", "false"] if option.takes is Takes.SWITCH else ["", "x", "default"]
            for value in values:
                try:
                    option.check(name, value)
                except UsageError as refused:
                    assert refused.message.startswith(name)
                    assert refused.hint


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("true", PullPolicy.ALWAYS),
        ("1", PullPolicy.ALWAYS),
        ("always", PullPolicy.ALWAYS),
        ("Always", PullPolicy.ALWAYS),
        ("false", PullPolicy.MISSING),
        ("missing", PullPolicy.MISSING),
        ("ifmissing", PullPolicy.MISSING),
        ("newer", PullPolicy.NEWER),
        ("ifnewer", PullPolicy.NEWER),
        ("never", PullPolicy.NEVER),
    ],
)
def test_pull_is_docker_s_switch_and_podman_s_policy(text: str, policy: PullPolicy) -> None:
    assert parse_pull(text) is policy


@pytest.mark.parametrize("text", ["", "sometimes", "neve"])
def test_pull_takes_nothing_else(text: str) -> None:
    with pytest.raises(UsageError, match="invalid --pull"):
        parse_pull(text)

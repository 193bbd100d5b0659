"""Builds that command lines of kaniko's executor describe."""

import pytest

from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.kaniko.command_line import Flag, Kind
from img.domain.kaniko.flags import EXECUTOR
from img.domain.kaniko.plan import ExecutorPlan, ResultPlaces, executor_plan, result_files
from img.domain.options.cache import CacheExchange
from img.domain.options.outputs import OutputOptions, parse_outputs
from img.domain.options.secrets import SecretSpec
from img.domain.outputs import ArchiveOutput, ImageOutput, Output
from img.domain.platform import Platform
from img.domain.reference import ImageReference

_HOST = Platform("linux", "amd64")
_DIGEST = Digest.of(b"")


def _plan(*words: str, **environment: str) -> ExecutorPlan:
    return executor_plan(words, environment)


def _outputs(*words: str) -> tuple[Output, ...]:
    plan = _plan(*words)
    options = OutputOptions(outputs=plan.outputs, tags=plan.tags)
    return parse_outputs(options, _HOST)


def _names(*texts: str) -> tuple[ImageReference, ...]:
    return tuple(map(ImageReference.parse, texts))


def test_the_image_is_pushed_to_each_destination_and_not_stored() -> None:
    (output,) = _outputs("-d", "r.io/a:1", "--destination=r.io/b")

    assert output == ImageOutput(names=_names("r.io/a:1", "r.io/b"), store=False, push=True)


def test_without_a_push_the_image_goes_nowhere() -> None:
    assert _outputs("--no-push") == (ImageOutput(store=False),)
    assert _outputs("--no-push", "-d", "a") == (ImageOutput(names=_names("a"), store=False),)


def test_archives_are_further_outputs() -> None:
    _, archive, layout = _outputs("--no-push", "--tar-path", 'a,".tar', "--oci-layout-path=b")

    assert archive == ArchiveOutput(
        format="docker",
        destination='a,".tar',
        names=_names("docker.io/unset-repo/unset-image-name"),
    )
    assert layout == ArchiveOutput(format="oci", destination="b", tar=False)


def test_an_archive_has_the_names_of_the_destinations() -> None:
    _, archive = _outputs("-d", "r.io/a:1", "--tar-path", "t")

    assert isinstance(archive, ArchiveOutput) and archive.names == _names("r.io/a:1")


def test_the_form_is_that_of_the_flags() -> None:
    (output,) = _outputs("-d", "a", "--compression=zstd", "--compression-level=3")
    (docker,) = _outputs("-d", "a", "--image-format=docker", "--reproducible")

    assert isinstance(output, ImageOutput) and isinstance(docker, ImageOutput)
    assert str(output.form.compression) == "zstd:3"
    assert not docker.form.oci_types
    assert docker.form.rewrite_timestamp


def test_a_reproducible_image_has_the_times_of_1970() -> None:
    assert _plan("--no-push", "--reproducible").build_args == ("SOURCE_DATE_EPOCH=0",)


def test_a_variable_without_a_value_has_that_of_the_environment() -> None:
    words = ("--no-push", "--build-arg", "A", "--build-arg", "B", "--build-arg", "C=1")

    assert _plan(*words, A="x").build_args == ("A=x", "B=", "C=1")


@pytest.mark.parametrize(
    ("words", "sources", "targets"),
    [
        (("-d", "r.io/a:1"), [], []),
        (("-d", "r.io/a:1", "--cache"), ["r.io/a/cache"], ["r.io/a/cache"]),
        (("-d", "r.io/a:1", "--cache", "--no-push-cache"), ["r.io/a/cache"], []),
        (("--no-push", "--cache", "--cache-repo=c"), *[["docker.io/library/c"]] * 2),
        (("--no-push", "--cache", "--cache-repo=oci:/c,d"), ["/c,d"], ["/c,d"]),
        (("-d", "r.io/a", "--cache-repo=c"), [], []),
    ],
)
def test_the_cache_has_the_layers_of_all_stages(
    words: tuple[str, ...], sources: list[str], targets: list[str]
) -> None:
    plan = _plan(*words)

    caches = CacheExchange.parse(plan.cache_from, list(plan.cache_to.values()))

    assert [str(source).partition(":img-")[0] for source in caches.sources] == sources
    assert [str(target).partition(":img-")[0] for target in caches.targets] == targets
    assert all(target.everything and target.ignore_error for target in caches.targets)


def test_each_target_of_each_image_has_a_cache_of_its_own() -> None:
    words = ("--cache", "--cache-repo=r.io/c")

    one = _plan("-d", "r.io/a", "--target=x,y", *words)
    other = _plan("-d", "r.io/b", "--target=x", *words)

    assert one.cache_to.keys() == {"x", "y"}
    assert len({*one.cache_to.values(), *other.cache_to.values()}) == 3
    assert len(one.cache_from) == 2
    assert _plan("-d", "r.io/a:2", "--target=x", *words).cache_to["x"] == one.cache_to["x"]


def test_annotations_may_have_any_key() -> None:
    (output,) = _outputs("-d", "a", "--annotation", "foo:bar=b,z", "--annotation=c=d=e")

    assert isinstance(output, ImageOutput)
    assert {each.key: each.value for each in output.form.annotations} == {
        "foo:bar": "b,z",
        "c": "d=e",
    }


@pytest.mark.parametrize(
    ("words", "checked"),
    [
        (("-d", "r.io/a:1", "-d", "r.io/a:2", "-d", "r.io/b"), ["r.io/a:2", "r.io/b:latest"]),
        (("-d", "r.io/a", "--skip-push-permission-check"), []),
        (("-d", "r.io/a", "--no-push"), []),
        (("--no-push", "--cache", "--cache-repo=r.io/c"), ["r.io/c:latest"]),
        (("--no-push", "--cache", "--cache-repo=r.io/c", "--no-push-cache"), []),
    ],
)
def test_the_right_to_push_is_checked_once_for_each_repository(
    words: tuple[str, ...], checked: list[str]
) -> None:
    assert [str(name) for name in _plan(*words).checked] == checked


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("id=a,src=f", SecretSpec(id="a", path="f")),
        ("id=a,source=f,type=file", SecretSpec(id="a", path="f")),
        ("id=a,env=V", SecretSpec(id="a", env="V")),
        ("id=a,type=env,src=V", SecretSpec(id="a", env="V")),
        ("id=V", SecretSpec(id="V", env="V")),
        ("id=file", SecretSpec(id="file", path="file")),
        ("id=V,type=file", SecretSpec(id="V", path="V")),
    ],
)
def test_a_secret_is_a_file_or_a_variable(text: str, secret: SecretSpec) -> None:
    (found,) = _plan("--no-push", "--secret", text, V="value").secrets

    assert SecretSpec.parse(found) == secret


def test_files_about_the_result_have_the_form_of_kaniko() -> None:
    names = _names("r.io/a:1", "b")
    lines = f"r.io/a@{_DIGEST}\ndocker.io/library/b@{_DIGEST}\n"
    tagged = f"r.io/a:1@{_DIGEST}\ndocker.io/library/b:latest@{_DIGEST}\n"

    def written(places: ResultPlaces) -> list[tuple[str, str]]:
        return list(result_files(places, names, _DIGEST))

    assert written(ResultPlaces()) == []
    assert written(ResultPlaces(digest="d")) == [("d", str(_DIGEST))]
    assert written(ResultPlaces(name="n")) == [("n", lines)]
    assert written(ResultPlaces(name_and_tag="t")) == [("t", tagged)]
    assert written(ResultPlaces(name="n", name_and_tag="t")) == [("n", tagged), ("t", tagged)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "you must provide --destination, or use --no-push"),
        (("x", "--no-push"), 'unknown command "x" for "executor"'),
        (
            ("-d", "a", "--image-format=docker", "--compression=zstd"),
            "--compression=zstd cannot be used with --image-format=docker",
        ),
        (
            ("-d", "a", "--tar-path=t", "--image-format=oci"),
            "--image-format=oci cannot be used with --tar-path, which writes a docker archive",
        ),
        (
            ("-d", "a", "--tar-path=t", "--compression=zstd"),
            "--compression=zstd cannot be used with --tar-path, which writes a docker archive",
        ),
        (("-d", "a", "--image-format=x"), '--image-format x: must be either "docker" or "oci"'),
        (("-d", "a", "--compression=x"), '--compression x: must be either "gzip" or "zstd"'),
        (
            ("--no-push", "--cache"),
            "if using cache with --no-push, specify cache repo with --cache-repo",
        ),
        (
            ("--no-push", "--image-name-with-digest-file=f"),
            "you must provide --destination if setting --image-name-with-digest-file",
        ),
        (("--no-push", "--secret", "a"), 'invalid secret format: "a"'),
        (("--no-push", "--secret", "src=a"), "secret requires id=ID"),
        (("--no-push", "--secret", "id=a,type=x"), 'invalid secret type: "x" (file|env)'),
        (("--no-push", "--secret", "id=a,x=y"), 'unknown key "x" in secret'),
        (
            ("--no-push", "--secret", "id=a,src=f,env=V"),
            "only one of src or env may be specified",
        ),
        (
            ("--no-push", "--secret", "id=a,env=V"),
            'environment variable for secret "a" not set: V',
        ),
    ],
)
def test_what_kaniko_refuses_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        _plan(*words)

    assert refused.value.message == message


def test_variables_can_forbid_the_push_and_ask_for_the_plan() -> None:
    plan = _plan("-d", "a", KANIKO_NO_PUSH="true", KANIKO_PRINT_PLAN="1")

    assert not plan.pushes
    assert plan.dry_run
    with pytest.raises(UsageError, match='invalid value "x" for KANIKO_NO_PUSH'):
        _plan("-d", "a", KANIKO_NO_PUSH="x")


def test_variables_name_mirrors_as_the_flags_do() -> None:
    words = ("-d", "a", "--registry-map=r.io=m.io", "--registry-mirror=h.io")

    plan = _plan("-d", "a", KANIKO_REGISTRY_MAP="r.io=m.io", KANIKO_REGISTRY_MIRROR="h.io")

    assert [each.prefix for each in plan.registries.rules.rules] == ["r.io", "docker.io"]
    assert plan.registries == _plan(*words).registries


def test_what_has_no_effect_is_said_in_one_line_each() -> None:
    plan = _plan(
        "--no-push",
        "--snapshot-mode=redo",
        "--cleanup",
        "--context-sub-path=x",
        "--credential-helpers=nope",
        KANIKO_DIR="/k",
        KANIKO_CLEANUP="1",
        FF_KANIKO_X="1",
        KANIKO_IGNORE_ASSERTIONS="1",
        SNAPSHOT_TIMEOUT_DURATION="9m",
        UPSTREAM_CLIENT_TYPE="ci",
    )

    assert [notice.partition(" has no effect: ")[0] for notice in plan.notices] == [
        "--snapshot-mode",
        "--cleanup",
        "--credential-helpers nope",
        "KANIKO_DIR, KANIKO_CLEANUP",
        "KANIKO_IGNORE_ASSERTIONS, FF_KANIKO_X",
        "SNAPSHOT_TIMEOUT_DURATION",
        "UPSTREAM_CLIENT_TYPE",
        "--context-sub-path",
    ]


# The flags of kaniko's executor (osscontainertools/kaniko 6bcc93443, cmd/executor/cmd/root.go).
_KANIKO = """
annotation bucket build-arg cache cache-copy-layers cache-dir cache-repo cache-run-layers cache-ttl
cleanup compressed-caching compression compression-level context context-sub-path
credential-helpers custom-platform customPlatform destination digest-file dockerfile dryrun force
force-build-metadata git ignore-path ignore-var-run image-download-retry image-format
image-fs-extract-retry image-name-tag-with-digest-file image-name-with-digest-file insecure
insecure-pull insecure-registry kaniko-dir label log-format log-timestamp materialize no-push
no-push-cache oci-layout-path pre-cleanup preserve-context push-ignore-immutable-tag-errors
push-retry registry-certificate registry-client-cert registry-map registry-mirror reproducible
secret single-snapshot skip-default-registry-fallback skip-push-permission-check skip-tls-verify
skip-tls-verify-pull skip-tls-verify-registry skip-unused-stages snapshot-mode snapshotMode tar-path
tarPath target use-new-run verbosity whitelist-var-run
"""


def test_all_flags_of_kaniko_are_known() -> None:
    assert {each.name for each in EXECUTOR} == {*_KANIKO.split(), "help"}


@pytest.mark.parametrize("old", [f for f in EXECUTOR if f.old_name_of], ids=lambda flag: flag.name)
def test_an_old_name_is_the_same_flag(old: Flag) -> None:
    value = {Kind.SWITCH: "false"}.get(old.kind, _EXAMPLES.get(old.old_name_of, "x"))

    old_plan, plan = (
        _plan("--no-push", f"--{name}={value}") for name in (old.name, old.old_name_of)
    )

    assert old_plan == plan


# What the flags of kaniko become: a plan with a flag differs from one without, or has a notice.
_EXAMPLES = {
    "context": "dir://x",
    "context-sub-path": "x",
    "bucket": "b/k",
    "destination": "x",
    "verbosity": "error",
    "custom-platform": "linux/arm64",
    "secret": "id=a",
    "git": "branch=x",
    "compression": "gzip",
    "image-format": "docker",
    "registry-certificate": "h=f",
    "registry-client-cert": "h=c,k",
    "registry-map": "a=b",
    "credential-helpers": "env",
    "push-retry": "3",
    "log-format": "json",
}
_TOGETHER = {
    "context-sub-path": ["--context=tar://x"],
    "bucket": ["--context=tar://x"],
    "git": ["--context=git://h/r.git"],
    "cache-repo": ["--cache"],
    "cache-dir": ["--cache"],
    "no-push-cache": ["--cache"],
    "skip-default-registry-fallback": ["--registry-mirror=m"],
}
_VALUES = {
    Kind.INTEGER: "3",
    Kind.DURATION: "1h",
    Kind.TEXT: "x",
    Kind.TEXTS: "x=y",
    Kind.LIST: "x",
}


@pytest.mark.parametrize(
    "flag", [f for f in EXECUTOR if f.name != "help"], ids=lambda flag: flag.name
)
def test_no_flag_is_ignored_in_silence(flag: Flag) -> None:
    value = _EXAMPLES.get(flag.name)
    if flag.kind is Kind.SWITCH:
        value = "false" if flag.default == "true" else "true"
    before = [*_TOGETHER.get(flag.name, []), "-d", "r.io/name:1"]
    word = f"--{flag.name}={value or _VALUES[flag.kind]}"

    assert _plan(*before, word) != _plan(*before)

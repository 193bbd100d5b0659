"""The build that a command line of kaniko's executor describes."""

from collections.abc import Iterator, Mapping, Sequence

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.kaniko.command_line import Given, parse
from img.domain.kaniko.context import Context, context_of
from img.domain.kaniko.flags import EXECUTOR, OTHER_SNAPSHOTS, OWN_ROOT
from img.domain.kaniko.registries import HELPERS, RegistrySettings, registry_settings
from img.domain.reference import ImageReference

_UNNAMED = "docker.io/unset-repo/unset-image-name"
_TAG_DIGITS = 16
_FEATURE = "FF_KANIKO_"
_PARTS = "these switch parts of kaniko"
_UNUSED_VARIABLES = {
    "KANIKO_DIR": OWN_ROOT,
    "KANIKO_PRE_CLEANUP": OWN_ROOT,
    "KANIKO_CLEANUP": OWN_ROOT,
    "KANIKO_PRESERVE_CONTEXT": OWN_ROOT,
    "KANIKO_IGNORE_ASSERTIONS": _PARTS,
    "SNAPSHOT_TIMEOUT_DURATION": OTHER_SNAPSHOTS,
    "UPSTREAM_CLIENT_TYPE": "registries see the user agent of img",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPlaces:
    """The files for the digest; "" for none."""

    digest: str = ""
    name: str = ""
    name_and_tag: str = ""
    builder_output: str = ""  # a directory ($BUILDER_OUTPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorPlan:
    """A build, with the texts of the options of ``img build`` that it stands for."""

    context: Context
    dockerfile: str
    destinations: tuple[ImageReference, ...]
    outputs: tuple[str, ...]  # of --output
    tags: tuple[str, ...]
    pushes: bool
    layout: str  # the directory of --oci-layout-path, "" for none
    build_args: tuple[str, ...]
    labels: tuple[str, ...]
    secrets: tuple[str, ...]
    targets: tuple[str, ...]  # the first is the image; "" is the last stage
    platform: str
    cache_from: tuple[str, ...]  # the caches of all targets
    cache_to: Mapping[str, str]  # by target
    cache_dir: str  # "" without --cache
    cache: ImageReference | None  # the repository of the cache
    checked: tuple[ImageReference, ...]  # where the right to push is checked before the build
    reproducible: bool
    single_layer: bool
    ignores_immutable_tags: bool
    dry_run: bool
    results: ResultPlaces
    registries: RegistrySettings
    quiet: bool
    debug: bool
    notices: tuple[str, ...]


def executor_plan(words: Sequence[str], environment: Mapping[str, str]) -> ExecutorPlan:
    """Return the build of a command line. Raises UsageError, InvalidReference."""
    given = parse(words, EXECUTOR)
    if given.words:
        raise UsageError(f'unknown command "{given.words[0]}" for "executor"')
    no_push = _no_push(given, environment)
    names = given.texts("destination")
    _check(given, names, no_push=no_push)
    destinations = tuple(ImageReference.parse(name) for name in names)
    cache = _cache_place(given, destinations)
    exports = bool(cache) and not given.switch("no-push-cache")
    repository = ImageReference.parse(cache) if cache and not _is_layout(cache) else None
    if repository is not None:
        cache = repository.repository
    targets = tuple(filter(None, given.texts("target"))) or ("",)
    tags = {target: _cache_tag(given, destinations, target) for target in targets}
    level = given.text("verbosity")
    return ExecutorPlan(
        context=context_of(given, environment),
        dockerfile=given.text("dockerfile"),
        destinations=destinations,
        outputs=tuple(_outputs(given, destinations, no_push=no_push)),
        tags=tuple(map(str, destinations)),
        pushes=not no_push,
        layout=given.text("oci-layout-path"),
        build_args=tuple(_build_args(given, environment)),
        labels=given.texts("label"),
        secrets=tuple(_secret(text, environment) for text in given.texts("secret")),
        targets=targets,
        platform=given.text("custom-platform"),
        cache_from=tuple(_cache_source(cache, tag) for tag in tags.values()) if cache else (),
        cache_to=(
            {target: _cache_target(cache, tag) for target, tag in tags.items()} if exports else {}
        ),
        cache_dir=given.text("cache-dir") if given.switch("cache") else "",
        cache=repository,
        checked=tuple(_checked(given, destinations, repository, no_push=no_push)),
        reproducible=given.switch("reproducible"),
        single_layer=given.switch("single-snapshot"),
        ignores_immutable_tags=given.switch("push-ignore-immutable-tag-errors"),
        dry_run=given.switch("dryrun") or _is_on(environment, "KANIKO_PRINT_PLAN"),
        results=ResultPlaces(
            digest=given.text("digest-file"),
            name=given.text("image-name-with-digest-file"),
            name_and_tag=given.text("image-name-tag-with-digest-file"),
            builder_output=environment.get("BUILDER_OUTPUT", ""),
        ),
        registries=registry_settings(given, environment),
        quiet=level in ("error", "fatal", "panic"),
        debug=level in ("debug", "trace"),
        notices=tuple(_notices(given, environment)),
    )


def result_files(
    places: ResultPlaces, destinations: Sequence[ImageReference], digest: Digest
) -> Iterator[tuple[str, str]]:
    """Yield place and content of the files about an image (pkg/executor, DoPush).

    The first has no line end. If both kinds of names are asked for, both files have the tags.
    """
    if places.digest:
        yield places.digest, str(digest)
    tagged = bool(places.name_and_tag)
    lines = "".join(
        f"{each.repository}{f':{each.tag}' if tagged and each.tag else ''}@{digest}\n"
        for each in destinations
    )
    for place in filter(None, (places.name, places.name_and_tag)):
        yield place, lines


def _no_push(given: Given, environment: Mapping[str, str]) -> bool:
    text = environment.get("KANIKO_NO_PUSH")
    if text is None:
        return given.switch("no-push")
    value = parse_boolean(text)
    if value is None:
        raise UsageError(f'invalid value "{text}" for KANIKO_NO_PUSH environment variable')
    return value


def _check(given: Given, names: Sequence[str], *, no_push: bool) -> None:
    kind, compression = given.text("image-format"), given.text("compression")
    if kind not in ("", "docker", "oci"):
        raise UsageError(f'--image-format {kind}: must be either "docker" or "oci"')
    if compression not in ("", "gzip", "zstd"):
        raise UsageError(f'--compression {compression}: must be either "gzip" or "zstd"')
    if not (names or no_push):
        raise UsageError("you must provide --destination, or use --no-push")
    if kind == "docker" and compression == "zstd":
        raise UsageError(
            "--compression=zstd cannot be used with --image-format=docker",
            hint="use --image-format=oci",
        )
    if given.text("tar-path") and (kind == "oci" or compression == "zstd"):
        other = "--image-format=oci" if kind == "oci" else "--compression=zstd"
        raise UsageError(
            f"{other} cannot be used with --tar-path, which writes a docker archive",
            hint="use --oci-layout-path",
        )
    pushes_cache = given.switch("cache") and not given.switch("no-push-cache")
    if pushes_cache and no_push and not given.text("cache-repo"):
        raise UsageError("if using cache with --no-push, specify cache repo with --cache-repo")
    for flag in ("image-name-with-digest-file", "image-name-tag-with-digest-file"):
        if given.text(flag) and not names:
            raise UsageError(f"you must provide --destination if setting --{flag}")


def _outputs(
    given: Given, destinations: Sequence[ImageReference], *, no_push: bool
) -> Iterator[str]:
    """Yield the outputs: the image in registries, or nowhere, and in files."""
    form = "".join((*_form(given), *_annotations(given)))
    yield f"type=image,store=false,push={str(not no_push).lower()}{form}"
    stamps = _STAMPS if given.switch("reproducible") else ""
    if path := given.text("tar-path"):
        name = "" if destinations else f",name={_UNNAMED}"
        yield f'type=docker,"dest={_quoted(path)}"{name}{stamps}'
    if path := given.text("oci-layout-path"):
        yield f'type=oci,tar=false,"dest={_quoted(path)}"{form}'


_STAMPS = ",rewrite-timestamp=true"


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def _form(given: Given) -> Iterator[str]:
    compression, level = given.text("compression"), given.text("compression-level")
    if compression or level != "-1":
        yield f",compression={compression or 'gzip'}"
        if level != "-1":
            yield f",compression-level={level}"
    if given.text("image-format") == "docker":
        yield ",oci-mediatypes=false"
    if given.switch("reproducible"):
        yield _STAMPS


def _annotations(given: Given) -> Iterator[str]:
    """Yield the annotations as attributes of an output, which take any key."""
    for text in given.texts("annotation"):
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"--annotation {text}: it must be KEY=VALUE")
        yield f',"annotation.{_quoted(key)}={_quoted(value)}"'


def _build_args(given: Given, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield NAME=VALUE; a name alone has its value from the environment, empty if unset."""
    for text in given.texts("build-arg"):
        yield text if "=" in text else f"{text}={environment.get(text, '')}"
    if given.switch("reproducible"):
        yield "SOURCE_DATE_EPOCH=0"


def _secret(text: str, environment: Mapping[str, str]) -> str:
    """Return the secret as ``img build`` takes it. Raises UsageError for an unset variable."""
    parts: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f'invalid secret format: "{part}"')
        key = {"source": "src"}.get(key, key)
        if key not in ("id", "type", "src", "env"):
            raise UsageError(f'unknown key "{key}" in secret')
        parts[key] = value
    name, kind = parts.get("id", ""), parts.get("type", "")
    path, variable = parts.get("src", ""), parts.get("env", "")
    if not name:
        raise UsageError("secret requires id=ID")
    if kind not in ("", "file", "env"):
        raise UsageError(f'invalid secret type: "{kind}" (file|env)')
    if path and variable:
        raise UsageError("only one of src or env may be specified")
    if kind == "file" and variable:
        raise UsageError("env cannot be specified for file type secrets")
    if kind == "env":
        path, variable = "", path or variable
    if not (path or variable):
        path, variable = ("", name) if name in environment and kind != "file" else (name, "")
    if variable and variable not in environment:
        raise UsageError(f'environment variable for secret "{name}" not set: {variable}')
    return f"id={name},env={variable}" if variable else f'id={name},"src={_quoted(path)}"'


def _cache_place(given: Given, destinations: Sequence[ImageReference]) -> str:
    if not given.switch("cache"):
        return ""
    if place := given.text("cache-repo"):
        return place
    return f"{destinations[0].repository}/cache" if destinations else ""


def _checked(
    given: Given,
    destinations: Sequence[ImageReference],
    cache: ImageReference | None,
    *,
    no_push: bool,
) -> Iterator[ImageReference]:
    """Yield one name of each repository to check (pkg/executor, CheckPushPermissions)."""
    if given.switch("skip-push-permission-check"):
        return
    names = [cache] if no_push and cache and not given.switch("no-push-cache") else []
    names = names if no_push else [*destinations]
    yield from {name.repository: name for name in names}.values()


def _is_layout(place: str) -> bool:
    return place.startswith("oci:")


def _cache_tag(given: Given, destinations: Sequence[ImageReference], target: str) -> str:
    """Return the tag of the cache of one target: images that share a repository have their own."""
    image = destinations[0].repository if destinations else ""
    text = "\0".join((image, given.text("dockerfile"), target))
    digest = Digest.of(text.encode("utf-8", "surrogateescape"))
    return f"img-{digest.encoded[:_TAG_DIGITS]}"


def _cache_source(place: str, tag: str) -> str:
    if _is_layout(place):
        return f'type=local,"src={_quoted(place.removeprefix("oci:"))}",tag={tag}'
    return f"type=registry,ref={place}:{tag}"


def _cache_target(place: str, tag: str) -> str:
    """Return the export of all stages; kaniko warns only if it fails."""
    if _is_layout(place):
        path = _quoted(place.removeprefix("oci:"))
        return f'type=local,"dest={path}",tag={tag},reset=false,mode=max,ignore-error=true'
    return f"type=registry,ref={place}:{tag},mode=max,ignore-error=true"


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return parse_boolean(environment.get(name, "")) is True


def _notices(given: Given, environment: Mapping[str, str]) -> Iterator[str]:
    yield from given.notices()
    for name in given.texts("credential-helpers"):
        if name and name not in HELPERS:
            yield f"--credential-helpers {name} has no effect: it is unknown"
        if name in ("google", "ecr", "acr"):
            yield (
                f"--credential-helpers {name}: img asks the helper programs that the credentials"
                f" file names (credHelpers)"
            )
    unused = {name: why for name, why in _UNUSED_VARIABLES.items() if environment.get(name)}
    unused |= dict.fromkeys(sorted(n for n in environment if n.startswith(_FEATURE)), _PARTS)
    for reason in dict.fromkeys(unused.values()):
        names = ", ".join(name for name, why in unused.items() if why == reason)
        yield f"{names} has no effect: {reason}"
    if given.text("context-sub-path") and "://" not in given.text("context"):
        yield "--context-sub-path has no effect: only a context with :// has a sub path"

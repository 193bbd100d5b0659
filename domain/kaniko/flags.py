"""The flags of kaniko's commands."""

from functools import partial

from img.domain.kaniko.command_line import Flag, Kind

OTHER_SNAPSHOTS = "img takes the changes of a step from its file system, and misses none"
OWN_ROOT = "img builds in a root of its own, not in that of its container"
_OWN_RETRIES = "img retries requests and resumes transfers by itself"
_ALL_STEPS = "img caches all steps"


def _flag(
    kind: Kind,
    name: str,
    says: str,
    *,
    short: str = "",
    default: str = "",
    ignored: str = "",
    old_name_of: str = "",
) -> Flag:
    return Flag(
        name=name,
        says=says,
        kind=kind,
        short=short,
        default=default or _DEFAULTS.get(kind, ""),
        ignored=ignored,
        old_name_of=old_name_of,
    )


_DEFAULTS = {Kind.SWITCH: "false", Kind.INTEGER: "0"}
_text = partial(_flag, Kind.TEXT)
_texts = partial(_flag, Kind.TEXTS)
_list = partial(_flag, Kind.LIST)
_switch = partial(_flag, Kind.SWITCH)
_integer = partial(_flag, Kind.INTEGER)
_duration = partial(_flag, Kind.DURATION)

LOGGING = (
    _text("verbosity", "Log level: trace, debug … panic.", short="v", default="info"),
    _text("log-format", "Log format.", default="color", ignored="img has one kind of lines"),
    _switch(
        "log-timestamp",
        "Timestamps in the log.",
        ignored="img's lines have the seconds that a step took",
    ),
    _switch("help", "Show this help.", short="h"),
)

_PULLS = (
    _switch("insecure-pull", "Pull from all registries by plain HTTP."),
    _switch("skip-tls-verify-pull", "Do not verify certificates when pulling."),
    _texts("insecure-registry", "Use plain HTTP with this registry. Repeatable."),
    _texts(
        "skip-tls-verify-registry", "Do not verify the certificate of this registry. Repeatable."
    ),
    _texts("registry-certificate", "Trust this certificate for a registry: HOST=FILE. Repeatable."),
    _texts(
        "registry-client-cert", "Use this client certificate: HOST=CERTIFICATE,KEY. Repeatable."
    ),
    _texts(
        "registry-map", "Pull from other registries: REGISTRY=OTHER[;REGISTRY=OTHER…]. Repeatable."
    ),
    _texts("registry-mirror", "Pull images of Docker Hub from this mirror. Repeatable."),
    _switch("skip-default-registry-fallback", "Pull from the mirrors only."),
)

REGISTRIES = (
    _switch("insecure", "Push by plain HTTP."),
    _switch("skip-tls-verify", "Do not verify certificates when pushing."),
    *_PULLS,
    _integer("push-retry", "Retries of a push.", ignored=_OWN_RETRIES),
    _integer("image-download-retry", "Retries of a download.", ignored=_OWN_RETRIES),
    _switch(
        "push-ignore-immutable-tag-errors",
        "Succeed if the registry refuses to move an immutable tag.",
    ),
    _texts(
        "credential-helpers", 'Ask these credential sources: env, gitlab, "" for none. Repeatable.'
    ),
)

_BUILD = (
    _text(
        "dockerfile",
        "Dockerfile: a path, a path in the context, or a URL.",
        short="f",
        default="Dockerfile",
    ),
    _text(
        "context",
        "Build context: a directory, dir://, tar://, git://, https://, s3://, gs://.",
        short="c",
        default="/workspace/",
    ),
    _text("context-sub-path", "Directory in the context to build from."),
    _text("bucket", "Bucket with the context (the old form of gs://).", short="b"),
    _texts("destination", "Push to this name. Repeatable.", short="d"),
    _text("custom-platform", "Build for this platform."),
    _texts("build-arg", "Set a build-time variable. Repeatable."),
    _texts("label", "Set metadata of the image. Repeatable."),
    _texts("annotation", "Set an annotation of the image. Repeatable."),
    _texts("secret", "Secret for RUN: id=ID[,src=FILE|,env=NAME][,type=file|env]. Repeatable."),
    _list("target", "Build these stages; the first one is the image."),
    _texts("git", "Options of git contexts: KEY=VALUE. Repeatable."),
    _text("tar-path", "Write the image to this docker archive."),
    _text("oci-layout-path", "Write the image to this OCI layout."),
    _switch("no-push", "Do not push the image."),
    _switch("no-push-cache", "Do not push the cache."),
    _text("digest-file", "Write the image's digest to this file or URL."),
    _text("image-name-with-digest-file", "Write NAME@DIGEST to this file."),
    _text("image-name-tag-with-digest-file", "Write NAME:TAG@DIGEST to this file."),
    _switch("cache", "Use a cache in a registry."),
    _text("cache-repo", "Place of the cache: a repository, or oci:DIRECTORY."),
    _text("cache-dir", "Directory that the warmer filled, used with --cache.", default="/cache"),
    _duration(
        "cache-ttl",
        "Age of unused cache entries.",
        default="336h",
        ignored="a cached step is found by its inputs, at any age",
    ),
    _switch("cache-copy-layers", "Cache COPY.", ignored=_ALL_STEPS),
    _switch("cache-run-layers", "Cache RUN.", default="true", ignored=_ALL_STEPS),
    _switch(
        "compressed-caching",
        "Compress cached layers.",
        default="true",
        ignored="layers of the cache are those of the image",
    ),
    _text("compression", "Compression of layers: gzip or zstd."),
    _integer("compression-level", "Level of the compression.", default="-1"),
    _text("image-format", "Media types of the image: docker or oci."),
    _switch("reproducible", "Set all times of the image to 1970."),
    _switch("single-snapshot", "Make one layer of the build's changes."),
    _switch("dryrun", "Show the plan, do not build."),
    _switch("skip-push-permission-check", "Do not try a small upload before the build."),
    _text("snapshot-mode", "Way to find changes.", default="full", ignored=OTHER_SNAPSHOTS),
    _switch("use-new-run", "Other way to find changes.", ignored=OTHER_SNAPSHOTS),
    _texts(
        "ignore-path",
        "Path without changes in layers. Repeatable.",
        ignored="a layer has exactly the changes of its step, nothing of img's container",
    ),
    _switch(
        "ignore-var-run",
        "Leave /var/run out of layers.",
        default="true",
        ignored="a layer has exactly the changes of its step, /var/run as well",
    ),
    _integer("image-fs-extract-retry", "Retries of unpacking.", ignored=_OWN_RETRIES),
    _text("kaniko-dir", "Directory of kaniko.", ignored=OWN_ROOT),
    _switch("cleanup", "", ignored=OWN_ROOT),
    _switch("pre-cleanup", "", ignored=OWN_ROOT),
    _switch("preserve-context", "", ignored=OWN_ROOT),
    _switch("materialize", "", ignored=OWN_ROOT),
    _switch("force", "Build outside of a container as well.", ignored="img builds anywhere"),
)

_OLD = (
    _text("customPlatform", "", old_name_of="custom-platform"),
    _text("snapshotMode", "", old_name_of="snapshot-mode"),
    _text("tarPath", "", old_name_of="tar-path"),
    _switch("whitelist-var-run", "", default="true", old_name_of="ignore-var-run"),
    _switch("force-build-metadata", "", ignored="kaniko does it always"),
    _switch("skip-unused-stages", "", ignored="kaniko does it always"),
)

EXECUTOR = (*_BUILD, *REGISTRIES, *LOGGING, *_OLD)

PUSH = (
    _texts("destination", "Push to this name. Repeatable.", short="d"),
    _switch("skip-push-permission-check", "Do not try a small upload first."),
    *REGISTRIES,
    *LOGGING,
)

LOGIN = (
    _text("username", "User name.", short="u"),
    _text("password", "Password.", short="p"),
    _switch("password-stdin", "Read the password from stdin."),
    *LOGGING,
)

WARMER = (
    _texts("image", "Image to fetch. Repeatable.", short="i"),
    _text("cache-dir", "Directory of the cache.", short="c", default="/cache"),
    _switch(
        "force",
        "Fetch again what is there.",
        short="f",
        ignored="img asks the registry for each image, and fetches what is new",
    ),
    _duration(
        "cache-ttl",
        "Age of unused images.",
        default="336h",
        ignored="img asks the registry for each image",
    ),
    _text("dockerfile", "Fetch the base images of this Dockerfile.", short="d"),
    _texts("build-arg", "Set a variable of the Dockerfile. Repeatable."),
    _text("customPlatform", "Fetch images of this platform."),
    *_PULLS,
    *LOGGING,
)

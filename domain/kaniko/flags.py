"""The flags of kaniko's commands."""

from img.domain.kaniko.command_line import Flag, Kind

_OTHER_SNAPSHOTS = "img takes the changes of a step from its file system, and misses none"
_OWN_ROOT = "img builds in a root of its own, not in that of its container"
_OWN_RETRIES = "img retries requests and resumes transfers by itself"
_ALL_STEPS = "img caches all steps"

LOGGING = (
    Flag(name="verbosity", short="v", default="info", says="Log level: trace, debug … panic."),
    Flag(
        name="log-format", default="color", says="Log format.", ignored="img has one kind of lines"
    ),
    Flag(
        name="log-timestamp",
        kind=Kind.SWITCH,
        default="false",
        says="Timestamps in the log.",
        ignored="img's lines have the seconds that a step took",
    ),
    Flag(name="help", short="h", kind=Kind.SWITCH, default="false", says="Show this help."),
)

_PULLS = (
    Flag(
        name="insecure-pull",
        kind=Kind.SWITCH,
        default="false",
        says="Pull from all registries by plain HTTP.",
    ),
    Flag(
        name="skip-tls-verify-pull",
        kind=Kind.SWITCH,
        default="false",
        says="Do not verify certificates when pulling.",
    ),
    Flag(
        name="insecure-registry",
        kind=Kind.TEXTS,
        says="Use plain HTTP with this registry. Repeatable.",
    ),
    Flag(
        name="skip-tls-verify-registry",
        kind=Kind.TEXTS,
        says="Do not verify the certificate of this registry. Repeatable.",
    ),
    Flag(
        name="registry-certificate",
        kind=Kind.TEXTS,
        says="Trust this certificate for a registry: HOST=FILE. Repeatable.",
    ),
    Flag(
        name="registry-client-cert",
        kind=Kind.TEXTS,
        says="Use this client certificate: HOST=CERTIFICATE,KEY. Repeatable.",
    ),
    Flag(
        name="registry-map",
        kind=Kind.TEXTS,
        says="Pull from other registries: REGISTRY=OTHER[;REGISTRY=OTHER…]. Repeatable.",
    ),
    Flag(
        name="registry-mirror",
        kind=Kind.TEXTS,
        says="Pull images of Docker Hub from this mirror. Repeatable.",
    ),
    Flag(
        name="skip-default-registry-fallback",
        kind=Kind.SWITCH,
        default="false",
        says="Pull from the mirrors only.",
    ),
)

REGISTRIES = (
    Flag(name="insecure", kind=Kind.SWITCH, default="false", says="Push by plain HTTP."),
    Flag(
        name="skip-tls-verify",
        kind=Kind.SWITCH,
        default="false",
        says="Do not verify certificates when pushing.",
    ),
    *_PULLS,
    Flag(
        name="push-retry",
        kind=Kind.INTEGER,
        default="0",
        says="Retries of a push.",
        ignored=_OWN_RETRIES,
    ),
    Flag(
        name="image-download-retry",
        kind=Kind.INTEGER,
        default="0",
        says="Retries of a download.",
        ignored=_OWN_RETRIES,
    ),
    Flag(
        name="push-ignore-immutable-tag-errors",
        kind=Kind.SWITCH,
        default="false",
        says="Succeed if the registry refuses to move an immutable tag.",
    ),
    Flag(
        name="credential-helpers",
        kind=Kind.TEXTS,
        says='Ask these credential sources: env, gitlab, "" for none. Repeatable.',
    ),
)

_BUILD = (
    Flag(
        name="dockerfile",
        short="f",
        default="Dockerfile",
        says="Dockerfile: a path, a path in the context, or a URL.",
    ),
    Flag(
        name="context",
        short="c",
        default="/workspace/",
        says="Build context: a directory, dir://, tar://, git://, https://, s3://, gs://.",
    ),
    Flag(name="context-sub-path", says="Directory in the context to build from."),
    Flag(name="bucket", short="b", says="Bucket with the context (the old form of gs://)."),
    Flag(name="destination", short="d", kind=Kind.TEXTS, says="Push to this name. Repeatable."),
    Flag(name="custom-platform", says="Build for this platform."),
    Flag(name="build-arg", kind=Kind.TEXTS, says="Set a build-time variable. Repeatable."),
    Flag(name="label", kind=Kind.TEXTS, says="Set metadata of the image. Repeatable."),
    Flag(name="annotation", kind=Kind.TEXTS, says="Set an annotation of the image. Repeatable."),
    Flag(
        name="secret",
        kind=Kind.TEXTS,
        says="Secret for RUN: id=ID[,src=FILE|,env=NAME][,type=file|env]. Repeatable.",
    ),
    Flag(name="target", kind=Kind.LIST, says="Build these stages; the first one is the image."),
    Flag(name="git", kind=Kind.TEXTS, says="Options of git contexts: KEY=VALUE. Repeatable."),
    Flag(name="tar-path", says="Write the image to this docker archive."),
    Flag(name="oci-layout-path", says="Write the image to this OCI layout."),
    Flag(name="no-push", kind=Kind.SWITCH, default="false", says="Do not push the image."),
    Flag(name="no-push-cache", kind=Kind.SWITCH, default="false", says="Do not push the cache."),
    Flag(name="digest-file", says="Write the image's digest to this file or URL."),
    Flag(name="image-name-with-digest-file", says="Write NAME@DIGEST to this file."),
    Flag(name="image-name-tag-with-digest-file", says="Write NAME:TAG@DIGEST to this file."),
    Flag(name="cache", kind=Kind.SWITCH, default="false", says="Use a cache in a registry."),
    Flag(name="cache-repo", says="Place of the cache: a repository, or oci:DIRECTORY."),
    Flag(
        name="cache-dir",
        default="/cache",
        says="Directory that the warmer filled, used with --cache.",
    ),
    Flag(
        name="cache-ttl",
        kind=Kind.DURATION,
        default="336h",
        says="Age of unused cache entries.",
        ignored="a cached step is found by its inputs, at any age",
    ),
    Flag(
        name="cache-copy-layers",
        kind=Kind.SWITCH,
        default="false",
        says="Cache COPY.",
        ignored=_ALL_STEPS,
    ),
    Flag(
        name="cache-run-layers",
        kind=Kind.SWITCH,
        default="true",
        says="Cache RUN.",
        ignored=_ALL_STEPS,
    ),
    Flag(
        name="compressed-caching",
        kind=Kind.SWITCH,
        default="true",
        says="Compress cached layers.",
        ignored="layers of the cache are those of the image",
    ),
    Flag(name="compression", says="Compression of layers: gzip or zstd."),
    Flag(
        name="compression-level", kind=Kind.INTEGER, default="-1", says="Level of the compression."
    ),
    Flag(name="image-format", says="Media types of the image: docker or oci."),
    Flag(
        name="reproducible",
        kind=Kind.SWITCH,
        default="false",
        says="Set all times of the image to 1970.",
    ),
    Flag(
        name="single-snapshot",
        kind=Kind.SWITCH,
        default="false",
        says="Make one layer of the build's changes.",
    ),
    Flag(name="dryrun", kind=Kind.SWITCH, default="false", says="Show the plan, do not build."),
    Flag(
        name="skip-push-permission-check",
        kind=Kind.SWITCH,
        default="false",
        says="Do not try a small upload before the build.",
    ),
    Flag(
        name="snapshot-mode", default="full", says="Way to find changes.", ignored=_OTHER_SNAPSHOTS
    ),
    Flag(
        name="use-new-run",
        kind=Kind.SWITCH,
        default="false",
        says="Other way to find changes.",
        ignored=_OTHER_SNAPSHOTS,
    ),
    Flag(
        name="ignore-path",
        kind=Kind.TEXTS,
        says="Path without changes in layers. Repeatable.",
        ignored="a layer has exactly the changes of its step, nothing of img's container",
    ),
    Flag(
        name="ignore-var-run",
        kind=Kind.SWITCH,
        default="true",
        says="Leave /var/run out of layers.",
        ignored="a layer has exactly the changes of its step, /var/run as well",
    ),
    Flag(
        name="image-fs-extract-retry",
        kind=Kind.INTEGER,
        default="0",
        says="Retries of unpacking.",
        ignored=_OWN_RETRIES,
    ),
    Flag(name="kaniko-dir", says="Directory of kaniko.", ignored=_OWN_ROOT),
    *(
        Flag(name=name, kind=Kind.SWITCH, default="false", says="", ignored=_OWN_ROOT)
        for name in ("cleanup", "pre-cleanup", "preserve-context", "materialize")
    ),
    Flag(
        name="force",
        kind=Kind.SWITCH,
        default="false",
        says="Build outside of a container as well.",
        ignored="img builds anywhere",
    ),
)

_OLD = (
    Flag(name="customPlatform", says="", old_name_of="custom-platform"),
    Flag(name="snapshotMode", says="", old_name_of="snapshot-mode"),
    Flag(name="tarPath", says="", old_name_of="tar-path"),
    Flag(
        name="whitelist-var-run",
        kind=Kind.SWITCH,
        default="true",
        says="",
        old_name_of="ignore-var-run",
    ),
    *(
        Flag(name=name, kind=Kind.SWITCH, default="false", says="", ignored="kaniko does it always")
        for name in ("force-build-metadata", "skip-unused-stages")
    ),
)

EXECUTOR = (*_BUILD, *REGISTRIES, *LOGGING, *_OLD)

PUSH = (
    Flag(name="destination", short="d", kind=Kind.TEXTS, says="Push to this name. Repeatable."),
    Flag(
        name="skip-push-permission-check",
        kind=Kind.SWITCH,
        default="false",
        says="Do not try a small upload first.",
    ),
    *REGISTRIES,
    *LOGGING,
)

LOGIN = (
    Flag(name="username", short="u", says="User name."),
    Flag(name="password", short="p", says="Password."),
    Flag(
        name="password-stdin",
        kind=Kind.SWITCH,
        default="false",
        says="Read the password from stdin.",
    ),
    *LOGGING,
)

WARMER = (
    Flag(name="image", short="i", kind=Kind.TEXTS, says="Image to fetch. Repeatable."),
    Flag(name="cache-dir", short="c", default="/cache", says="Directory of the cache."),
    Flag(
        name="force",
        short="f",
        kind=Kind.SWITCH,
        default="false",
        says="Fetch again what is there.",
        ignored="img asks the registry for each image, and fetches what is new",
    ),
    Flag(
        name="cache-ttl",
        kind=Kind.DURATION,
        default="336h",
        says="Age of unused images.",
        ignored="img asks the registry for each image",
    ),
    Flag(name="dockerfile", short="d", says="Fetch the base images of this Dockerfile."),
    Flag(name="build-arg", kind=Kind.TEXTS, says="Set a variable of the Dockerfile. Repeatable."),
    Flag(name="customPlatform", says="Fetch images of this platform."),
    *_PULLS,
    *LOGGING,
)

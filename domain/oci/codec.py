"""The codec for documents of the image-spec; unknown fields are kept.

Keys are in the order of Go's structs (image-spec specs-go/v1), like those of BuildKit and skopeo;
unknown ones follow, sorted. Empty fields with Go's ``omitempty`` are left out. So equal values have
equal bytes and digests on every machine.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import TypeVar

from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.config import Health, History, ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import Fields, InvalidDocument, compact
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform

__all__ = [
    "InvalidDocument",
    "decode_config",
    "decode_descriptor",
    "decode_document",
    "decode_index",
    "decode_manifest",
    "encode_config",
    "encode_descriptor",
    "encode_index",
    "encode_manifest",
    "media_type_of",
]

DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

_MANIFEST = "image manifest"
_INDEX = "image index"
_CONFIG = "image config"

# RFC 6838, section 4.2
_MEDIA_TYPE = r"(?a)[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}"

_Object = dict[str, object]
_Value = TypeVar("_Value")


def decode_document(content: bytes) -> Manifest | Index:
    """Return the manifest or index in ``content``, by its media type or else its fields.

    Raises InvalidDocument.
    """
    media_type = media_type_of(content)
    if media_type in media_types.MANIFESTS:
        return decode_manifest(content)
    if media_type in media_types.INDEXES:
        return decode_index(content)
    problem = f"{media_type} is not supported" if media_type else "neither manifest nor index"
    raise InvalidDocument("image", "mediaType", problem)


def media_type_of(content: bytes) -> str:
    """Return the media type of a manifest or index, guessed if the field is missing; "" if unknown.

    Documents of image-spec before 1.0.2 had no mediaType (containers/image, "GuessMIMEType").
    """
    try:
        document = Fields.parse(content, "image")
        media_type = document.text("mediaType")
        version = document.number("schemaVersion")
        config = document.nested("config")
        config_type = config.text("mediaType") if config else ""
    except InvalidDocument:
        return ""
    if media_type in media_types.MANIFESTS | media_types.INDEXES:
        return media_type
    if version == 1:
        return DOCKER_SCHEMA_1_SIGNED if "signatures" in document else DOCKER_SCHEMA_1
    if version != 2 or media_type:
        return media_type
    if config_type == media_types.DOCKER_CONFIG:
        return media_types.DOCKER_MANIFEST
    if config_type:
        return media_types.OCI_MANIFEST
    return media_types.OCI_INDEX if "manifests" in document else ""


def decode_manifest(content: bytes) -> Manifest:
    """Return the manifest in ``content``. Raises InvalidDocument."""
    fields = Fields.parse(content, _MANIFEST)
    _check_version(fields)
    if "manifests" in fields:
        # image-spec GHSA-77vh-xpmg-72qh: all readers must agree on the type of a document.
        fields.refuse("manifests", "a manifest must not be an index too")
    return Manifest(
        media_type=_document_type(fields, media_types.MANIFESTS, media_types.OCI_MANIFEST),
        artifact_type=_media_type(fields, "artifactType"),
        config=_descriptor(fields.required_nested("config")),
        layers=tuple(_descriptor(layer) for layer in fields.nested_list("layers")),
        subject=_subject(fields),
        annotations=fields.text_map("annotations"),
        unknown=fields.rest(),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of ``manifest`` (image-spec manifest.md)."""
    document: _Object = {"schemaVersion": 2, "mediaType": manifest.media_type}
    _put(document, "artifactType", manifest.artifact_type)
    document["config"] = _descriptor_object(manifest.config)
    document["layers"] = [_descriptor_object(layer) for layer in manifest.layers]
    _put(document, "subject", manifest.subject and _descriptor_object(manifest.subject))
    _put(document, "annotations", _sorted(manifest.annotations))
    return compact(document | _sorted(manifest.unknown))


def decode_index(content: bytes) -> Index:
    """Return the index in ``content``. Raises InvalidDocument."""
    fields = Fields.parse(content, _INDEX)
    _check_version(fields)
    for name in ("config", "layers"):
        if name in fields:
            fields.refuse(name, "an index must not be a manifest too")
    return Index(
        media_type=_document_type(fields, media_types.INDEXES, media_types.OCI_INDEX),
        artifact_type=_media_type(fields, "artifactType"),
        manifests=tuple(_descriptor(manifest) for manifest in fields.nested_list("manifests")),
        subject=_subject(fields),
        annotations=fields.text_map("annotations"),
        unknown=fields.rest(),
    )


def encode_index(index: Index) -> bytes:
    """Return the bytes of ``index`` (image-spec image-index.md)."""
    document: _Object = {"schemaVersion": 2, "mediaType": index.media_type}
    _put(document, "artifactType", index.artifact_type)
    document["manifests"] = [_descriptor_object(manifest) for manifest in index.manifests]
    _put(document, "subject", index.subject and _descriptor_object(index.subject))
    _put(document, "annotations", _sorted(index.annotations))
    return compact(document | _sorted(index.unknown))


def decode_descriptor(content: bytes) -> Descriptor:
    """Return the descriptor in ``content``. Raises InvalidDocument."""
    return _descriptor(Fields.parse(content, "descriptor"))


def encode_descriptor(descriptor: Descriptor) -> bytes:
    """Return the bytes of ``descriptor`` (image-spec descriptor.md)."""
    return compact(_descriptor_object(descriptor))


def decode_config(content: bytes) -> ImageConfig:
    """Return the image config in ``content``. Raises InvalidDocument.

    Platform fields are "" if the config has none, like those of some older builders.
    """
    fields = Fields.parse(content, _CONFIG)
    root = fields.required_nested("rootfs")
    if (kind := root.text("type")) not in {"layers", ""}:
        root.refuse("type", f'must be "layers", not "{kind}"')
    run = fields.nested("config")
    platform = Platform(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
    )
    return ImageConfig(
        platform=platform,
        run=_run_config(run) if run else RunConfig(),
        diff_ids=tuple(DiffID(digest) for digest in root.digests("diff_ids")),
        history=tuple(_history(step) for step in fields.nested_list("history")),
        created=fields.text("created"),
        author=fields.text("author"),
        os_features=fields.texts("os.features") or (),
        unknown=fields.rest(),
    )


def encode_config(config: ImageConfig) -> bytes:
    """Return the bytes of ``config`` (image-spec config.md; Docker's fields as BuildKit's)."""
    document: _Object = {}
    _put(document, "created", config.created)
    _put(document, "author", config.author)
    document["architecture"] = config.platform.architecture
    document["os"] = config.platform.os
    _put(document, "os.version", config.platform.os_version)
    _put(document, "os.features", list(config.os_features))
    _put(document, "variant", config.platform.variant)
    document["config"] = _run_config_object(config.run)
    document["rootfs"] = {"type": "layers", "diff_ids": [str(diff) for diff in config.diff_ids]}
    _put(document, "history", [_history_object(step) for step in config.history])
    return compact(document | _sorted(config.unknown))


def _descriptor(fields: Fields) -> Descriptor:
    media_type = _media_type(fields, "mediaType")
    if not media_type:
        fields.refuse("mediaType", "is missing")
    platform = fields.nested("platform")
    _check_data(fields)
    return Descriptor(
        media_type=media_type,
        digest=fields.digest("digest"),
        size=fields.size("size"),
        urls=fields.texts("urls") or (),
        annotations=fields.text_map("annotations"),
        platform=_platform(platform) if platform else None,
        artifact_type=_media_type(fields, "artifactType"),
        # Last: rest() returns the fields that were not read before.
        unknown={**fields.rest(), **_unknown_of("platform", platform)},
    )


def _check_data(fields: Fields) -> None:
    """Refuse ``data`` that is not the content in base64; it is kept as it is and never used."""
    data = fields.peek("data")
    try:
        if data is not None:
            b64decode(data if isinstance(data, str) else "?", validate=True)
    except ValueError:
        fields.refuse("data", "is not base64")


def _descriptor_object(descriptor: Descriptor) -> _Object:
    unknown = dict(descriptor.unknown)
    more = unknown.pop("platform", None)
    document: _Object = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    _put(document, "urls", list(descriptor.urls))
    _put(document, "annotations", _sorted(descriptor.annotations))
    _put(document, "data", unknown.pop("data", None))
    if descriptor.platform:
        document["platform"] = _platform_object(descriptor.platform, more)
    _put(document, "artifactType", descriptor.artifact_type)
    return document | _sorted(unknown)


def _unknown_of(name: str, fields: Fields | None) -> _Object:
    more = fields.rest() if fields else {}
    return {name: more} if more else {}


def _platform(fields: Fields) -> Platform | None:
    # Some tools list artifacts with {}, which is no platform.
    for name, other in (("os", "architecture"), ("architecture", "os")):
        if name not in fields and other in fields:
            fields.refuse(name, "is missing")
    platform = Platform(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
        os_features=fields.texts("os.features") or (),
    )
    return platform if platform.os or platform.architecture else None


def _platform_object(platform: Platform, more: object) -> _Object:
    document: _Object = {"architecture": platform.architecture, "os": platform.os}
    _put(document, "os.version", platform.os_version)
    _put(document, "os.features", list(platform.os_features))
    _put(document, "variant", platform.variant)
    return document | (_sorted(more) if isinstance(more, Mapping) else {})


def _subject(fields: Fields) -> Descriptor | None:
    subject = fields.nested("subject")
    return _descriptor(subject) if subject else None


def _run_config(fields: Fields) -> RunConfig:
    return RunConfig(
        user=fields.word("User"),
        exposed_ports=fields.names("ExposedPorts"),
        env=tuple(_variable(text) for text in fields.words("Env") or () if text),
        entrypoint=fields.words("Entrypoint"),
        cmd=fields.words("Cmd"),
        volumes=fields.names("Volumes"),
        working_dir=fields.word("WorkingDir"),
        labels=fields.text_map("Labels"),
        stop_signal=fields.word("StopSignal"),
        args_escaped=fields.flag("ArgsEscaped"),
        healthcheck=_health(health) if (health := fields.nested("Healthcheck")) else None,
        on_build=fields.words("OnBuild") or (),
        shell=fields.words("Shell") or (),
        unknown=fields.rest(),
    )


def _run_config_object(run: RunConfig) -> _Object:
    document: _Object = {}
    _put(document, "User", run.user)
    _put(document, "ExposedPorts", _set_object(run.exposed_ports))
    _put(document, "Env", [f"{name}={value}" for name, value in run.env])
    _put(document, "Entrypoint", list(run.entrypoint or ()))
    _put(document, "Cmd", list(run.cmd or ()))
    _put(document, "Volumes", _set_object(run.volumes))
    _put(document, "WorkingDir", run.working_dir)
    _put(document, "Labels", _sorted(run.labels))
    _put(document, "StopSignal", run.stop_signal)
    _put(document, "ArgsEscaped", run.args_escaped)
    if run.healthcheck:
        document["Healthcheck"] = _health_object(run.healthcheck)
    _put(document, "OnBuild", list(run.on_build))
    _put(document, "Shell", list(run.shell))
    return document | _sorted(run.unknown)


def _variable(text: str) -> tuple[str, str]:
    # "NAME" without "=" is not valid, but exists; BuildKit reads it as "NAME=" (parseKeyValue).
    name, _, value = text.partition("=")
    return name, value


def _health(fields: Fields) -> Health:
    return Health(
        test=fields.words("Test") or (),
        interval=fields.number("Interval"),
        timeout=fields.number("Timeout"),
        start_period=fields.number("StartPeriod"),
        start_interval=fields.number("StartInterval"),
        retries=fields.number("Retries"),
    )


def _health_object(health: Health) -> _Object:
    document: _Object = {}
    _put(document, "Test", list(health.test))
    _put(document, "Interval", health.interval)
    _put(document, "Timeout", health.timeout)
    _put(document, "StartPeriod", health.start_period)
    _put(document, "StartInterval", health.start_interval)
    _put(document, "Retries", health.retries)
    return document


def _history(fields: Fields) -> History:
    return History(
        created=fields.text("created"),
        created_by=fields.text("created_by"),
        author=fields.text("author"),
        comment=fields.text("comment"),
        empty_layer=fields.flag("empty_layer"),
    )


def _history_object(step: History) -> _Object:
    document: _Object = {}
    _put(document, "created", step.created)
    _put(document, "created_by", step.created_by)
    _put(document, "author", step.author)
    _put(document, "comment", step.comment)
    _put(document, "empty_layer", step.empty_layer)
    return document


def _check_version(fields: Fields) -> None:
    # The image-spec requires it, but other programs ignore it if they know the media type.
    if (version := fields.number("schemaVersion")) not in {2, 0}:
        fields.refuse("schemaVersion", f"must be 2, not {version}")


def _document_type(fields: Fields, allowed: frozenset[str], default: str) -> str:
    media_type = fields.text("mediaType") or default
    if media_type not in allowed:
        fields.refuse("mediaType", f"is {media_type}")
    return media_type


def _media_type(fields: Fields, name: str) -> str:
    media_type = fields.text(name)
    if media_type and not re.fullmatch(_MEDIA_TYPE, media_type):
        fields.refuse(name, f"{media_type!r} is no media type")
    return media_type


def _put(document: _Object, name: str, value: object) -> None:
    """Set a field unless it is empty (Go's ``omitempty``)."""
    if value:
        document[name] = value


def _set_object(members: tuple[str, ...]) -> _Object:
    return {member: {} for member in sorted(members)}


def _sorted(mapping: Mapping[str, _Value]) -> dict[str, _Value]:
    return {name: mapping[name] for name in sorted(mapping)}

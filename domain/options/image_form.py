"""The attributes of outputs that change the form of an image.

Source: BuildKit, exporter/containerimage/opts.go."""

from collections.abc import Iterable

from img.domain.errors import UsageError
from img.domain.oci.annotations import Annotation
from img.domain.oci.compression import USUAL, Algorithm, Compression
from img.domain.oci.config import FIRST_SECOND, LAST_SECOND
from img.domain.options.annotations import parse_annotation_attribute
from img.domain.options.attributes import Attributes
from img.domain.outputs import ImageForm, Squash
from img.domain.platform import Platform

ATTRIBUTES = frozenset(
    {
        "compression", "compression-level", "force-compression", "rewrite-timestamp",
        "source-date-epoch", "oci-mediatypes", "oci-artifact", "attestation-inline",
    }
)  # fmt: skip
_ALGORITHMS = [algorithm.value for algorithm in Algorithm]


def parse_image_form(
    attributes: Attributes,
    annotations: Iterable[Annotation],
    host: Platform,
    squash: Squash | None = None,
) -> ImageForm:
    """Return the form that ``attributes`` ask for, with annotations and ``squash`` of all outputs.

    Raises UsageError.
    """
    own = (parse_annotation_attribute(k, v, host) for k, v in attributes.values.items())
    compression = parse_compression(attributes)
    force = attributes.flag("force-compression") or False
    oci_types = attributes.flag("oci-mediatypes")
    wanted = (*annotations, *(each for each in own if each is not None))
    if oci_types is False:
        if wanted:
            attributes.refuse("oci-mediatypes=false is not possible with annotations")
        if compression is not None and compression.algorithm is Algorithm.ZSTD:
            attributes.refuse("oci-mediatypes=false is not possible with compression=zstd")
    return ImageForm(
        compression=USUAL if force and compression is None else compression,
        force_compression=force,
        rewrite_timestamp=attributes.flag("rewrite-timestamp") or False,
        epoch=parse_epoch(attributes),
        oci_types=oci_types is not False,
        annotations=wanted,
        squash=squash,
        oci_artifact=attributes.flag("oci-artifact") is not False,
        attestation_inline=attributes.flag("attestation-inline") or False,
    )


def parse_squash(text: str) -> Squash | None:
    """Return the value of ``--squash``; "true" is docker's, for new layers. Raises UsageError."""
    match text:
        case "" | "false":
            return None
        case "true" | "new":
            return Squash.NEW
        case "all":
            return Squash.ALL
        case _:
            raise UsageError(f"invalid value {text!r} of --squash", hint="use new or all")


def parse_epoch(attributes: Attributes) -> int | None:
    """Return ``source-date-epoch`` in seconds. Raises UsageError."""
    return attributes.number("source-date-epoch", FIRST_SECOND, LAST_SECOND)


def parse_compression(attributes: Attributes) -> Compression | None:
    """Return ``compression`` and its level, None if neither is given. Raises UsageError."""
    if not attributes["compression"] and not attributes["compression-level"]:
        return None
    if attributes["compression"] == "estargz":
        attributes.refuse("compression estargz is not supported", hint="use gzip or zstd")
    algorithm = Algorithm(attributes.choice("compression", _ALGORITHMS))
    match algorithm:
        case Algorithm.GZIP:
            return Compression(algorithm, attributes.number("compression-level", 0, 9))
        case Algorithm.ZSTD:
            # 0 means the default level (zstd.h, ZSTD_compress)
            return Compression(algorithm, attributes.number("compression-level", 0, 22) or None)
        case Algorithm.NONE:
            if attributes["compression-level"]:
                attributes.refuse("compression-level is for gzip and zstd")
            return Compression(algorithm)

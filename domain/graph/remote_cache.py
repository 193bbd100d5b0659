"""The manifest of a cache in an object store (BuildKit, cache/remotecache/v1/types).

It lists the layers as BuildKit's manifests do, so that BuildKit, and tools that delete unused
blobs, can read it. BuildKit finds no results in it, and img none in BuildKit's: their cache keys
differ. The records of img are one more field, which BuildKit ignores.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from img.domain.graph.exported_cache import (
    INLINE_FIELD,
    ExportedCache,
    cache_in,
    cache_object,
)
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import Fields, compact

_DOCUMENT = "cache manifest"
_NO_PARENT = -1
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def encode_remote_cache(cache: ExportedCache, layers: Sequence[Layer]) -> bytes:
    """Return the manifest of ``cache``, which names ``layers``."""
    created = {record.diff_id: record.created for record in cache.records}
    return compact(
        {
            "layers": [_layer_object(layer, created) for layer in layers],
            "records": [],
            INLINE_FIELD: cache_object(cache),
        }
    )


def decode_remote_cache(content: bytes) -> tuple[ExportedCache, Mapping[DiffID, Layer]] | None:
    """Return the records and layers of a manifest, None if img did not write it.

    Raises InvalidDocument.
    """
    fields = Fields.parse(content, _DOCUMENT)
    if INLINE_FIELD not in fields:
        return None
    layers = [_layer(each) for each in fields.nested_list("layers")]
    cache = cache_in(fields.peek(INLINE_FIELD))
    return cache, {layer.diff_id: layer for layer in layers}


def _layer_object(layer: Layer, created: Mapping[DiffID | None, datetime]) -> dict[str, object]:
    time = created.get(layer.diff_id, _NEVER).astimezone(UTC).replace(tzinfo=None)
    return {
        "blob": str(layer.descriptor.digest),
        "parent": _NO_PARENT,
        "annotations": {
            "mediaType": media_types.oci_layer_type(layer.descriptor.media_type),
            "diffID": str(layer.diff_id),
            "size": layer.descriptor.size,
            "createdAt": f"{time.isoformat(timespec='microseconds')}Z",
        },
    }


def _layer(fields: Fields) -> Layer:
    blob = fields.digest("blob")
    annotations = fields.required_nested("annotations")
    media_type = annotations.required_text("mediaType")
    if media_type not in media_types.LAYERS:
        annotations.refuse("mediaType", f"{media_type} is no layer")
    descriptor = Descriptor(media_type=media_type, digest=blob, size=annotations.size("size"))
    return Layer(DiffID(annotations.digest("diffID")), descriptor)

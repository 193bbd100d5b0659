"""Documents of images that are refused, with the field that is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import (
    InvalidDocument,
    decode_config,
    decode_document,
    decode_index,
    decode_manifest,
    encode_manifest,
    media_type_of,
)
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest

DIGEST = Digest.of(b"blob")
CONFIG = Descriptor(media_type=media_types.OCI_CONFIG, digest=DIGEST, size=4)


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def test_dockers_first_schema_is_refused_by_name() -> None:
    with pytest.raises(InvalidDocument, match=r"manifest\.v1\+prettyjws is not supported"):
        decode_document(b'{"schemaVersion": 1, "signatures": [1], "fsLayers": []}')


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"config": None}, "config"),
        ({"layers": {}}, "layers"),
        ({"layers": ["x"]}, "layers[0]"),
        ({"layers": [{"mediaType": "a/b", "digest": str(DIGEST)}]}, "layers[0].size"),
        ({"layers": [{"mediaType": "a/b", "digest": "sha256:x", "size": 1}]}, "layers[0].digest"),
        ({"layers": [{"mediaType": "a/b", "size": 1}]}, "layers[0].digest"),
        (
            {"layers": [{"mediaType": "ab", "digest": str(DIGEST), "size": 1}]},
            "layers[0].mediaType",
        ),
        ({"layers": [{"mediaType": "a/b", "digest": str(DIGEST), "size": -1}]}, "layers[0].size"),
        ({"layers": [{"mediaType": "a/b", "digest": str(DIGEST), "size": True}]}, "layers[0].size"),
        ({"layers": [{"mediaType": "a/b", "digest": str(DIGEST), "size": 1e3}]}, "layers[0].size"),
        (
            {"layers": [{"mediaType": "a/b", "digest": str(DIGEST), "size": 2**63}]},
            "layers[0].size",
        ),
        ({"layers": [None]}, "layers[0].mediaType"),
        ({"annotations": {"a": 1}}, "annotations.a"),
        ({"schemaVersion": 3}, "schemaVersion"),
        ({"mediaType": 5}, "mediaType"),
        ({"subject": {}}, "subject.mediaType"),
    ],
)
def test_a_malformed_manifest_is_refused_with_the_field_named(
    change: dict[str, object], field: str
) -> None:
    document = {**json.loads(encode_manifest(Manifest(config=CONFIG))), **change}

    with pytest.raises(InvalidDocument) as refused:
        decode_manifest(as_json(document))

    assert refused.value.field == field
    assert field in refused.value.message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"os": 1}, "os"),
        ({"architecture": []}, "architecture"),
        ({"rootfs": None}, "rootfs"),
        ({"rootfs": {"type": "squashfs"}}, "rootfs.type"),
        ({"rootfs": {"type": "layers", "diff_ids": ["x"]}}, "rootfs.diff_ids[0]"),
        ({"config": {"Env": [1]}}, "config.Env[0]"),
        ({"config": {"Env": "A=B"}}, "config.Env"),
        ({"config": {"Volumes": ["/v"]}}, "config.Volumes"),
        ({"config": {"Labels": {"a": 1}}}, "config.Labels.a"),
        ({"config": {"ArgsEscaped": "yes"}}, "config.ArgsEscaped"),
        ({"config": {"Healthcheck": {"Interval": "30s"}}}, "config.Healthcheck.Interval"),
        ({"history": "x"}, "history"),
        ({"history": [{"created": 1}]}, "history[0].created"),
    ],
)
def test_a_malformed_config_is_refused_with_the_field_named(
    change: dict[str, object], field: str
) -> None:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
        **change,
    }

    with pytest.raises(InvalidDocument) as refused:
        decode_config(as_json(document))

    assert refused.value.field == field


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b"{" * 10,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    for decode in (decode_manifest, decode_index, decode_config, decode_document):
        with pytest.raises(InvalidDocument):
            decode(content)
    assert media_type_of(content) == ""


@given(st.binary(max_size=200))
def test_no_bytes_get_past_as_anything_but_invalid(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode_document(content)

"""OCI documents against the image-spec's own examples and schemas.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT4

from img.domain.digest import Digest
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import (
    InvalidDocument,
    decode_config,
    decode_descriptor,
    decode_index,
    decode_manifest,
    encode_config,
    encode_descriptor,
    encode_index,
    encode_manifest,
    media_type_of,
)
from img.domain.oci.config import Health, History, ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, check_layout
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from tests.support.conformance_tables import Row, is_there, table_rows
from tests.support.host.machine import CONFORMANCE

DECODERS: Mapping[str, Callable[[bytes], object]] = {
    "config": decode_config,
    "manifest": decode_manifest,
    "index": decode_index,
    "descriptor": decode_descriptor,
    "layout": check_layout,
}
RECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "config": lambda content: encode_config(decode_config(content)),
    "manifest": lambda content: encode_manifest(decode_manifest(content)),
    "index": lambda content: encode_index(decode_index(content)),
    "descriptor": lambda content: encode_descriptor(decode_descriptor(content)),
}
SCHEMAS = {
    "config": "config-schema.json",
    "manifest": "image-manifest-schema.json",
    "index": "image-index-schema.json",
    "descriptor": "content-descriptor.json",
    "layout": "image-layout-schema.json",
}
# Where we differ from the schema, and why.
MORE_LENIENT = {
    "eab44f7368": "an image of no layers (FROM scratch) exists",
    "fe465878a7": "NAME without = exists in images; it is read as NAME=",
    "77d964c278": "nothing follows the URLs of descriptors",
}
LESS_LENIENT = {"750379454f": "there is a second closing brace, which no JSON has"}


def rows(table: str) -> tuple[Row, ...]:
    if not is_there():
        pytest.skip("$IMG_CONFORMANCE names no conformance tables", allow_module_level=True)
    return table_rows(table)


def row_id(row: Row) -> str:
    return str(row["id"])


def without_ids(schema: Any) -> Any:
    """Return the schema without its ids: their references are to file names."""
    if isinstance(schema, dict):
        return {
            name: without_ids(value)
            for name, value in schema.items()
            if name != "id" or not isinstance(value, str)
        }
    return schema


def schema_errors(schema: str, content: bytes) -> list[str]:
    import jsonschema  # type: ignore[import-untyped]  # takes a second, in each worker

    folder = CONFORMANCE / "schemas"
    schemas = {
        path.name: without_ids(json.loads(path.read_text())) for path in folder.glob("*.json")
    }
    registry: Registry[Any] = Registry()
    for name, document in schemas.items():
        registry = registry.with_resource(name, DRAFT4.create_resource(document))
    validator = jsonschema.Draft4Validator(schemas[SCHEMAS[schema]], registry=registry)
    return [error.message for error in validator.iter_errors(json.loads(content))]


@pytest.mark.parametrize("row", rows("manifest_media_types"), ids=row_id)
def test_the_media_type_of_a_manifest_is_guessed_as_others_guess_it(row: Row) -> None:
    content = (
        row["manifest"].encode() if "manifest" in row else base64.b64decode(row["manifest_base64"])
    )

    assert media_type_of(content) == row["expect"]


@pytest.mark.parametrize("row", rows("oci_schema_examples"), ids=row_id)
def test_documents_are_taken_and_refused_as_the_image_spec_says(row: Row) -> None:
    content = row["json"].encode()
    if row["id"] in MORE_LENIENT or (row["valid"] and row["id"] not in LESS_LENIENT):
        DECODERS[row["schema"]](content)
    else:
        with pytest.raises(InvalidDocument):
            DECODERS[row["schema"]](content)


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in rows("oci_schema_examples")
        if row["valid"] and row["id"] not in LESS_LENIENT and row["schema"] in RECODERS
    ],
    ids=row_id,
)
def test_valid_documents_survive_being_decoded_and_encoded(row: Row) -> None:
    again = RECODERS[row["schema"]](row["json"].encode())

    assert schema_errors(row["schema"], again) == []
    assert RECODERS[row["schema"]](again) == again
    for name, value in json.loads(row["json"]).items():
        assert json.loads(again)[name] == value or name in {"config", "history"}


DIGEST = Digest.of(b"")
DESCRIPTOR = Descriptor(
    media_type="application/vnd.oci.image.layer.v1.tar+gzip",
    digest=DIGEST,
    size=7,
    annotations={"b": "1", "a": "2"},
    platform=Platform("linux", "arm", "v7", "1.2", ("sse4",)),
    urls=("https://example.org/x",),
    artifact_type="application/x",
)
FULL_CONFIG = ImageConfig(
    platform=Platform("linux", "arm64", "v8", "1"),
    created="2026-01-02T03:04:05.000000006Z",
    author="somebody",
    os_features=("win32k",),
    diff_ids=(DiffID(DIGEST),),
    history=(History(created="2026-01-02T03:04:05Z", created_by="RUN <x> & y", empty_layer=True),),
    run=RunConfig(
        user="1:2",
        exposed_ports=("80/tcp",),
        env=(("PATH", "/bin"), ("EMPTY", "")),
        entrypoint=("/e",),
        cmd=("c", "d"),
        volumes=("/v",),
        working_dir="/w",
        labels={"z": "1", "a": "ü"},
        stop_signal="SIGTERM",
        shell=("/bin/sh", "-c"),
        healthcheck=Health(test=("NONE",), interval=1, timeout=2, retries=3),
        on_build=("RUN x",),
        args_escaped=True,
    ),
)


@pytest.mark.parametrize(
    ("schema", "content"),
    [
        ("config", encode_config(FULL_CONFIG)),
        ("config", encode_config(ImageConfig(platform=Platform("linux", "amd64")))),
        ("manifest", encode_manifest(Manifest(config=DESCRIPTOR, layers=(DESCRIPTOR,)))),
        (
            "manifest",
            encode_manifest(
                Manifest(
                    config=DESCRIPTOR,
                    layers=(DESCRIPTOR,),
                    subject=DESCRIPTOR,
                    artifact_type="a/b",
                    annotations={"x": "y"},
                )
            ),
        ),
        ("index", encode_index(Index())),
        ("index", encode_index(Index(manifests=(DESCRIPTOR,), subject=DESCRIPTOR))),
        ("layout", LAYOUT_CONTENT),
    ],
)
def test_what_we_write_validates_against_the_schemas(schema: str, content: bytes) -> None:
    assert schema_errors(schema, content) == []

"""Documents of images as bytes, and back."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import (
    InvalidDocument,
    decode_config,
    decode_descriptor,
    decode_document,
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
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform

DIGEST = Digest.of(b"blob")
LAYER = Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=DIGEST, size=4)
CONFIG = Descriptor(media_type=media_types.OCI_CONFIG, digest=DIGEST, size=4)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# What the kernel is to take.
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = WORDS.filter(lambda text: "=" not in text)
WORD_LISTS = st.lists(WORDS, min_size=1, max_size=3).map(tuple)
LISTS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
SETS = st.sets(TEXTS, max_size=3).map(lambda names: tuple(sorted(names)))
COUNTS = st.integers(0, 2**62)
HEALTH = st.builds(
    Health,
    test=WORD_LISTS,
    interval=COUNTS,
    timeout=COUNTS,
    start_period=COUNTS,
    start_interval=COUNTS,
    retries=COUNTS,
)
RUN = st.builds(
    RunConfig,
    user=WORDS,
    exposed_ports=SETS,
    env=st.lists(st.tuples(NAMES, WORDS), max_size=3).map(tuple),
    entrypoint=st.none() | WORD_LISTS,
    cmd=st.none() | WORD_LISTS,
    volumes=SETS,
    working_dir=WORDS,
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    stop_signal=WORDS,
    shell=WORD_LISTS | st.just(()),
    healthcheck=st.none() | HEALTH,
    on_build=WORD_LISTS | st.just(()),
    args_escaped=st.booleans(),
)
HISTORY = st.builds(
    History, created=TEXTS, created_by=TEXTS, author=TEXTS, comment=TEXTS, empty_layer=st.booleans()
)
CONFIGS = st.builds(
    ImageConfig,
    platform=st.builds(
        Platform, os=st.just("linux"), architecture=st.just("arm"), variant=TEXTS, os_version=TEXTS
    ),
    run=RUN,
    diff_ids=st.lists(st.binary().map(Digest.of).map(DiffID), max_size=3).map(tuple),
    history=st.lists(HISTORY, max_size=3).map(tuple),
    created=TEXTS,
    author=TEXTS,
    os_features=LISTS | st.just(()),
)


@given(CONFIGS)
def test_any_config_survives_being_written_and_read(config: ImageConfig) -> None:
    assert decode_config(encode_config(config)) == config


def test_a_config_is_written_in_the_order_of_gos_structs_without_blanks() -> None:
    config = ImageConfig(
        platform=Platform("linux", "amd64"),
        created="2026-01-02T03:04:05Z",
        run=RunConfig(
            env=(("PATH", "/bin"),), cmd=("sh",), working_dir="/", labels={"b": "2", "a": "1"}
        ),
        diff_ids=(DiffID(DIGEST),),
        history=(History(created_by="COPY . . & <more>", comment="buildkit.dockerfile.v0"),),
    )

    assert encode_config(config).decode() == (
        '{"created":"2026-01-02T03:04:05Z","architecture":"amd64","os":"linux",'
        '"config":{"Env":["PATH=/bin"],"Cmd":["sh"],"WorkingDir":"/",'
        '"Labels":{"a":"1","b":"2"}},'
        f'"rootfs":{{"type":"layers","diff_ids":["{DIGEST}"]}},'
        '"history":[{"created_by":"COPY . . & <more>","comment":"buildkit.dockerfile.v0"}]}'
    )


def test_a_manifest_is_written_in_the_order_of_gos_structs() -> None:
    manifest = Manifest(config=CONFIG, layers=(LAYER,), annotations={"b": "2", "a": "1"})

    assert encode_manifest(manifest).decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"config":{{"mediaType":"{CONFIG.media_type}","digest":"{DIGEST}","size":4}},'
        f'"layers":[{{"mediaType":"{LAYER.media_type}","digest":"{DIGEST}","size":4}}],'
        '"annotations":{"a":"1","b":"2"}}'
    )


def test_variables_keep_their_order_their_repetition_and_what_follows_the_first_equals_sign() -> (
    None
):
    config = a_config(config={"Env": ["B=1", "A=x=y", "B=2", "BARE", "EMPTY=", "=odd"]})

    assert config.run.env == (
        ("B", "1"),
        ("A", "x=y"),
        ("B", "2"),
        ("BARE", ""),
        ("EMPTY", ""),
        ("", "odd"),
    )


def test_null_is_the_same_as_nothing_in_what_docker_writes() -> None:
    config = a_config(
        config={"Entrypoint": None, "Cmd": None, "Volumes": None, "Labels": None, "OnBuild": None},
        history=None,
    )

    assert config == a_config()


@pytest.mark.parametrize(
    ("change", "as_if"),
    [
        ({"os": None, "architecture": None}, {"os": "", "architecture": ""}),
        ({"rootfs": {"diff_ids": []}}, {"rootfs": {"type": "layers", "diff_ids": []}}),
        ({"config": {"Labels": {"a": None}}}, {"config": {"Labels": {"a": ""}}}),
        ({"config": {"Env": [None, "A=1"]}}, {"config": {"Env": ["A=1"]}}),
        ({"config": {"Cmd": [None]}}, {"config": {"Cmd": [""]}}),
        ({"config": {"Volumes": {"/v": None}}}, {"config": {"Volumes": {"/v": {}}}}),
        ({"history": [None]}, {"history": [{}]}),
    ],
)  # fmt: skip
def test_configs_are_taken_as_other_programs_take_them(
    change: dict[str, object], as_if: dict[str, object]
) -> None:
    assert a_config(**change) == a_config(**as_if)


def test_documents_may_leave_out_their_version_and_have_null_as_an_annotation() -> None:
    document = {"config": document_of(CONFIG), "annotations": {"a": None}}

    assert decode_manifest(as_json(document)) == Manifest(config=CONFIG, annotations={"a": ""})
    assert decode_index(b'{"manifests": null}') == Index()


@given(CONFIGS, st.data())
def test_null_is_the_zero_value_wherever_it_stands(
    config: ImageConfig, data: st.DataObject
) -> None:
    document = json.loads(encode_config(config))
    places = list(members({k: v for k, v in document.items() if k in {"config", "history"}}))
    chosen = [place for place in places if data.draw(st.booleans())]
    for holder, key, zero in chosen:
        holder[key] = zero
    as_if = decode_config(as_json(document))
    for holder, key, _ in chosen:
        holder[key] = None

    assert decode_config(as_json(document)) == as_if


def test_unknown_fields_are_kept_at_every_level() -> None:
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {**document_of(CONFIG), "data": "e30=", "x-new": [1, {"a": None}]},
        "layers": [],
        "x-more": {"b": 1.5},
    }
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {**document_of(CONFIG), "platform": {"architecture": "x", "os": "y", "features": ["z"]}}
        ],
        "x-more": "kept",
    }
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Hostname": "h", "Tty": False},
        "rootfs": {"type": "layers", "diff_ids": []},
        "docker_version": "1.10",
    }

    assert json.loads(encode_manifest(decode_manifest(as_json(manifest)))) == manifest
    assert json.loads(encode_index(decode_index(as_json(index)))) == index
    assert json.loads(encode_config(decode_config(as_json(config)))) == config


def test_a_descriptor_survives_with_all_its_fields() -> None:
    descriptor = replace(
        LAYER,
        annotations={"a": "b"},
        platform=Platform("windows", "amd64", "v2", "10.0", ("win32k",)),
        urls=("https://example.org",),
        artifact_type="application/x",
        unknown={"data": "e30="},
    )

    assert decode_descriptor(encode_descriptor(descriptor)) == descriptor


def test_an_empty_platform_is_no_platform() -> None:
    document = {**document_of(CONFIG), "platform": {}}

    assert decode_descriptor(as_json(document)).platform is None


def test_bytes_of_a_command_line_that_are_no_text_become_replacement_characters() -> None:
    config = ImageConfig(
        platform=Platform("linux", "amd64"), run=RunConfig(labels={"a": "\udcff!"})
    )

    assert decode_config(encode_config(config)).run.labels == {"a": "\ufffd!"}


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        (media_types.OCI_MANIFEST, Manifest),
        (media_types.DOCKER_MANIFEST, Manifest),
        (media_types.OCI_INDEX, Index),
        (media_types.DOCKER_MANIFEST_LIST, Index),
    ],
)
def test_a_document_is_told_by_its_media_type(media_type: str, kind: type) -> None:
    document = (
        encode_manifest(Manifest(config=CONFIG, media_type=media_type))
        if kind is Manifest
        else encode_index(Index(media_type=media_type))
    )

    assert isinstance(decode_document(document), kind)
    assert media_type_of(document) == media_type


def test_a_document_without_media_type_is_told_by_its_shape() -> None:
    manifest = {"schemaVersion": 2, "config": document_of(CONFIG), "layers": []}
    index = {"schemaVersion": 2, "manifests": [document_of(CONFIG)]}

    assert decode_document(as_json(manifest)) == Manifest(config=CONFIG)
    assert decode_document(as_json(index)) == Index(manifests=(CONFIG,))


@pytest.mark.parametrize("extra", [{"manifests": [{}]}, {"manifests": []}])
def test_a_manifest_that_is_an_index_too_is_refused(extra: dict[str, object]) -> None:
    document = {**json.loads(encode_manifest(Manifest(config=CONFIG))), **extra}

    with pytest.raises(InvalidDocument, match="manifests"):
        decode_document(as_json(document))


def test_an_index_that_is_a_manifest_too_is_refused() -> None:
    document = {**json.loads(encode_index(Index())), "layers": []}

    with pytest.raises(InvalidDocument, match="layers"):
        decode_document(as_json(document))


def members(value: Any) -> Iterator[tuple[Any, Any, object]]:
    """Yield each string and object below ``value``: what holds it, where, and its zero value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        if isinstance(item, str):
            yield value, key, ""
        elif isinstance(item, dict | list):
            yield from members(item)
            if isinstance(item, dict) and isinstance(value, list):
                yield value, key, {}


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def document_of(descriptor: Descriptor) -> dict[str, object]:
    found: dict[str, object] = json.loads(encode_descriptor(descriptor))
    return found


def a_config(**change: object) -> ImageConfig:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
        **change,
    }
    return decode_config(as_json(document))


def a_written_config(**run: object) -> bytes:
    document = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": []},
        "config": run,
    }
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("User", "app\0", "User"),
        ("WorkingDir", "/a\0b", "WorkingDir"),
        ("StopSignal", "\0", "StopSignal"),
        ("Env", ["A=1", "B=\0"], "Env[1]"),
        ("Entrypoint", ["/bin/sh", "\0"], "Entrypoint[1]"),
        ("Cmd", ["\0"], "Cmd[0]"),
        ("Shell", ["\0"], "Shell[0]"),
        ("OnBuild", ["RUN \0"], "OnBuild[0]"),
    ],
)
def test_what_a_program_is_to_get_holds_no_nul(field: str, value: object, where: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        decode_config(a_written_config(**{field: value}))
    assert caught.value.field == f"config.{where}"


@pytest.mark.parametrize("half", [b"\\ud800", b"\\udcff", b"\\uDFFFx", b"\xed\xa0\x80", b"\xff"])
def test_text_that_is_no_unicode_becomes_what_gos_decoder_makes_of_it(half: bytes) -> None:
    content = a_written_config(
        User="USER", Env=["A=USER"], Labels={"l-USER": "USER"}, Other=["USER"]
    )
    config = decode_config(content.replace(b"USER", half))
    assert config.run.user.startswith("\ufffd")
    shown = f"{config.run} {encode_config(config).decode()}"
    assert shown.encode()


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert decode_config(a_written_config(User="\U0001f600")).run.user == "\U0001f600"


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: json.dumps(text).encode()))
def test_whatever_a_config_holds_it_is_refused_or_can_be_written(text: bytes) -> None:
    content = a_written_config(Labels={"a": "HERE"}).replace(b'"HERE"', text)
    with contextlib.suppress(InvalidDocument):
        encode_config(decode_config(content))

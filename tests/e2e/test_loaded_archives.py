"""``img load`` of archives that other programs wrote oddly, wrongly or in part."""

import json
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import CONTAINERD_NAME, REF_NAME
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.entrypoints.settings import host_platform
from tests.support.host.img_command import Img
from tests.support.images.image_archives import (
    HIGH,
    LOW,
    a_buildkit_cache,
    a_config,
    a_layout,
    add,
    an_archive,
    an_artifact,
    an_attestation,
    an_image,
    an_index,
    listed,
    manifest_json,
    without_layers,
)
from tests.support.servers.registry_server import RegistryServer

pytestmark = pytest.mark.any_user

_HERE = host_platform()
_ELSEWHERE = Platform("linux", "s390x" if _HERE.architecture != "s390x" else "riscv64")
_PIN = f"registry.test/base@{Digest.of(b'another')}"
_NULL = b'{"schemaVersion":2,"manifests":null}'
_PETABYTE = 10**15


@dataclass(frozen=True, slots=True)
class Case:
    """An archive, and what load prints of it; an error where nothing is to be loaded."""

    make: Callable[[str], bytes]  # by the image's name
    says: str


def _image(blobs: MemoryBlobStore, platform: Platform = _HERE) -> Descriptor:
    layer = LOW if platform == _HERE else HIGH
    return listed(an_image(blobs, layer, platform=platform, compressed=False), platform)


def _layout(*kinds: Callable[[MemoryBlobStore], Descriptor]) -> Callable[[str], bytes]:
    def make(name: str) -> bytes:
        blobs = MemoryBlobStore()
        entries = (kind(blobs) for kind in kinds)
        named = (listed(each, each.platform, {REF_NAME: name}) for each in entries)
        return a_layout(blobs, Index(manifests=tuple(named)))

    return make


def _broken(*, null: bool) -> Callable[[str], bytes]:
    def make(name: str) -> bytes:
        blobs = MemoryBlobStore()
        broken = without_layers(blobs, _image(blobs))
        index = Index(manifests=(listed(broken, None, {CONTAINERD_NAME: name}),))
        more = manifest_json(LOW, name=name, platform=_HERE)
        return a_layout(blobs, _NULL if null else index, more=more)

    return make


def _partial(*gone: int, other: str = "platform") -> Callable[[str], bytes]:
    """Return an edit: an index of a complete image and of another one without its blobs."""

    def make(name: str) -> bytes:
        blobs = MemoryBlobStore()
        second = _image(blobs, _ELSEWHERE) if other == "platform" else an_attestation(blobs)
        with blobs.open(second.digest) as content:
            manifest = decode_manifest(content.read())
        parts = (second.digest, manifest.config.digest, manifest.layers[0].digest)
        index = an_index(blobs, second, _image(blobs))
        entry = listed(index, None, {REF_NAME: name})
        lost = [parts[i] for i in gone]
        return a_layout(blobs, Index(manifests=(entry,)), without=lost)

    return make


def _docker(**change: object) -> Callable[[str], bytes]:
    def make(name: str) -> bytes:
        entry = {"Config": "c.json", "RepoTags": [name], "Layers": ["x/layer.tar"], **change}
        config = json.loads(a_config(LOW, platform=_HERE))
        if "Config" in change:
            del config["os"], config["architecture"], config["rootfs"]["type"]
            config["config"] = {"Labels": {"a": None}, "Env": [None]}
            config["history"] = [None]
        return an_archive(
            {
                "manifest.json": json.dumps([entry]).encode(),
                "c.json": json.dumps(config).encode(),
                "x": "real",
                "real/layer.tar": LOW,
            }
        )

    return make


def _without_version(name: str) -> bytes:
    blobs = MemoryBlobStore()
    config = add(blobs, a_config(platform=_HERE), media_types.OCI_CONFIG)
    manifest = json.loads(encode_manifest(Manifest(config=config, annotations={"a": "b"})))
    del manifest["schemaVersion"]
    manifest["annotations"]["a"] = None
    target = add(blobs, json.dumps(manifest).encode(), media_types.OCI_MANIFEST)
    return a_layout(blobs, Index(manifests=(listed(target, None, {REF_NAME: name}),)))


def _chained(_name: str) -> bytes:
    """Return an archive with 2,000 long names in a row, for one file."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2
    return (header.tobuf() + b"x\0".ljust(512, b"\0")) * 2000 + an_archive({"a": b""})


def _sparse(_name: str) -> bytes:
    """Return an archive with a file of 2 KiB that claims to have a petabyte, nearly all holes."""
    header = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = b"\x80\0\0\0" + struct.pack(">Q", _PETABYTE)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + an_archive({"a": b""})


_REFUSED = "Error: cannot load images from the archive: "
CASES = {
    "a name with a digest, docker": Case(lambda _: _docker()(_PIN), f"{_REFUSED}it gives the name"),
    "a name with a digest, oci": Case(lambda _: _layout(_image)(_PIN), f"{_REFUSED}it gives the"),
    "no manifests": Case(_broken(null=True), "Loaded image: {}\n"),
    "no layers": Case(_broken(null=False), "Loaded image: {}\n"),
    "no layers, and nothing else": Case(
        _layout(lambda blobs: without_layers(blobs, _image(blobs))), f"{_REFUSED}manifest sha256:"
    ),
    "no manifests, and nothing else": Case(
        lambda _: a_layout(MemoryBlobStore(), _NULL), f"{_REFUSED}it names no images"
    ),
    "two platforms of one name": Case(
        _layout(_image, lambda blobs: _image(blobs, _ELSEWHERE)),
        "Loaded image: {}\nLoaded image ID: sha256:",
    ),
    "one of two manifests": Case(_partial(0, 1, 2), "Loaded image: {}\n"),
    "one of two with its layers": Case(_partial(1, 2), "Loaded image: {}\n"),
    "an attestation without its blobs": Case(_partial(1, 2, other="x"), "Loaded image: {}\n"),
    "an attestation without its layer": Case(_partial(2, other="x"), "Loaded image: {}\n"),
    "an attestation": Case(_partial(other="x"), "Loaded image: {}\n"),
    "an artifact beside": Case(_layout(an_artifact, _image), "Loaded image: {}\n"),
    "a cache of BuildKit beside": Case(_layout(a_buildkit_cache, _image), "Loaded image: {}\n"),
    "nothing but an artifact": Case(_layout(an_artifact), f"{_REFUSED}what it holds is no image"),
    "a link to a directory": Case(_docker(), "Loaded image: {}\n"),
    "a lenient config": Case(_docker(Config="c.json"), "Loaded image: {}\n"),
    "a manifest without its version": Case(_without_version, "Loaded image: {}\n"),
    "long names in a row": Case(_chained, f"{_REFUSED}it holds neither"),
    "a petabyte of holes": Case(_sparse, f"{_REFUSED}'hole' is a sparse file"),
}


@pytest.mark.parametrize("part", range(2))  # each with a state of its own
def test_archives_of_all_kinds_are_loaded_or_refused(img: Img, part: int) -> None:
    loaded = []
    for number, (kind, case) in list(enumerate(CASES.items()))[part::2]:
        name = f"app{number}:1"
        says = case.says.format(name)
        refused = says.startswith("Error")

        outcome = img("load", stdin=case.make(name), code=5 if refused else 0)

        assert (outcome.error_line if refused else outcome.stdout).startswith(says), kind
        assert outcome.stdout.count(name) == (0 if refused else 1), kind
        loaded += [] if refused else [name]
    rows = [line.split() for line in img("ls").stdout.splitlines()]
    for name in loaded:
        found = [row for row in rows if name.partition(":")[0] in row[0]]
        assert len(found) == 1, name
        assert "damaged" not in found[0], name
    assert ", 0 faults left" in img("fsck").stdout


@pytest.mark.registry
def test_of_a_partial_image_our_platform_is_unpacked_and_pushed(
    img: Img, registry: RegistryServer
) -> None:
    name = f"{registry.address}/partial/{img.account.name}:1"
    img("load", stdin=_partial(1, 2)(name))

    img("unpack", "-o", img.home / "files", name)
    pushed = img("push", name)

    assert (img.home / "files/a").read_bytes() == b"low"
    assert f"WARNING: of {name} only {_HERE} is here" in pushed.stderr
    assert f"left out: {_ELSEWHERE}" in pushed.stderr
    img("rm", name)
    assert "Pulled: sha256:" in img("pull", name).stdout


def test_the_platform_of_this_machine_is_taken_from_a_layout_too(img: Img, workplace: Path) -> None:
    place = workplace / "layout"
    place.mkdir()
    (workplace / "layout.tar").write_bytes(
        _layout(lambda blobs: _image(blobs, _ELSEWHERE), _image)("app:1")
    )
    with tarfile.open(workplace / "layout.tar") as tar:
        tar.extractall(place)
    (workplace / "Dockerfile").write_text("FROM x\n")
    out = img.home / "out"

    img("build", "-q", "--build-context", f"x=oci-layout://{place}:1", "-o", out, workplace)

    assert (out / "a").read_bytes() == b"low"

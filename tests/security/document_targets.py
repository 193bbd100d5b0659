"""Readers of foreign documents, as targets of the fuzzer."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dependency_injector import providers

from img.adapters.registry.memory import MemoryRegistry
from img.domain.digest import Digest
from img.domain.go.template.values import plain
from img.domain.graph.exported_cache import decode_cache, encode_cache
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import (
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
from img.domain.oci.layout import check_layout, find_images
from img.domain.options.cache import CacheExchange, LocalCache, RegistryCache
from img.domain.outputs import ArchiveOutput, FilesOutput
from img.domain.reference import ImageReference
from img.entrypoints.settings import host_platform
from tests.security.archive_doors import write_layout
from tests.security.fuzzing import Target, shorter
from tests.security.hostile_documents import DocumentMaker, Json
from tests.security.in_process import Beside, InProcess
from tests.security.signed_documents import SIGNED_DOCUMENTS
from tests.support.images.evil_archives import a_tar, info

LAYER = a_tar(info("etc", b"5"), (info("etc/passwd"), b"root:x:0:0::/:/bin/sh\n"))
_NAME = ImageReference.parse("registry.test/fuzzed:latest")
_LAYER_DIGEST = str(Digest.of(LAYER))
_PLATFORM = {"architecture": host_platform().architecture, "os": "linux"}
CONFIG: Json = {
    **_PLATFORM,
    "created": "2026-01-01T00:00:00Z",
    "author": "x",
    "os.features": ["a"],
    "config": {
        "User": "0:0",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["PATH=/bin", "A=b"],
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["true"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/w/x",
        "Labels": {"a": "b"},
        "StopSignal": "SIGTERM",
        "Shell": ["/bin/sh", "-c"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 3},
        "OnBuild": ["ENV A=c"],
        "ArgsEscaped": True,
    },
    "rootfs": {"type": "layers", "diff_ids": [_LAYER_DIGEST]},
    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "x", "empty_layer": False}],
}
CACHE: Json = {
    "version": 1,
    "diffIds": [_LAYER_DIGEST],
    "records": [
        {
            "keys": [_LAYER_DIGEST],
            "diffId": _LAYER_DIGEST,
            "created": "2026-01-01T00:00:00+00:00",
            "description": "x",
        }
    ],
    "mounts": [{"name": "m", "diffId": _LAYER_DIGEST}],
}


def described(content: bytes, kind: str) -> Json:
    """Return the descriptor of ``content``."""
    return {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}


def manifest_of(config: bytes, kind: str = media_types.OCI_CONFIG) -> Json:
    """Return a manifest of the one layer."""
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": described(config, kind),
        "layers": [described(LAYER, media_types.OCI_LAYER)],
        "annotations": {"a": "b"},
    }


def index_of(manifest: bytes) -> Json:
    """Return an index of one image."""
    entry = described(manifest, media_types.OCI_MANIFEST)
    entry["platform"] = dict(_PLATFORM)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}


_VALID_CONFIG = json.dumps(CONFIG).encode()
_VALID_MANIFEST = json.dumps(manifest_of(_VALID_CONFIG)).encode()


def _read_layout(content: bytes) -> None:
    find_images(decode_index(content), "latest", None)
    check_layout(content)


_READERS: dict[str, tuple[Json, Callable[[bytes], object]]] = {
    "config": (CONFIG, lambda content: encode_config(decode_config(content))),
    "manifest": (
        manifest_of(_VALID_CONFIG),
        lambda content: encode_manifest(decode_manifest(content)),
    ),
    "index": (index_of(_VALID_MANIFEST), lambda content: encode_index(decode_index(content))),
    "cache": (CACHE, lambda content: encode_cache(decode_cache(content))),
    "descriptor": (
        described(LAYER, media_types.OCI_LAYER),
        lambda content: encode_descriptor(decode_descriptor(content)),
    ),
    "document": (index_of(_VALID_MANIFEST), decode_document),
    "media type": (manifest_of(_VALID_CONFIG), media_type_of),
    "layout": (index_of(_VALID_MANIFEST), _read_layout),
    **SIGNED_DOCUMENTS,
}


@dataclass(frozen=True)
class Document:
    """The bytes of a document, and what reads it."""

    reader: str
    content: bytes


class Documents(Target[Document]):
    """The readers of documents, each by itself; what they accept can be written again."""

    name = "documents"

    def __init__(self, place: Path) -> None:
        pass

    def make(self, rng: random.Random) -> Document:
        maker = DocumentMaker(rng)
        reader = rng.choice(list(_READERS))
        return Document(reader, maker.rendered(maker.changed(_READERS[reader][0])))

    def take(self, given: Document) -> None:
        _READERS[given.reader][1](given.content)

    def smaller(self, given: Document) -> Iterator[Document]:
        return (replace(given, content=each) for each in shorter(given.content, b","))

    def render(self, given: Document) -> bytes:
        return json.dumps([given.reader, given.content.decode("latin-1")]).encode()

    def parse(self, content: bytes) -> Document:
        reader, text = json.loads(content)
        return Document(reader, text.encode("latin-1"))

    def broken(self) -> str:
        return ""

    def close(self) -> None:
        """Do nothing: nothing is open."""


@dataclass(frozen=True)
class HostileImage:
    """Documents of an image with correct digests, unless the digests were changed themselves."""

    config: bytes
    manifest: bytes
    index: bytes
    cache: bytes
    media_type: str


class Images(Beside[HostileImage]):
    """Images of a registry (in memory), pulled, shown, built on and written, and their caches."""

    name = "images"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.img = InProcess(place)
        self.registry = MemoryRegistry()
        self.img.container.registries.registry.override(providers.Object(self.registry))

    def close(self) -> None:
        self.img.close()

    def make(self, rng: random.Random) -> HostileImage:
        maker = DocumentMaker(rng)
        config = self._maybe(maker, rng, CONFIG)
        manifest = self._maybe(maker, rng, manifest_of(config))
        index = self._maybe(maker, rng, index_of(manifest))
        cache = self._maybe(maker, rng, CACHE)
        kinds = (media_types.OCI_MANIFEST, media_types.OCI_INDEX, media_types.OCI_INDEX)
        return HostileImage(config, manifest, index, cache, rng.choice((*kinds, maker.text())))

    def _maybe(self, maker: DocumentMaker, rng: random.Random, document: Json) -> bytes:
        if rng.random() < 0.5:
            return json.dumps(document).encode()
        return maker.rendered(maker.changed(document))

    def take(self, given: HostileImage) -> None:
        for blob in (LAYER, given.config, given.cache):
            self.registry.add_blob(_NAME, blob)
        pushed = self.registry.push_manifest
        pushed(
            _NAME.with_digest(Digest.of(given.manifest)), given.manifest, media_types.OCI_MANIFEST
        )
        top = given.index if given.media_type == media_types.OCI_INDEX else given.manifest
        pushed(_NAME, top, given.media_type)
        self._import(given)
        self.img.container.images.pull_image()(_NAME, host_platform())
        self.img.container.images.list_images()(host_platform())
        inspect_image = self.img.container.images.inspect_image()
        inspect_image.config(ImageName.of(_NAME), host_platform())
        plain(inspect_image(ImageName.of(_NAME), host_platform()))
        self.img.container.images.image_history()(ImageName.of(_NAME), host_platform())
        text = f"FROM {_NAME}\nWORKDIR a\nCOPY --chown=root Dockerfile ${{A}}\nENV X=$PATH\n"
        (self.img.context / "Dockerfile").write_text(text)
        name = (ImageReference.parse("out"),)
        for output in (
            ArchiveOutput(format="docker", destination=str(self.work / "d.tar"), names=name),
            ArchiveOutput(format="oci", destination=str(self.work / "o.tar"), names=name),
            FilesOutput(destination=str(self.work / "files")),
        ):
            self.img.build(text, output)

    def _import(self, given: HostileImage) -> None:
        manifest = json.dumps(
            manifest_of(given.cache, "application/vnd.img.cache.config.v1+json")
        ).encode()
        layout = self.work / "layout"
        blobs = (given.cache, manifest, LAYER)
        named = [(f"blobs/{str(Digest.of(b)).replace(':', '/')}", b) for b in blobs]
        index = json.dumps(index_of(manifest)).encode()
        write_layout(
            layout,
            [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", index), *named],
        )
        places = (RegistryCache(_NAME), LocalCache(path=str(layout)))
        self.img.container.building.imported().load(CacheExchange(sources=places).sources)

    def render(self, given: HostileImage) -> bytes:
        fields = asdict(given)
        return json.dumps(
            {k: v.decode("latin-1") if isinstance(v, bytes) else v for k, v in fields.items()},
            indent=1,
        ).encode()

    def parse(self, content: bytes) -> HostileImage:
        kept = json.loads(content)
        media_type = kept.pop("media_type")
        return HostileImage(
            **{name: text.encode("latin-1") for name, text in kept.items()}, media_type=media_type
        )

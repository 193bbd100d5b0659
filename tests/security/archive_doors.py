"""The doors by which archives come in, each as a target of the fuzzer."""

import io
import json
import os
import random
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dependency_injector import providers

from img.adapters.build_context.local import LocalContexts
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.snapshotter.naive import NaiveSnapshotter
from img.adapters.snapshotter.overlay import OverlaySnapshotter
from img.application.ports.snapshotter import SnapshotLayer
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.image_filter import ImageFilter
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer, chain_ids_of
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cache import LocalCache
from img.domain.outputs import FilesOutput
from img.domain.reference import ImageReference
from img.entrypoints.settings import host_platform
from tests.security.hostile_tars import Tar, TarMaker
from tests.security.in_process import Beside, InProcess
from tests.support.images.evil_archives import a_tar, info

_NAME = ImageReference.parse("fuzzed:latest")
_PLATFORM = {"architecture": host_platform().architecture, "os": "linux"}


class Door(Beside[Tar]):
    """A way for an archive to come in."""

    def make(self, rng: random.Random) -> Tar:
        return TarMaker(rng, str(self.markers.path)).make()

    def take(self, given: Tar) -> None:
        self.open(given.render())

    @abstractmethod
    def open(self, archive: bytes) -> None:
        """Let ``archive`` in. Raises ImgError."""

    def smaller(self, given: Tar) -> Iterator[Tar]:
        return given.smaller()

    def render(self, given: Tar) -> bytes:
        return given.render()

    def parse(self, content: bytes) -> Tar:
        return Tar(members=(content,), ending=b"")

    def keep(self, given: Tar, directory: Path) -> None:
        super().keep(given, directory)
        (directory / "input.tar").write_bytes(given.plain())


# --- the archive of a layer alone ---


class Applied(Door):
    """A layer, unpacked over a directory."""

    name = "applied"
    overlay = False

    def open(self, archive: bytes) -> None:
        tar = TarLayerArchive()
        root = self.work / "root"
        for _ in range(2):  # the second time over what the first has left
            root.mkdir(exist_ok=True)
            self._unpack(tar, archive, root)

    def _unpack(self, tar: TarLayerArchive, archive: bytes, root: Path) -> None:
        tar.unpack(
            io.BytesIO(archive), str(root), overlay=self.overlay, place=str, implied=_implied
        )


class AsOverlay(Applied):
    """A layer, unpacked as the directory of an overlay."""

    name = "as-overlay"
    overlay = True


def _implied(path: str) -> Entry | None:
    return Entry(path, DIRECTORY, 0o755) if path in ("a", "b", "a/b") else None


class _Snapshotted(Door):
    """Two base layers, unpacked by a snapshotter."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.archive = TarLayerArchive()
        self.state = place / "state"
        self.state.mkdir(mode=0o700)

    def open(self, archive: bytes) -> None:
        blobs = (_BELOW, archive)
        indexes = [self.archive.index(io.BytesIO(blob)) for blob in blobs]
        snapshotter = self.snapshotter()
        chain_ids = chain_ids_of(diff_id for diff_id, _ in indexes)
        layers = [
            SnapshotLayer(chain_id=chain_id, index=index, open=_opener(blob))
            for chain_id, (_, index), blob in zip(chain_ids, indexes, blobs, strict=True)
        ]
        try:
            snapshotter.prepare(layers, FileTree.of(index for _, index in indexes)).discard()
        finally:
            snapshotter.remove(chain_ids[-1])

    @abstractmethod
    def snapshotter(self) -> NaiveSnapshotter | OverlaySnapshotter:
        """Return the snapshotter."""


class Naive(_Snapshotted):
    name = "naive"

    def snapshotter(self) -> NaiveSnapshotter:
        return NaiveSnapshotter(self.state / "naive", self.archive)


class Overlay(_Snapshotted):
    name = "overlay"

    def snapshotter(self) -> OverlaySnapshotter:
        return OverlaySnapshotter(self.state / "overlay", self.archive)


def _opener(blob: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(blob)


_BELOW = a_tar(
    info("a", b"5"), info("b", b"2", "a"), info("c", b"5"), (info("c/d"), b"x"), (info("e"), b"y")
)


# --- through a whole command ---


class _Input(LocalContexts):
    """Contexts with a given standard input."""

    stream: BinaryIO = io.BytesIO()

    def standard_input(self) -> BinaryIO:
        return self.stream


class Command(Door):
    """A command of img."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.img = InProcess(place)

    def close(self) -> None:
        self.img.close()


class Added(Command):
    """ADD of a local archive, and the files of the result in a directory."""

    name = "added"

    def open(self, archive: bytes) -> None:
        (self.img.context / "a.tar").write_bytes(archive)
        out = FilesOutput(destination=str(self.work / "out"))
        self.img.build("FROM scratch\nADD a.tar /\nADD --chown=7:7 a.tar /b/\n", out)


class Context(Command):
    """A build context from standard input, and what is copied out of it."""

    name = "context"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        parts = self.img.container
        self.source = _Input(
            parts.storage.file_digests(), parts.storage.archive(), parts.storage.scratch()
        )
        parts.storage.local_contexts.override(providers.Object(self.source))

    def make(self, rng: random.Random) -> Tar:
        made = super().make(rng)
        text = rng.choice(
            (
                b"FROM scratch\nCOPY . /\n",
                b"FROM scratch\nCOPY a b* c/d /x/\nADD --parents ./e/* /\n",
                b"FROM scratch\nWORKDIR /a/b\nCOPY --chmod=4777 --chown=5 a/../* ./\n",
            )
        )
        dockerfile = a_tar((info("Dockerfile"), text), ends=False)
        return replace(made, members=(dockerfile, *made.members))

    def open(self, archive: bytes) -> None:
        self.source.stream = io.BytesIO(archive)
        tar = FilesOutput(destination=str(self.work / "out.tar"), tar=True)
        self.img.build("", tar, location="-")


class Loaded(Command):
    """``img load`` of an archive that is itself hostile."""

    name = "loaded"

    def make(self, rng: random.Random) -> Tar:
        made = super().make(rng)
        image = rng.choice((_docker_archive, _oci_archive, _both_archives))
        valid = a_tar(*((info(name), content) for name, content in image(_BELOW)), ends=False)
        members = list(made.members)
        members.insert(rng.randrange(len(members) + 1), valid)
        return replace(made, members=tuple(members))

    def open(self, archive: bytes) -> None:
        for image in self.img.container.images.load_image()(io.BytesIO(archive)):
            for name in image.references:
                only = ImageFilter(text=str(name))
                (listed,) = self.img.container.images.list_images()(host_platform(), only)
                assert listed.size is not None


class Unpacked(Command):
    """``img load`` of an image with a hostile layer, then ``img unpack``."""

    name = "unpacked"

    def open(self, archive: bytes) -> None:
        members = _docker_archive(_BELOW, archive)
        whole = a_tar(*((info(name), content) for name, content in members))
        self.img.container.images.load_image()(io.BytesIO(whole))
        self.deliver()

    def deliver(self) -> None:
        """Have the files of the image."""
        self.img.container.images.unpack_image()(
            ImageName.of(_NAME), host_platform(), str(self.work / "out"), owners=os.geteuid() == 0
        )


class Delivered(Unpacked):
    """The same, and a build on it: COPY --from, WORKDIR, ``-o type=local``."""

    name = "delivered"

    def deliver(self) -> None:
        base = "FROM fuzzed AS x\nWORKDIR /a/b\n"
        text = f"{base}FROM scratch\nCOPY --from=x / /\nADD Dockerfile /a/b/\n"
        self.img.build(text, FilesOutput(destination=str(self.work / "out")))


class Cached(Command):
    """A layer of a foreign cache in a directory."""

    name = "cached"

    def open(self, archive: bytes) -> None:
        layout = self.work / "cache"
        layer = Layer(
            _diff_id(archive),
            Descriptor(
                media_type=media_types.OCI_LAYER, digest=Digest.of(archive), size=len(archive)
            ),
        )
        write_layout(layout, _cache_documents(archive, layer))
        imported = self.img.container.building.imported()
        imported.load((LocalCache(path=str(layout)),))
        imported.fetched(layer)


def _diff_id(archive: bytes) -> DiffID:
    from img.adapters.layer_archive.compression import decompressed

    return DiffID(Digest.of(b"".join(decompressed(io.BytesIO(archive)))))


def _cache_documents(archive: bytes, layer: Layer) -> list[tuple[str, bytes]]:
    cache = {
        "version": 1,
        "diffIds": [str(layer.diff_id)],
        "records": [
            {
                "keys": [str(layer.diff_id)],
                "diffId": str(layer.diff_id),
                "created": "2026-01-01T00:00:00+00:00",
            }
        ],
    }
    config = json.dumps(cache).encode()
    kind = "application/vnd.img.cache.config.v1+json"
    return _layout(config, kind, [archive])


def write_layout(place: Path, files: list[tuple[str, bytes]]) -> None:
    """Write the files of an OCI layout."""
    for name, content in files:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _config(layers: list[bytes]) -> bytes:
    diff_ids = [str(_diff_id(layer)) for layer in layers]
    return json.dumps(
        {**_PLATFORM, "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()


def _docker_archive(*layers: bytes) -> list[tuple[str, bytes]]:
    names = [f"{number}.tar" for number, _ in enumerate(layers)]
    manifest = [{"Config": "config.json", "RepoTags": [str(_NAME)], "Layers": names}]
    return [
        ("config.json", _config(list(layers))),
        ("manifest.json", json.dumps(manifest).encode()),
        *zip(names, layers, strict=True),
    ]


def _oci_archive(*layers: bytes) -> list[tuple[str, bytes]]:
    return _layout(_config(list(layers)), media_types.OCI_CONFIG, list(layers))


def _both_archives(*layers: bytes) -> list[tuple[str, bytes]]:
    """Return an archive in the form of docker 25 and later."""
    config, manifest = _docker_archive(*layers)[:2]
    entry = {
        **json.loads(manifest[1])[0],
        "Config": _place(config[1]),
        "Layers": [_place(layer) for layer in layers],
    }
    return [*_oci_archive(*layers), ("manifest.json", json.dumps([entry]).encode())]


def _layout(config: bytes, kind: str, layers: list[bytes]) -> list[tuple[str, bytes]]:
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": _described(config, kind),
            "layers": [_described(layer, media_types.OCI_LAYER) for layer in layers],
        }
    ).encode()
    target = _described(manifest, media_types.OCI_MANIFEST)
    target["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = json.dumps({"schemaVersion": 2, "manifests": [target]}).encode()
    blobs = [(_place(blob), blob) for blob in (config, manifest, *layers)]
    return [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", index), *blobs]


def _described(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}


def _place(blob: bytes) -> str:
    return f"blobs/{str(Digest.of(blob)).replace(':', '/')}"


DOORS: dict[type[Door], int] = {
    # and how many of a hundred inputs it takes
    Applied: 22,
    AsOverlay: 20,
    Naive: 6,
    Overlay: 6,
    Added: 6,
    Context: 8,
    Loaded: 20,
    Unpacked: 4,
    Delivered: 2,
    Cached: 6,
}
NEED_ROOT = (AsOverlay, Overlay)

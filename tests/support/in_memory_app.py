"""All of img with nothing around it: every adapter is in memory, no step runs anything."""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from dependency_injector import providers

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.build_context.memory import MemoryContext
from img.adapters.build_history.memory import MemoryBuildHistory
from img.adapters.cache_mounts.memory import MemoryCacheMounts
from img.adapters.cache_store.memory import MemoryCacheStore
from img.adapters.clock.fixed import FixedClock
from img.adapters.context_views.memory import MemoryContextViews
from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.executor.scripted import ScriptedExecutor
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.index_store.memory import MemoryIndexStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.output_files.memory import MemoryOutputFiles
from img.adapters.progress_sink.recorded import RecordedProgress
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.remote_cache.memory import MemoryRemoteCaches
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.adapters.secret_source.memory import MemorySecrets
from img.adapters.snapshotter.memory import MemorySnapshotter, MemoryWorkspace
from img.adapters.state_lock.memory import MemoryStateLock
from img.adapters.state_space.memory import MemoryStateSpace
from img.application.outputs.solved import BuiltImage
from img.application.ports.build_context import BuildContext, ContextSource, DockerfileText
from img.application.ports.executor import OutputSink
from img.application.ports.layer_archive import PackedEntry
from img.application.transfer.catalog import Catalog, Image
from img.domain.build import BuildRequest
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.graph.codec import Json
from img.domain.history.limits import KeepRecords
from img.domain.history.record import BuildRecord
from img.domain.oci import media_types
from img.domain.oci.chain import Layer
from img.domain.oci.codec import encode_config, encode_index, encode_manifest
from img.domain.oci.config import ImageConfig, RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.options.cache import CacheExchange
from img.domain.outputs import ImageOutput, Output
from img.domain.platform import Platform
from img.domain.process import DirectoryRoot, ExitStatus, Process, Root
from img.domain.progress import VertexCached, VertexStarted
from img.domain.reference import ImageReference
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import Container, open_container
from tests.support.host.machine import ownership

HERE = host_platform()
ELSEWHERE = Platform("linux", "s390x" if HERE.architecture != "s390x" else "riscv64")

Act = Callable[[MemoryWorkspace], object]
"""What a command does to the root it runs in."""


class MemoryContexts(ContextSource):
    """One Dockerfile and one context, wherever they are said to be."""

    def __init__(self) -> None:
        self.text = ""
        self.ignore: str | None = None
        self.context = MemoryContext()
        self.patterns: tuple[str, ...] | None = None  # those of the last ``open``

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        return DockerfileText(
            name=file or "Dockerfile", content=self.text.encode(), ignore=self.ignore
        )

    def is_directory(self, location: str) -> bool:
        return True

    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        self.patterns = ignore
        return self.context

    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        return None

    def standard_input(self) -> BinaryIO:
        return io.BytesIO(self.text.encode())

    def read(self, path: str) -> bytes:
        return self.text.encode()


@dataclass(slots=True)
class InMemoryApp:
    """img with all adapters in memory: the container, and its adapters by name."""

    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    origins: MemoryBlobOrigins = field(default_factory=MemoryBlobOrigins)
    images: MemoryImageStore = field(default_factory=MemoryImageStore)
    indexes: MemoryIndexStore = field(default_factory=MemoryIndexStore)
    cache: MemoryCacheStore = field(default_factory=MemoryCacheStore)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    remote_caches: MemoryRemoteCaches = field(default_factory=MemoryRemoteCaches)
    credentials: MemoryCredentials = field(default_factory=MemoryCredentials)
    progress: RecordedProgress = field(default_factory=RecordedProgress)
    clock: FixedClock = field(default_factory=FixedClock)
    history: MemoryBuildHistory = field(default_factory=MemoryBuildHistory)
    lock: MemoryStateLock = field(default_factory=MemoryStateLock)
    contexts: MemoryContexts = field(default_factory=MemoryContexts)
    archive: TarLayerArchive = field(default_factory=lambda: TarLayerArchive(ownership()))
    secrets: dict[str, bytes] = field(default_factory=dict)
    commands: dict[str, Act] = field(default_factory=dict)  # by the last argument of a command
    statuses: dict[str, int] = field(default_factory=dict)  # exit codes that are not 0
    outputs: dict[str, bytes] = field(default_factory=dict)
    views: MemoryContextViews = field(default_factory=MemoryContextViews)
    snapshotter: MemorySnapshotter = field(init=False)
    executor: ScriptedExecutor = field(init=False)
    container: Container = field(init=False)

    def __post_init__(self) -> None:
        self.snapshotter = MemorySnapshotter(self.archive)
        self.executor = ScriptedExecutor(self._script)
        # Nothing is opened before it is asked for, so the state directory is never made.
        settings = Settings(
            state=Path("/nonexistent"),
            platform=HERE,
            progress="quiet",
            executor="scripted",
            history=KeepRecords(),
            keep_failed=True,
        )
        self.container = open_container(settings, BuildHost(id_map=None))
        parts = self.container
        adapters: list[tuple[providers.Provider[Any], object]] = [
            (parts.storage.blobs, self.blobs),
            (parts.storage.origins, self.origins),
            (parts.storage.images, self.images),
            (parts.storage.indexes, self.indexes),
            (parts.storage.cache, self.cache),
            (parts.storage.file_digests, MemoryFileDigestStore()),
            (parts.registries.registry, self.registry),
            (parts.registries.credentials, self.credentials),
            (parts.system.display, self.progress),
            (parts.system.clock, self.clock),
            (parts.system.history, self.history),
            (parts.storage.lock, self.lock),
            (parts.storage.local_contexts, self.contexts),
            (parts.storage.archive, self.archive),
            (parts.storage.scratch, MemoryScratchSpace()),
            (parts.execution.secrets, MemorySecrets(self.secrets)),
            (parts.execution.cache_mounts, MemoryCacheMounts()),
            (parts.execution.context_views, self.views),
            (parts.execution.snapshotter, self.snapshotter),
            (parts.execution.executor, self.executor),
            (parts.registries.remote_caches, self.remote_caches),
            (parts.system.output_files, MemoryOutputFiles()),
        ]
        for provider, adapter in adapters:
            provider.override(adapter)
        self.container.housekeeping.space.override(MemoryStateSpace())

    def build(
        self,
        dockerfile: str,
        files: Mapping[str, bytes] | None = None,
        *,
        tags: Sequence[str] = ("app",),
        store: bool = True,
        platforms: Sequence[Platform] = (),
        request: BuildRequest | None = None,
        cache_from: Sequence[str] = (),
        cache_to: Sequence[str] = (),
    ) -> BuiltImage:
        """Build ``dockerfile`` with a context of ``files``; the context of the last build stays."""
        self.contexts.text = dockerfile
        if files is not None:
            self.contexts.context = MemoryContext(files)
        names = tuple(ImageReference.parse(tag) for tag in tags)
        built = self.deliver(
            ImageOutput(names=names, store=store),
            platforms=platforms,
            request=request,
            caches=CacheExchange.parse(cache_from, cache_to),
        )
        assert built is not None
        return built

    def deliver(
        self,
        *outputs: Output,
        platforms: Sequence[Platform] = (),
        request: BuildRequest | None = None,
        caches: CacheExchange | None = None,
    ) -> BuiltImage | None:
        """Build what was built last once more, and deliver the result to ``outputs``."""
        return self.container.building.build_image()(
            request or a_request(),
            location=".",
            outputs=outputs,
            platforms=platforms,
            caches=caches or CacheExchange(),
        )

    def recorded(
        self, dockerfile: str, files: Mapping[str, bytes] | None = None, **more: Any
    ) -> BuildRecord:
        """Build as ``build`` does, and return the record, also of a build that fails."""
        self.clock.advance(timedelta(seconds=1))
        recorder = self.container.system.recorder()
        options: dict[str, Json] = {"context": "."}
        namespace = more.pop("namespace", "")
        with suppress(ImgError), recorder.recording("build", options, namespace, "1"):
            built = self.build(dockerfile, files, **more)
            recorder.built("", built.target, [name.familiar for name in built.names])
        return self.container.housekeeping.read_history().find()

    @property
    def catalog(self) -> Catalog:
        return Catalog(blobs=self.blobs)

    @property
    def done(self) -> list[str]:
        """The names of the steps that were really done, in order."""
        return [event.name for event in self.progress.events if isinstance(event, VertexStarted)]

    @property
    def steps_done(self) -> list[str]:
        """The same, without reading the Dockerfile and writing the image."""
        return [n for n in self.done if not n.startswith(("[internal] load build", "exporting"))]

    @property
    def found(self) -> list[str]:
        """The names of the steps with cached results."""
        return [event.name for event in self.progress.events if isinstance(event, VertexCached)]

    def forget_progress(self) -> None:
        """Let ``done`` and ``found`` begin anew."""
        self.progress.events.clear()

    def files_of(self, built: BuiltImage) -> dict[str, bytes]:
        """Return the regular files of an image of one platform, by path."""
        return self.files_in(built.images[0].layers)

    def files_in(self, layers: Sequence[Layer]) -> dict[str, bytes]:
        """Return the regular files of a stack of layers, by path."""
        trees = self.container.images.trees()
        found = [entry.path for entry in trees.of(layers).walk("") if entry.kind == FILE]
        return {path: trees.read_file(layers, path) or b"" for path in found}

    def layer(self, files: Mapping[str, bytes]) -> Layer:
        """Store a layer of ``files`` as a build would, and return it."""
        packed = self.archive.pack(
            [
                PackedEntry(
                    entry=Entry(path, FILE, 0o644, size=len(content)),
                    open=lambda content=content: io.BytesIO(content),  # type: ignore[misc]
                )
                for path, content in sorted(files.items())
            ],
            self.blobs.writer(),
        )
        return packed.layer

    def publish(
        self,
        name: str,
        *files: Mapping[str, bytes],
        platforms: Sequence[Platform] = (HERE,),
        run: RunConfig | None = None,
    ) -> ImageReference:
        """Have an image at its registry only, a layer for each of ``files``; return its name.

        For several ``platforms`` it is an index, else a manifest.
        """
        reference = ImageReference.parse(name)
        layers = [self.layer(each) for each in files]
        manifests = [self._publish(reference, layers, platform, run) for platform in platforms]
        if len(manifests) == 1:
            content = manifests[0][0]
            self.registry.push_manifest(reference, content, media_types.OCI_MANIFEST)
        else:
            index = Index(manifests=tuple(descriptor for _, descriptor in manifests))
            self.registry.push_manifest(reference, encode_index(index), media_types.OCI_INDEX)
        for layer in layers:
            self.blobs.remove(layer.descriptor.digest)
        self.registry.received.clear()
        self.registry.names.clear()
        return reference

    def _publish(
        self,
        reference: ImageReference,
        layers: Sequence[Layer],
        platform: Platform,
        run: RunConfig | None,
    ) -> tuple[bytes, Descriptor]:
        config = encode_config(
            ImageConfig(
                platform=platform,
                run=run or RunConfig(),
                diff_ids=tuple(layer.diff_id for layer in layers),
            )
        )
        for layer in layers:
            with self.blobs.open(layer.descriptor.digest) as blob:
                self.registry.add_blob(reference, blob.read())
        manifest = Manifest(
            config=Descriptor(
                media_type=media_types.OCI_CONFIG,
                digest=self.registry.add_blob(reference, config),
                size=len(config),
            ),
            layers=tuple(layer.descriptor for layer in layers),
        )
        content = encode_manifest(manifest)
        by_digest = reference.with_digest(Digest.of(content))
        self.registry.push_manifest(by_digest, content, media_types.OCI_MANIFEST)
        return content, Descriptor(
            media_type=media_types.OCI_MANIFEST,
            digest=Digest.of(content),
            size=len(content),
            platform=platform,
        )

    def _script(self, process: Process, root: Root, output: OutputSink) -> ExitStatus:
        assert isinstance(root, DirectoryRoot)
        command = process.argv[-1]
        if act := self.commands.get(command):
            act(self.snapshotter.workspaces[root.path])
        if text := self.outputs.get(command):
            output(1, text)
        return ExitStatus(self.statuses.get(command, 0))


def a_request(**fields: object) -> BuildRequest:
    """Return a request for this machine's platform."""
    return BuildRequest(platform=HERE, build_platform=HERE, **fields)  # type: ignore[arg-type]


def image_of(built: BuiltImage) -> Image:
    """Return the image of a build for one platform."""
    (image,) = built.images
    return image

"""Mounts of RUN for the executor."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import field
from threading import Lock
from typing import assert_never

from img.application.ports.cache_mounts import CacheMounts
from img.application.ports.context_views import ContextViews
from img.application.ports.secret_source import AgentNotForwarded, SecretNotFound, SecretSource
from img.application.solver.results import NOTHING, ContextFiles, Result, Stack
from img.application.solver.roots import Roots
from img.application.solver.steps.copy_files import Copying, CopyIntoLayer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.source_match import find_source
from img.domain.go.path_match import literal
from img.domain.graph.operations import CopyFiles, Exec, ExecMount
from img.domain.oci.chain import Layer
from img.domain.process import BindMount, FileMount, ProcessMount, Root, TmpfsMount, TreeMount

_USUAL_MODE = 0o755  # of directories of cache mounts
_SHARINGS = ("shared", "private", "locked")  # from lax to strict


@dataclass(slots=True)
class PreparedMounts:
    """Mounts and variables for a process; ``secrets`` are values by name, to mask in its output."""

    mounts: list[ProcessMount] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class MountSource:
    """The files of an input that a mount shows.

    A context has no layers; ``files`` makes one of the files. The files of a stack are selected
    when their contents are needed. Concurrent steps may share one.
    """

    select: Callable[[], Copying]
    stack: Stack | None
    _files: Copying | None = None
    _selecting: Lock = field(default_factory=Lock)

    @property
    def files(self) -> Copying:
        """The files below the mount's source. Raises BuildError if the path is missing."""
        with self._selecting:
            if self._files is None:
                self._files = self.select()
            return self._files

    def directory(self, source: str) -> Entry | None:
        """Return the directory at the mount's ``source``, None if it is not a directory."""
        tree = self.files.source.tree()
        found = tree.get(tree.resolve(source))
        return found if found is not None and found.kind == DIRECTORY else None

    @property
    def definition(self) -> Digest:
        """The definition key of the mounted files."""
        return self.files.definition_key() if self.stack is None else self.stack.key

    @property
    def content(self) -> Digest:
        """The content key of the mounted files."""
        return self.files.content_key()

    def layers(self) -> Stack:
        """Return a stack with the files at the mount's source."""
        if self.stack is not None:
            return self.stack
        return Stack(key=self.definition, layers=(self.files.pack(),))


def cache_name(mount: ExecMount, source: MountSource | None) -> str:
    """Return the name of a cache mount's directory.

    As in BuildKit, the initial contents, owner and mode are part of the name
    (solver/llbsolver/mounts, "getRefCacheDir").
    """
    mode, (uid, gid) = _start(mount, source)
    begins = f"{mode}:{uid}:{gid}:{source.content if source else ''}"
    return f"{mount.id}\0{begins}"


def _start(mount: ExecMount, source: MountSource | None) -> tuple[int | None, tuple[int, int]]:
    """Return the initial mode (None: the default) and owner of the directory of a cache.

    For a copy of a directory of a stage or an image they are those of that directory (BuildKit
    dockerfile2llb/convert_runmount.go).
    """
    top = source.directory(mount.source) if source and mount.source != "/" else None
    if top is None:
        return mount.mode, (mount.uid, mount.gid)
    return top.mode, (top.uid, top.gid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareMounts:
    """Preparation of the mounts of a RUN for the time that it runs."""

    roots: Roots
    views: ContextViews
    copy: CopyIntoLayer
    secrets: SecretSource
    caches: CacheMounts
    # Returns the layers with the first files of a cache mount by its name, which are here.
    imported: Callable[[str], Sequence[Layer]]

    def sources(self, operation: Exec, inputs: Mapping[int, Result]) -> Mapping[int, MountSource]:
        """Return the source of each mount with an input, by its place in the operation."""
        return {
            place: self._source(mount, inputs[mount.input], operation.epoch)
            for place, mount in enumerate(operation.mounts)
            if mount.input is not None
        }

    @contextmanager
    def __call__(
        self, operation: Exec, sources: Mapping[int, MountSource]
    ) -> Iterator[PreparedMounts]:
        """Enter with the mounts of ``operation``.

        Raises SecretNotFound, AgentNotForwarded, and the errors of Roots.workspace.
        """
        prepared = PreparedMounts()
        with ExitStack() as held:
            caches = self._caches(operation, sources, held)
            for place, mount in enumerate(operation.mounts):
                match mount.type:
                    case "bind":
                        prepared.mounts.append(self._bind(mount, sources[place], held))
                    case "cache":
                        prepared.mounts.append(
                            BindMount(
                                source=caches[place],
                                target=mount.target,
                                read_only=mount.read_only,
                            )
                        )
                    case "tmpfs":
                        prepared.mounts.append(TmpfsMount(target=mount.target, size=mount.size))
                    case "secret":
                        self._secret(mount, prepared)
                    case "ssh":
                        self._agent(mount, prepared, held)
                    case unknown:
                        assert_never(unknown)
            yield prepared

    def _source(self, mount: ExecMount, of: Result, epoch: int | None) -> MountSource:
        path = paths.clean(mount.source)
        files = CopyFiles(sources=(literal(path),), destination=f"/{path}", epoch=epoch)
        stack = of if isinstance(of, Stack) else None

        def select() -> Copying:
            copying = self._selected(files, path, of)
            tree = copying.source.tree()
            top = tree.get(tree.resolve(path))
            # A mount shows the attributes of the directory itself as well, COPY only its files.
            # Those of the root of a context are not part of the build.
            if top is not None and top.kind == DIRECTORY and (path or stack):
                copying.selected = copying.selected.with_directory(top._replace(path=path))
            return copying

        source = MountSource(select=select, stack=stack)
        if isinstance(of, ContextFiles):
            source = of.mount_sources.setdefault((path, epoch), source)
        return source

    def _bind(self, mount: ExecMount, source: MountSource, held: ExitStack) -> TreeMount:
        return TreeMount(
            root=self._root(mount, source, held),
            source=mount.source,
            target=mount.target,
            read_only=mount.read_only,
        )

    def _root(self, mount: ExecMount, source: MountSource, held: ExitStack) -> Root:
        """Return a root that has the mount's source: of layers, or of files of a context."""
        if source.stack is not None or source.files.has_devices:
            return held.enter_context(self.roots.workspace(source.layers())).root
        view = self.views.shared if mount.read_only else self.views.private
        return held.enter_context(view(source.files.listed()))

    def _caches(
        self, operation: Exec, sources: Mapping[int, MountSource], held: ExitStack
    ) -> Mapping[int, str]:
        """Return the directory of each cache mount, by the mount's place in the operation.

        A directory that is mounted twice is used once, to prevent a deadlock of a step with itself.
        All steps use them in the same order, to prevent deadlocks between steps.
        """
        places: dict[str, list[int]] = {}
        for place, mount in enumerate(operation.mounts):
            if mount.type == "cache":
                places.setdefault(cache_name(mount, sources.get(place)), []).append(place)
        found: dict[int, str] = {}
        for name in sorted(places):
            first, *_ = same = places[name]
            sharing = max((operation.mounts[each].sharing for each in same), key=_SHARINGS.index)
            mount = operation.mounts[first]
            used = self._cache(mount, name, sharing, sources.get(first))
            found |= dict.fromkeys(same, held.enter_context(used))
        return found

    def _cache(
        self, mount: ExecMount, name: str, sharing: str, source: MountSource | None
    ) -> AbstractContextManager[str]:
        mode, owner = _start(mount, source)
        mode = _USUAL_MODE if mode is None else mode

        def fill(directory: str) -> None:
            layers = self.imported(name)
            if source is not None and not layers:
                layers = (self._first_files(mount, source),)
            for layer in layers:
                self._unpack(layer, directory)

        return self.caches.use(name, sharing=sharing, mode=mode, owner=owner, fill=fill)

    def _first_files(self, mount: ExecMount, source: MountSource) -> Layer:
        path = paths.clean(mount.source)
        files = CopyFiles(sources=(literal(path),), destination="/")
        return self._selected(files, path, source.layers()).pack()

    def _selected(self, files: CopyFiles, path: str, source: Result) -> Copying:
        """Return the copy of ``path``, which is not a pattern. Raises BuildError."""
        copying = self.copy.prepare(files, NOTHING, (source,))
        find_source(copying.source.tree(), path)
        return copying

    def _unpack(self, layer: Layer, directory: str) -> None:
        with self.copy.blobs.open(layer.descriptor.digest) as blob:
            self.copy.archive.unpack(
                blob,
                directory,
                overlay=False,
                place=lambda name: name,
                implied=lambda _: None,
            )

    def _secret(self, mount: ExecMount, prepared: PreparedMounts) -> None:
        value = self.secrets.secret(mount.id)
        if value is None:
            if mount.required:
                raise SecretNotFound(mount.id)
            if mount.env:  # set, and over one of ENV, as by BuildKit
                prepared.env[mount.env] = ""
            return
        prepared.secrets[mount.id] = value
        if mount.env:
            prepared.env[mount.env] = value.decode("utf-8", "surrogateescape")
        if mount.target:
            prepared.mounts.append(
                FileMount(
                    target=mount.target,
                    content=value,
                    mode=0o400 if mount.mode is None else mount.mode,
                    uid=mount.uid,
                    gid=mount.gid,
                )
            )

    def _agent(self, mount: ExecMount, prepared: PreparedMounts, held: ExitStack) -> None:
        socket = held.enter_context(
            self.secrets.agent(
                mount.id,
                mode=0o600 if mount.mode is None else mount.mode,
                uid=mount.uid,
                gid=mount.gid,
            )
        )
        if socket is None:
            if mount.required:
                raise AgentNotForwarded(mount.id)
            return
        prepared.mounts.append(BindMount(source=socket, target=mount.target, read_only=False))
        prepared.env.setdefault(mount.env or "SSH_AUTH_SOCK", mount.target)

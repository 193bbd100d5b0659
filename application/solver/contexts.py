"""Build contexts from all kinds of places, and the Dockerfiles in them."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from threading import Event, Lock
from typing import TYPE_CHECKING

from img.application.cancellation import current_cancellation
from img.application.layers.trees import Trees
from img.application.ports.build_context import (
    DOCKERFILES,
    ContextSource,
    Dockerfiles,
    DockerfileText,
)
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.executor import Cancellation
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.build_group import BuildGroup
from img.application.solver.fetched_file import FetchedFile
from img.application.solver.lookup import Lookup
from img.application.solver.results import (
    NOTHING,
    ContextFiles,
    OpenContext,
    Result,
    Stack,
    contents_of,
)
from img.application.solver.steps.copy_files import CopyIntoLayer
from img.application.solver.steps.fetch_git import FetchRepository
from img.application.solver.steps.fetch_url import FetchFile
from img.domain.context_location import (
    GitPlace,
    LocalPlace,
    Place,
    WebPlace,
    is_web,
    place_of,
)
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.errors import ContextError, UsageError
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.tree import FileTree
from img.domain.graph.operations import CopyFiles
from img.domain.graph.remote_sources import checkout_of
from img.domain.oci.chain import Layer

if TYPE_CHECKING:
    from img.application.solver.fetch_contexts import FetchContexts, MainContext
    from img.domain.attestations.material import Material

_STDIN = "-"
_IGNORE = ".dockerignore"
_REMOTE_CONTEXT = "remote build context"  # in the progress
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts(Dockerfiles):
    """Main and named contexts: directories, standard input, git, HTTP(S).

    A fetched context is kept, so that a Dockerfile and its files are from the same state.
    """

    local: ContextSource
    git: FetchRepository
    web: FetchFile
    copy: CopyIntoLayer
    lookup: Lookup
    trees: Trees
    scratch: ScratchSpace
    clock: Clock
    progress: ProgressSink
    group: BuildGroup = field(default_factory=BuildGroup)  # the builds at the same time
    _found: "dict[str, MainContext]" = field(default_factory=dict)

    def dockerfile(
        self,
        location: str,
        file: str | None,
        *,
        keep_git_dir: bool = False,
        commit_mtime: bool = False,
    ) -> DockerfileText:
        """Return the Dockerfile for the context at ``location``.

        In a context that is not a directory, a relative ``file`` is a path in it. With
        ``commit_mtime`` all files of a commit get its time. Raises UsageError, ContextError,
        BadGitReference, GitError, WebError.
        """
        if location == file == _STDIN:
            raise UsageError(
                "invalid argument: can't use stdin for both build context and dockerfile"
            )
        main = self._main(location, keep_git_dir=keep_git_dir, commit_mtime=commit_mtime)
        if main is None:
            return self._beside(location, file)
        if main.dockerfile is not None and location == _STDIN and file is not None:
            raise UsageError(
                "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles"
            )
        if file is not None and (file == _STDIN or file.startswith("/") or is_web(file)):
            return self._from_outside(main, file)
        if main.dockerfile is not None:
            return DockerfileText(name="Dockerfile", content=main.dockerfile)
        return self._inside(main, file)

    def file_or_files(self, location: str, names: Sequence[str]) -> bytes | Mapping[str, bytes]:
        """Return those of ``names`` that the repository or archive at ``location`` has.

        A place on a web server that is no archive is a single file: its content is returned.
        Raises as ``dockerfile`` does.
        """
        main = self._main(
            location, keep_git_dir=False, commit_mtime=False, title="remote bake definition"
        )
        if main is None:
            raise ContextError(
                f"{location} is a directory here, not a repository",
                hint=f"name the repository https://{location}, or the files with -f",
            )
        if main.dockerfile is not None:
            return main.dockerfile
        found = {name: self._read(main, name) for name in names}
        return {name: content for name, content in found.items() if content is not None}

    def of_build(
        self, location: str, ignore: tuple[str, ...], named: Mapping[str, str]
    ) -> OpenContext:
        """Return a function that opens the contexts of a build, each when it is first needed.

        ``ignore`` are the patterns for the main context; named ones have their own.
        Raises ContextError for a named context without a place.
        """
        for name, place in named.items():
            if not place:
                raise ContextError(
                    f'failed to get build context "{name}": its place is empty',
                    hint=f"use --build-context {name}=PLACE",
                )
        return _BuildContexts(contexts=self, location=location, ignore=ignore, named=named)

    def main(self, location: str, ignore: tuple[str, ...]) -> Result:
        """Return the files at ``location``; ``dockerfile`` must have been called for it."""
        found = self._found.get(location)
        if found is None:
            self.web.guard.local("context")
            return ContextFiles(context=self.local.open(location, ignore))
        return self._without(found.files, ignore) if ignore else found.files

    def as_layers(self, files: Result) -> Sequence[Layer]:
        """Return the files of a context as layers, which are stored. Raises ContextError."""
        if isinstance(files, Stack):
            return files.layers
        operation = CopyFiles(sources=("",), destination="/")
        return (self.copy.prepare(operation, NOTHING, (files,)).pack(),)

    def material(self, location: str) -> "Material | None":
        """Return the source of a main context that was fetched, None for this machine's."""
        found = self._found.get(location)
        return None if found is None else found.files.material

    def named(self, name: str, location: str, cancelled: Cancellation) -> Result:
        """Return the files of the named context at ``location``.

        Raises ContextError, BadGitReference, GitError, WebError.
        """
        match self._place_of(location):
            case GitPlace(reference):
                return self.git(checkout_of(reference), cancelled).result
            case WebPlace() as place:
                return self._fetch().named(place, cancelled)
            case _:
                return self._named_directory(name, location)

    def _named_directory(self, name: str, location: str) -> Result:
        if not self.local.is_directory(location):
            raise ContextError(f"failed to get build context {name}: {location}: no such directory")
        self.web.guard.local(name)
        ignore = self.local.ignore_file(location)
        patterns = () if ignore is None else read_ignore_patterns(ignore)
        return ContextFiles(context=self.local.open(location, patterns))

    def time_of(self, location: str) -> int | None:
        """Return the time of the context at ``location`` in seconds since 1970.

        It is the time of the commit, the Last-Modified of the server, or that of the newest file
        of an archive; None for a directory, or if it is unknown (BuildKit dockerui/context.go).
        Raises BadGitReference, ContextError, GitError, WebError.
        """
        place = self._place_of(location)
        if isinstance(place, GitPlace):
            checkout = replace(checkout_of(place.reference), commit_mtime=True)
            files = self.git(checkout, _cancellation()).result
            return _newest(self.trees.of(files.layers)) if isinstance(files, Stack) else None
        found = self._found.get(location) or self._fetched(location)
        if found is None or found.modified:
            return found.modified if found else None
        if isinstance(found.files, ContextFiles) and found.dockerfile is None:
            return _newest(found.files.context.tree())
        return None

    def _main(
        self,
        location: str,
        *,
        keep_git_dir: bool,
        commit_mtime: bool,
        title: str = _REMOTE_CONTEXT,
    ) -> "MainContext | None":
        """Return the main context, None if it is a directory."""
        if location not in self._found:
            found = self._fetched(
                location, keep_git_dir=keep_git_dir, commit_mtime=commit_mtime, title=title
            )
            if found is None:
                return None
            self._found[location] = found
        return self._found[location]

    def _fetched(
        self,
        location: str,
        *,
        keep_git_dir: bool = False,
        commit_mtime: bool = False,
        title: str = _REMOTE_CONTEXT,
    ) -> "MainContext | None":
        place = self._place_of(location)
        if isinstance(place, LocalPlace):
            return None
        return self._fetch().main(
            location, place, keep_git_dir=keep_git_dir, commit_mtime=commit_mtime, title=title
        )

    def _place_of(self, location: str) -> Place:
        return place_of(location, is_directory=self.local.is_directory(location))

    def _fetch(self) -> "FetchContexts":
        from img.application.solver.fetch_contexts import FetchContexts  # most are directories

        return FetchContexts(
            local=self.local,
            git=self.git,
            web=self.web,
            scratch=self.scratch,
            progress=self.progress,
            group=self.group,
        )

    def _beside(self, location: str, file: str | None) -> DockerfileText:
        """Return a Dockerfile for a directory."""
        if file is None or not is_web(file):
            self.web.guard.local("dockerfile")
            return self.local.dockerfile(location, file)
        ignore = self.local.ignore_file(location)
        content, material = self._fetch().dockerfile(file)
        return DockerfileText(name="Dockerfile", content=content, ignore=ignore, material=material)

    def _from_outside(self, main: "MainContext", file: str) -> DockerfileText:
        """Return a Dockerfile from outside of the context, with the ignore file of the context."""
        material = None
        if file == _STDIN:
            name, content = "-", self._fetch().given_dockerfile()
        elif is_web(file):
            name = "Dockerfile"
            content, material = self._fetch().dockerfile(file)
        else:
            name, content = file.rpartition("/")[2], self.local.read(file)
        return DockerfileText(
            name=name,
            content=content,
            ignore=_text_or_none(self._read(main, _IGNORE)),
            material=material,
        )

    def _inside(self, main: "MainContext", file: str | None) -> DockerfileText:
        names = DOCKERFILES if file is None else (file,)
        for name in names:
            content = self._read(main, name)
            if content is not None:
                ignore = self._read(main, f"{name}.dockerignore")
                if ignore is None:
                    ignore = self._read(main, _IGNORE)
                return DockerfileText(
                    name=name.rpartition("/")[2], content=content, ignore=_text_or_none(ignore)
                )
        raise ContextError(
            f"failed to read dockerfile: open {names[0]}: no such file or directory",
            hint="with -f name its path in the build context",
        )

    def _read(self, main: "MainContext", path: str) -> bytes | None:
        """Return a regular file of the context, None if it is missing."""
        if isinstance(main.files, ContextFiles):
            content = main.files.context.read_file(path)
            found = content is not None or main.files.context.tree().get(path)
        else:
            content = self.trees.read_file(main.files.layers, path)
            found = content is not None or self.trees.of(main.files.layers).get(path)
        if content is None and found:
            raise ContextError(
                f"unable to open {path}: it is, or is a link to, no regular file of the context"
            )
        return content

    def _without(self, files: Result, patterns: tuple[str, ...]) -> Result:
        """Return ``files`` without those that ``patterns`` exclude."""
        if isinstance(files, ContextFiles):
            from img.application.solver.filtered_context import FilteredContext  # of archives

            if isinstance(files.context, FetchedFile):
                return files
            context = FilteredContext(files.context, patterns)
            return ContextFiles(context=context, material=files.material)
        operation = CopyFiles(sources=("",), destination="/", exclude=patterns)
        copying = self.copy.prepare(operation, NOTHING, (files,))
        key = copying.definition_key()
        contents = contents_of((NOTHING, files))
        record = self.lookup.by_definition(key, contents)
        if record is None:
            record = CacheRecord(
                layer=copying.pack(),
                created=self.clock.now(),
                description="build context without what is ignored",
                made_from=contents,
            )
            self.lookup.remember(record, definition=key)
        found = NOTHING.with_result(key, record)
        return replace(found, dated=files.dated, material=files.material)


@dataclass(slots=True, kw_only=True)
class _BuildContexts:
    """The contexts of one build (an ``OpenContext``); several threads may open one."""

    contexts: Contexts
    location: str
    ignore: tuple[str, ...]
    named: Mapping[str, str]
    _open: dict[str, Result] = field(default_factory=dict)
    _locks: dict[str, Lock] = field(default_factory=dict)

    def __call__(self, name: str, cancelled: Cancellation) -> Result:
        with self._locks.setdefault(name, Lock()):
            if name not in self._open:
                self._open[name] = self._opened(name, cancelled)
            return self._open[name]

    def _opened(self, name: str, cancelled: Cancellation) -> Result:
        if not name:
            return self.contexts.main(self.location, self.ignore)
        return self.contexts.named(name, self.named[name], cancelled)


def _newest(tree: FileTree) -> int | None:
    """Return the time of the newest regular file, in seconds since 1970."""
    times = [entry.mtime // _SECOND for entry in tree.walk("") if entry.kind == FILE]
    return max(times, default=None)


def _cancellation() -> Cancellation:
    return current_cancellation() or Event()


def _text_or_none(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")

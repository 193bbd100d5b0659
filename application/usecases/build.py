"""From a Dockerfile to an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from img.application.assembly import Assemble
from img.application.catalog import Image
from img.application.planning.plan import PlanBuild
from img.application.ports.build_context import BuildContext
from img.application.ports.clock import Clock
from img.application.ports.context_source import ContextSource, DockerfileText
from img.application.ports.image_store import ImageStore
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.state_lock import StateLock
from img.application.solver.schedule import solve_all
from img.application.solver.solve import Solver
from img.domain.build import BuildRequest
from img.domain.dockerfile.excerpt import render_excerpt
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.errors import SourceError
from img.domain.progress import VertexDone, VertexStarted
from img.domain.reference import ImageReference

_EXPORT = "export"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage:
    """Plans, solves, assembles, names. Nothing is named unless all of it went well."""

    contexts: ContextSource
    plan: PlanBuild
    solver: Solver
    assemble: Assemble
    images: ImageStore
    clock: Clock
    progress: ProgressSink
    lock: StateLock

    def __call__(
        self,
        request: BuildRequest,
        *,
        location: str,
        file: str | None = None,
        tags: Sequence[ImageReference] = (),
    ) -> Image:
        """Return the image of the Dockerfile ``file`` for the context at ``location``.

        Raises ContextError, DockerfileError, BuildError, RegistryError … A SourceError carries
        an excerpt of the Dockerfile.
        """
        dockerfile = self.contexts.dockerfile(location, file)
        with self.lock.working():
            try:
                return self._build(request, dockerfile, location, tags)
            except SourceError as error:
                if error.lines is not None:
                    text = dockerfile.content.decode("utf-8", "replace")
                    error.excerpt = render_excerpt(dockerfile.name, text, error.lines)
                raise

    def _build(
        self,
        request: BuildRequest,
        dockerfile: DockerfileText,
        location: str,
        tags: Sequence[ImageReference],
    ) -> Image:
        plan, bases = self.plan(dockerfile.content, request)
        cancelled = Event()
        contexts = self._contexts(location, dockerfile)
        solve = self.solver.for_build(
            plan.graph,
            contexts,
            {base.image.manifest: base for base in bases.values()},
            cancelled,
        )
        results = solve_all(plan.graph, plan.target, solve, cancelled)
        self.progress.emit(VertexStarted(vertex=_EXPORT, name="exporting to image"))
        image = self.assemble(plan, results, request.epoch)
        for tag in tags:
            self.images.put(tag, image.target, self.clock.now())
        self.progress.emit(VertexDone(vertex=_EXPORT))
        return image

    def _contexts(self, location: str, dockerfile: DockerfileText) -> Mapping[str, BuildContext]:
        ignore = () if dockerfile.ignore is None else read_ignore_patterns(dockerfile.ignore)
        return {"": self.contexts.open(location, ignore)}

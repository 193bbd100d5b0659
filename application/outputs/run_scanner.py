"""Scanner images, which write bills of materials (BuildKit, docs/attestations/sbom-protocol.md)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from threading import Event

from img.application.cancellation import StepCanceled, current_cancellation
from img.application.planning.resolve import ResolveBases
from img.application.ports.executor import Executor
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.snapshotter import Workspace
from img.application.solver.progress import StepProgress
from img.application.solver.results import Stack
from img.application.solver.roots import Roots
from img.application.transfer.catalog import Image
from img.domain.attestations.scanned_bill import BadBill, scanned_bill, with_layers
from img.domain.attestations.statement import MOST_BYTES, Statement
from img.domain.attestations.wanted import SbomWanted
from img.domain.build import BaseImage, BaseName
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError, ImgError
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import Layer
from img.domain.oci.config import ImageConfig
from img.domain.platform import Platform
from img.domain.process import Process, TmpfsMount, TreeMount
from img.domain.reference import ImageReference

_OUTPUT = "/run/out"
_CORE = "/run/src/core/sbom"
_EXTRAS = "/run/src/extras"
_SUFFIX = ".spdx.json"
_MOST_BILLS = 256


class ScannerFailed(BuildError):
    """A scanner image failed, or wrote no statement that BuildKit would accept."""

    def __init__(self, generator: str, reason: str) -> None:
        super().__init__(f"the scanner {generator} failed: {reason}")
        self.generator = generator


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScanner:
    """Runs of scanner images; the files to scan are mounted read-only."""

    resolve: ResolveBases
    roots: Roots
    executor: Executor
    progress: ProgressSink
    platform: Platform  # of this machine, and of the scanner
    tool_version: str
    _known: dict[str, BaseImage] = field(default_factory=dict)

    def __call__(
        self,
        wanted: SbomWanted,
        image: Image,
        extras: Mapping[str, Sequence[Layer]],
        platform: Platform,
    ) -> Sequence[Statement]:
        """Return the statements of the scanner, that of the image first.

        Raises ScannerFailed, BaseUnavailable, StepCanceled, and the errors of running a step.
        """
        generator = wanted.generator
        vertex = f"scan {platform} {generator}"
        cancelled = current_cancellation() or Event()
        name = f"[{platform}] generating sbom using {generator}"
        progress = StepProgress(self.progress, vertex, name, cancelled)
        progress.started()
        try:
            made = self._scanned(wanted, image, extras, progress)
        except ImgError as error:
            progress.failed(error.message)
            raise
        progress.done()
        return made

    def scanner(self, generator: str) -> BaseImage:
        """Return the scanner image. Raises InvalidReference, BaseUnavailable."""
        if generator not in self._known:
            base = BaseName(str(ImageReference.parse(generator)), self.platform)
            self._known[generator] = self.resolve([base])[base].image
        return self._known[generator]

    def _scanned(
        self,
        wanted: SbomWanted,
        image: Image,
        extras: Mapping[str, Sequence[Layer]],
        progress: StepProgress,
    ) -> Sequence[Statement]:
        generator = wanted.generator
        scanner = self.scanner(generator)
        self.executor.require()
        with ExitStack() as stack:

            def workspace(layers: Sequence[Layer]) -> Workspace:
                layers = tuple(layers)
                return stack.enter_context(
                    self.roots.workspace(Stack(key=Digest.of(b"scan"), layers=layers))
                )

            output = workspace(())
            mounts = [
                TreeMount(root=output.root, source="/", target=_OUTPUT, read_only=False),
                TreeMount(root=workspace(image.layers).root, source="/", target=_CORE),
                *(
                    TreeMount(root=workspace(layers).root, source="/", target=f"{_EXTRAS}/{name}")
                    for name, layers in extras.items()
                ),
            ]
            process = _process(wanted, scanner.config, has_extras=bool(extras))
            process = replace(process, mounts=(*mounts, TmpfsMount(target="/tmp")))
            root = workspace(scanner.layers).root
            status = self.executor.run(process, root, progress.output, progress.cancelled)
            if progress.cancelled.is_set():
                raise StepCanceled
            if not status.success:
                raise ScannerFailed(generator, f"exit code: {status.code}")
            try:
                return list(self._statements(output, image))
            except BadBill as error:
                raise ScannerFailed(generator, error.message) from None

    def _statements(self, output: Workspace, image: Image) -> Iterator[Statement]:
        found = {
            entry.path: entry
            for entry in output.changes(FileTree.of_files([]))
            if entry.kind == FILE and entry.path.endswith(_SUFFIX) and "/" not in entry.path
        }
        if len(found) > _MOST_BILLS:
            raise BadBill("documents", f"{len(found)}, where {_MOST_BILLS} are allowed")
        core = f"sbom{_SUFFIX}"
        for path in sorted(found, key=lambda each: (each != core, each)):
            if found[path].size > MOST_BYTES:
                raise BadBill(path, f"{found[path].size} bytes, where {MOST_BYTES} are allowed")
            with output.open(path) as file:
                bill = scanned_bill(path, file.read(MOST_BYTES + 1))
            yield (
                with_layers(bill, self._layer_of(image), self.tool_version)
                if path == core
                else bill
            )

    def _layer_of(self, image: Image) -> Mapping[str, Digest]:
        """Return the digests of the layers that files are in, by path."""
        tree = self.roots.trees.of(image.layers)
        digests = [layer.descriptor.digest for layer in image.layers]
        return {
            entry.path: digests[tree.layer_of(entry.path)] for entry in tree.walk("") if entry.path
        }


def _process(wanted: SbomWanted, config: ImageConfig, *, has_extras: bool) -> Process:
    argv = (*(config.run.entrypoint or ()), *(config.run.cmd or ()))
    if not argv:
        raise ScannerFailed(wanted.generator, "the image has neither ENTRYPOINT nor CMD")
    places = {
        "BUILDKIT_SCAN_DESTINATION": f"{_OUTPUT}/",
        "BUILDKIT_SCAN_SOURCE": _CORE,
        **({"BUILDKIT_SCAN_SOURCE_EXTRAS": _EXTRAS} if has_extras else {}),
    }
    variables = {f"BUILDKIT_SCAN_{name}": value for name, value in wanted.variables.items()}
    return Process(
        argv=argv,
        env={**dict(config.run.env), **variables, **places},
        cwd=config.run.working_dir or "/",
    )

"""``img bake``: builds of several targets at the same time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from img.application.outputs.solved import BuiltImage
from img.application.ports.state_lock import StateLock
from img.application.solver.build_group import BuildGroup
from img.application.solver.schedule import run_all
from img.application.usecases.build import SolvedBuild
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.plan import in_order, links_of
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor

SolveTarget = Callable[[str, Mapping[str, Descriptor], BuildGroup], SolvedBuild]
"""Does the steps of a target, with these images as its linked contexts."""

DeliverTarget = Callable[[str, SolvedBuild], BuiltImage | None]
"""Writes the outputs of a target."""


@dataclass(slots=True, kw_only=True)
class Baked:
    """Results of the targets by name, each behind those that it links to."""

    built: dict[str, BuiltImage | None] = field(default_factory=dict)
    failed: dict[str, ImgError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # and the target that failed before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """The result of the steps or of the outputs of a target."""

    build: SolvedBuild | None = None
    image: Descriptor | None = None  # for the targets that link to this one
    built: BuiltImage | None = None
    error: ImgError | None = None
    cause: str = ""  # the target that failed before


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeTargets:
    """Builds targets at the same time, each behind those that it links to.

    Files are written last, and for one target at a time. So no target reads what another one
    writes, and no links of images lead a target elsewhere between a check of its paths and their
    use.
    """

    lock: StateLock
    tidy: Callable[..., None]  # KeepTidy

    def __call__(
        self,
        targets: Mapping[str, Contents],
        solve: SolveTarget,
        deliver: DeliverTarget,
        *,
        files: Sequence[str] = (),
        most: int = 1,
    ) -> Baked:
        """Build ``targets``, ``most`` of them at a time; those among ``files`` write files.

        A failure stops the targets that link to the one that failed; others are built.
        """
        names = in_order(targets)
        linked = {name: links_of(targets[name]) for name in names}
        baking = _Baking(names, linked, solve, deliver)
        try:
            # The images without a name have to stay until the last target is built.
            with self.lock.working():
                outcomes = run_all(
                    _inputs(names, linked, files), baking.work, baking.group.cancelled, most
                )
        finally:
            self.tidy()
        return baking.baked(outcomes)


def _inputs(
    names: Sequence[str], linked: Mapping[str, Mapping[str, str]], files: Sequence[str]
) -> Mapping[int, Sequence[int]]:
    """Return the work by number, with the numbers of the work before it.

    Even numbers are the steps of targets, odd ones their outputs.
    """
    steps = {name: 2 * place for place, name in enumerate(names)}
    inputs: dict[int, list[int]] = {}
    for name in names:
        inputs[steps[name]] = [steps[base] for base in linked[name].values()]
        inputs[steps[name] + 1] = [steps[name]]
    written = set(files)
    before = [number for number in inputs if number % 2 == 0 or names[number // 2] not in written]
    for name in (name for name in names if name in written):
        inputs[steps[name] + 1] += before
        before = [steps[name] + 1]
    return inputs


@dataclass(frozen=True, slots=True)
class _Baking:
    names: Sequence[str]
    linked: Mapping[str, Mapping[str, str]]  # targets by the names of contexts
    solve: SolveTarget
    deliver: DeliverTarget
    group: BuildGroup = field(default_factory=BuildGroup)

    def work(self, number: int, before: Sequence[_Outcome]) -> _Outcome:
        """Do the steps of a target, or write its outputs; ``before`` is the work before."""
        name = self.names[number // 2]
        try:
            return self._outputs(name, before[0]) if number % 2 else self._steps(name, before)
        except ImgError as error:
            return _Outcome(error=error)

    def _steps(self, name: str, before: Sequence[_Outcome]) -> _Outcome:
        links: dict[str, Descriptor] = {}
        for (context, base), outcome in zip(self.linked[name].items(), before, strict=True):
            if outcome.image is None:
                return _Outcome(cause=outcome.cause or base)
            links[context] = outcome.image
        build = self.solve(name, links, self.group)
        needed = any(name in each.values() for each in self.linked.values())
        return _Outcome(build=build, image=build.image() if needed else None)

    def _outputs(self, name: str, steps: _Outcome) -> _Outcome:
        if steps.build is None:
            return steps
        return _Outcome(built=self.deliver(name, steps.build))

    def baked(self, outcomes: Mapping[int, _Outcome]) -> Baked:
        """Return the results of all targets."""
        baked = Baked()
        for place, name in enumerate(self.names):
            outcome = outcomes[2 * place + 1]
            if outcome.cause:
                baked.skipped[name] = outcome.cause
            elif outcome.error is not None:
                baked.failed[name] = outcome.error
            else:
                baked.built[name] = outcome.built
        return baked

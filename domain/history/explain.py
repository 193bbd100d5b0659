"""Explanations of steps that were not cached: differences between a build and earlier ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

from img.domain.dataclass import dataclass
from img.domain.history.facts import HIDDEN, StepFacts, is_secret_name
from img.domain.history.past_steps import PastStep, PastSteps, has_text
from img.domain.history.record import BuildRecord, Outcome, StepRecord, texts_in
from img.domain.oci.chain import Layer

FileChanges = Callable[[Layer, Layer, str, str], Sequence[str] | None]
"""Returns the changes between two layers below a destination (file_changes.py), None if unknown."""

_FOUND = (Outcome.DONE, Outcome.CACHED)
_APART = ("operation", "env", "mounts", "volumes", "platform", "argv", "hidden_env")
_PULLED = "PullBase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The reasons why a step ran, in words, from a comparison with the build ``earlier``."""

    step: StepRecord
    reasons: tuple[str, ...]
    earlier: str = ""  # "" without such a step in an earlier build


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Explanations of the steps of ``record`` that ran.

    ``earlier`` are the steps of earlier builds.
    """

    record: BuildRecord
    earlier: PastSteps
    files: FileChanges

    def all(self) -> Iterator[Explanation]:
        """Yield an explanation for each step that ran, and for each base image that moved."""
        for step in self.record.instructions:
            if step.facts is None:
                continue
            if step.facts.operation.get("operation") == _PULLED:
                yield from self._base(step, step.facts)
            elif step.outcome is not Outcome.CACHED:
                yield self.of(step)

    def of(self, step: StepRecord) -> Explanation:
        """Return why ``step`` ran; without reasons if it was cached."""
        facts = step.facts
        if facts is None and step.outcome in _ENDS:
            return Explanation(step=step, reasons=(f"it {_ENDS[step.outcome]}",))
        if facts is None or step.outcome is Outcome.CACHED:
            return Explanation(step=step, reasons=())
        if facts.operation.get("operation") == _PULLED:
            return next(self._base(step, facts), Explanation(step=step, reasons=()))
        if (volume := _uncacheable(facts.operation.get("volumes"))) is not None:
            return Explanation(step=step, reasons=(f"the files of volume {volume} may change",))
        if facts.ignore_cache:
            return Explanation(step=step, reasons=("--no-cache",))
        if (past := self._best(self.earlier.same(facts))) is not None:
            return self._lost(step, facts, past)
        nearest = self.earlier.nearest(step, facts)
        if nearest is None:
            return Explanation(step=step, reasons=("no earlier build has this step",))
        reasons = tuple(self._differences(nearest, step, facts))
        return Explanation(step=step, reasons=reasons, earlier=nearest.record.id)

    def _base(self, step: StepRecord, facts: StepFacts) -> Iterator[Explanation]:
        """Yield the explanation of a base image that is another one than in the last build."""
        reference = facts.operation.get("reference")
        for past in self.earlier:
            old = past.facts.operation
            if old.get("operation") != _PULLED or old.get("reference") != reference:
                continue
            platforms = [_platform(each.get("platform")) for each in (old, facts.operation)]
            reasons: tuple[str, ...] = ()
            if platforms[0] != platforms[1]:
                reasons = (f"platform: {platforms[0]} → {platforms[1]}",)
            elif old.get("manifest") != facts.operation.get("manifest"):
                moved = f"{old.get('manifest')} → {facts.operation.get('manifest')}"
                reasons = (f"moved: {moved}",)
            if reasons:
                yield Explanation(step=step, reasons=reasons, earlier=past.record.id)
            return

    def _best(self, same: Iterator[PastStep]) -> PastStep | None:
        """Return the latest equal step with a result for this executor, with any, or without."""
        latest: PastStep | None = None
        found: PastStep | None = None
        for past in same:
            latest = latest or past
            if past.step.outcome in _FOUND:
                found = found or past
                if past.record.namespace == self.record.namespace:
                    return past
        return found or latest

    def _lost(self, step: StepRecord, facts: StepFacts, past: PastStep) -> Explanation:
        """Return why the result of the equal step ``past`` was not found."""
        if past.step.outcome not in _FOUND:
            reasons = [f"it {_ENDS[past.step.outcome]} in build {past.record.id}"]
        elif past.record.namespace != self.record.namespace:
            old, new = past.record.namespace or "exact", self.record.namespace or "exact"
            reasons = [f"other executor: its results are kept apart ({old} → {new})"]
        elif past.facts.contents != facts.contents:
            reasons = [
                f"{self._input(place, step, facts)} made other files"
                for place, (old, new) in enumerate(
                    zip_longest(past.facts.contents, facts.contents, fillvalue="")
                )
                if old != new
            ]
        else:
            reasons = ["expired by prune"]
        return Explanation(step=step, reasons=tuple(reasons), earlier=past.record.id)

    def _differences(self, past: PastStep, step: StepRecord, facts: StepFacts) -> Iterator[str]:
        old, new = past.facts.operation, facts.operation
        found = False
        for text in self._of_operations(past, step, facts):
            found = True
            yield text
        if "platform" in new and (before := _platform(old.get("platform"))) != (
            after := _platform(new.get("platform"))
        ):
            found = True
            yield f"platform: {before} → {after}"
        for place, (before_key, key) in enumerate(
            zip_longest(past.facts.keys, facts.keys, fillvalue="")
        ):
            if before_key != key and place < len(facts.inputs):
                found = True
                yield f"{self._input(place, step, facts)} changed"
        reads_context = "" in facts.keys
        if reads_context:
            texts = self._files(past.facts, facts)
            if texts is not None:
                yield from texts
            if not texts and not found:
                yield _unknown_files(facts)
        elif not found:
            yield "an input changed that is not on record"

    def _of_operations(self, past: PastStep, step: StepRecord, facts: StepFacts) -> Iterator[str]:
        old, new = past.facts.operation, facts.operation
        names = {*past.facts.arguments, *facts.arguments}
        yield from _variables(_pairs(old.get("env")), _pairs(new.get("env")), names)
        yield from _mounts(old.get("mounts"), new.get("mounts"))
        yield from _volumes(old.get("volumes"), new.get("volumes"))
        if not has_text(past, step, facts):
            yield f"instruction text: {past.step.text} → {step.text}"
            return
        for name in sorted(new.keys() | old.keys()):
            if name not in _APART and old.get(name) != new.get(name):
                yield f"{name.replace('_', ' ')}: {old.get(name)} → {new.get(name)}"

    def _input(self, place: int, step: StepRecord, facts: StepFacts) -> str:
        """Return the name of an input: the step before, or one that files are taken from."""
        below = self.record.step(facts.inputs[place]) if place < len(facts.inputs) else None
        while below is not None and below.outcome is Outcome.CACHED and below.facts is not None:
            if not below.facts.inputs:
                break
            below = self.record.step(below.facts.inputs[0])  # found by its own contents
        if below is None or not below.name:
            return "parent step" if place == 0 else "a source"
        if below.facts is not None and below.facts.operation.get("operation") == _PULLED:
            return f"base image {below.facts.operation.get('reference')}"
        if place == 0 and below.stage == step.stage and below.number:
            return f"parent step {below.number.partition('/')[0]}"
        return f"step {below.name}"

    def _files(self, old: StepFacts, new: StepFacts) -> Sequence[str] | None:
        if old.layer is None or new.layer is None or "destination" not in new.operation:
            return None
        sources = texts_in(new.operation.get("sources"))
        source = sources[0] if len(sources) == 1 else ""
        destination = str(new.operation.get("destination"))
        return self.files(old.layer, new.layer, destination, source)


_ENDS = {
    Outcome.FAILED: "failed",
    Outcome.CANCELED: "was canceled",
    Outcome.RUNNING: "did not end",
}


def _variables(
    old: Mapping[str, str], new: Mapping[str, str], arguments: set[str]
) -> Iterator[str]:
    for name in [*new, *(each for each in old if each not in new)]:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind = "ARG" if name in arguments else "ENV"
        if before is None:
            yield f"{kind} {name}: new"
        elif after is None:
            yield f"{kind} {name}: removed"
        elif before.startswith(HIDDEN) or after.startswith(HIDDEN):
            yield f"{kind} {name}: another value, which is not kept"
        elif is_secret_name(name):  # of an ENV; the image has it, a report need not
            yield f"{kind} {name}: another value, which is not shown"
        else:
            yield f"{kind} {name}: {before} → {after}"


def _mounts(old: object, new: object) -> Iterator[str]:
    before, after = _by_target(old), _by_target(new)
    for target in [*after, *(each for each in before if each not in after)]:
        if target not in before:
            yield f"mount {target}: new"
        elif target not in after:
            yield f"mount {target}: removed"
        elif before[target] != after[target]:
            names = [n for n in after[target] if before[target].get(n) != after[target].get(n)]
            changes = (f"{n} {before[target].get(n)} → {after[target].get(n)}" for n in names)
            yield f"mount {target}: {', '.join(changes)}"


def _volumes(old: object, new: object) -> Iterator[str]:
    before, after = _by_target(old), _by_target(new)
    for target in [*after, *(each for each in before if each not in after)]:
        if target not in before:
            yield f"volume {target}: new"
        elif target not in after:
            yield f"volume {target}: removed"
        elif before[target] != after[target]:
            yield f"volume {target}: changed files"


def _uncacheable(volumes: object) -> str | None:
    """Return the target of a volume that keeps a step from being cached, None without one."""
    found = _by_target(volumes).items()
    return next((target for target, volume in found if not volume.get("state")), None)


def _by_target(mounts: object) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for mount in mounts if isinstance(mounts, list) else ():
        if isinstance(mount, dict):
            found[str(mount.get("target") or mount.get("env") or mount.get("id"))] = mount
    return found


def _unknown_files(facts: StepFacts) -> str:
    mounts = facts.operation.get("mounts")
    if isinstance(mounts, list):
        targets = [
            target
            for target, mount in _by_target(mounts).items()
            if isinstance(place := mount.get("input"), int)
            and place < len(facts.keys)
            and not facts.keys[place]
        ]
        return f"mount {', '.join(targets)}: its files changed"
    return "its files changed; the list of the earlier ones was pruned"


def _pairs(env: object) -> dict[str, str]:
    return {
        str(pair[0]): str(pair[1])
        for pair in (env if isinstance(env, list) else ())
        if isinstance(pair, list) and len(pair) == 2
    }


def _platform(value: object) -> str:
    if not isinstance(value, dict):
        return "this machine's"
    parts = (value.get("os"), value.get("architecture"), value.get("variant"))
    return "/".join(str(part) for part in parts if part)

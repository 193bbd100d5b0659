"""The root file system of a step of a recorded build."""

from img.domain.errors import UsageError
from img.domain.history.record import BuildRecord, Outcome, StepRecord
from img.domain.oci.chain import Layer


def layers_around(record: BuildRecord, step: StepRecord, *, before: bool) -> tuple[Layer, ...]:
    """Return the layers of the root after the step, or ``before`` it.

    For a step that failed, the top one has the changes that were kept. Raises UsageError.
    """
    facts = step.facts
    if facts is None:
        raise UsageError(f"{step.name} did not end, or is no step of a Dockerfile")
    if not before and step.outcome in (Outcome.DONE, Outcome.CACHED):
        layers = record.layers_of(step.vertex)
    else:
        layers = record.layers_of(facts.inputs[0]) if facts.inputs else None
        if layers is not None and not before:
            if facts.kept is None:
                raise UsageError(
                    f"the changes of {step.name} were not kept",
                    hint="--before shows the files before it",
                )
            layers = (*layers, facts.kept)
    if layers is None:
        raise UsageError(f"the files of {step.name} are not on record")
    return layers

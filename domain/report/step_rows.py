"""The steps of a record as rows of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from img.domain.history.record import BuildRecord, StepRecord
from img.domain.report.build_report import ReportStep, short_text
from img.domain.report.log_excerpt import LogExcerpt
from img.domain.report.timing import TimedStep, critical_path, time_in_queue


def step_rows(
    record: BuildRecord,
    reasons: Mapping[str, Sequence[str]],
    logs: Mapping[int, LogExcerpt],
) -> Sequence[ReportStep]:
    """Return the steps that started, in their order.

    ``reasons`` are by vertex, ``logs`` by the number of a log in the record.
    """
    steps = [step for step in record.steps if step.started is not None and step.name]
    places = {step.vertex: place for place, step in enumerate(steps)}
    numbers = {step.vertex: number for number, step in enumerate(record.instructions, 1)}
    end = record.started + record.seconds
    times = [_timed(step, record.started, end, places) for step in steps]
    critical = {*critical_path(times)}
    return [
        replace(
            _row(step, reasons.get(step.vertex, ())),
            number=numbers.get(step.vertex),
            start=time.start,
            end=time.end,
            inputs=time.inputs,
            waited=time_in_queue(times, place),
            critical=place in critical,
            log=logs.get(step.log) if step.log is not None else None,
        )
        for place, (step, time) in enumerate(zip(steps, times, strict=True))
    ]


def last_step(record: BuildRecord) -> StepRecord | None:
    """Return the step with the result of a build: the only one that no other step needs.

    None if there are several, as in a build of several targets.
    """
    needed = {vertex for step in record.steps if step.facts for vertex in step.facts.inputs}
    last = [step for step in record.instructions if step.vertex not in needed]
    return last[0] if len(last) == 1 else None


def _timed(step: StepRecord, zero: float, end: float, places: Mapping[str, int]) -> TimedStep:
    started = step.started or zero
    inputs = step.facts.inputs if step.facts else ()
    return TimedStep(
        start=max(started - zero, 0.0),
        end=max((step.ended or end) - zero, started - zero, 0.0),
        inputs=tuple(dict.fromkeys(places[each] for each in inputs if each in places)),
    )


def _row(step: StepRecord, reasons: Sequence[str]) -> ReportStep:
    facts = step.facts
    return ReportStep(
        number=None,
        name=short_text(step.name),
        stage=short_text(step.stage) if step.is_instruction else "",
        status=step.outcome.value,
        start=0.0,
        end=0.0,
        size=facts.layer.descriptor.size if facts and facts.layer else None,
        received=step.received,
        lines=facts.lines if facts else None,
        message=short_text(step.message),
        reasons=tuple(map(short_text, reasons)),
        warnings=tuple(map(short_text, step.warnings)),
    )

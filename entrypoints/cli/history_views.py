"""Records of builds as text, as JSON and as archives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from img.domain.history.asked import options_of
from img.domain.history.record import BuildRecord, Outcome, StepRecord, texts_in
from img.entrypoints.cli.tables import aligned, bytes_size, human_duration

if TYPE_CHECKING:
    from img.application.usecases.read_history import ReadHistory


def row_of(record: BuildRecord, now: float) -> dict[str, str]:
    """Return the fields of ``img history ls``."""
    steps = record.instructions
    ended = [step for step in steps if step.outcome in (Outcome.DONE, Outcome.CACHED)]
    return {
        "ID": record.id,
        "Name": record.name,
        "Status": record.status,
        "CreatedAt": f"{human_duration(now - record.started)} ago",
        "Duration": duration(record.seconds),
        "Steps": f"{len(ended)}/{len(steps)}",
        "Cached": str(_cached(record)),
        "Size": bytes_size(record.size),
        "Command": record.command,
        "Context": " ".join(texts_in(record.options.get("context"))),
    }


def summary_of(record: BuildRecord) -> dict[str, object]:
    """Return the document of ``--format json``, with buildx's names and more."""
    steps = record.instructions
    ended = [step for step in steps if step.outcome in (Outcome.DONE, Outcome.CACHED)]
    return {
        "ref": record.id,
        "name": record.name,
        "status": record.status,
        "created_at": _rfc3339(record.started),
        "completed_at": _rfc3339(record.ended),
        "total_steps": len(steps),
        "completed_steps": len(ended),
        "cached_steps": _cached(record),
        "duration": record.seconds,
        "size": record.size,
    }


def document_of(record: BuildRecord) -> dict[str, object]:
    """Return all of a record, for ``inspect --format json`` and ``export``."""
    return {
        **summary_of(record),
        "command": record.command,
        "version": record.version,
        "options": dict(record.options),
        "error": record.error,
        "images": [
            {"target": each.target, "digest": each.digest, "names": [*each.names]}
            for each in record.images
        ],
        "steps": [_step_document(step, number) for number, step in _numbered(record)],
    }


def _step_document(step: StepRecord, number: int | None) -> dict[str, object]:
    facts = step.facts
    document: dict[str, object] = {
        "number": number,
        "vertex": step.vertex,
        "name": step.name,
        "status": step.outcome.value,
        "started_at": _rfc3339(step.started),
        "completed_at": _rfc3339(step.ended),
        "duration": step.seconds,
        "message": step.message,
        "warnings": [*step.warnings],
        "received": step.received,
    }
    if facts is not None:
        document |= {
            "lines": facts.lines,
            "inputs": [*facts.inputs],
            "key": facts.key,
            "operation": facts.operation,
            "diff_id": str(facts.layer.diff_id) if facts.layer else None,
            "size": facts.layer.descriptor.size if facts.layer else None,
        }
    return document


def described(record: BuildRecord, last_lines: list[str]) -> Iterator[str]:
    """Yield the lines of ``img history inspect``."""
    options = record.options
    context = " ".join(texts_in(options.get("context")))
    facts = [
        ("Build:", record.id),
        ("Name:", record.name),
        ("Status:", record.status),
        ("Error:", record.error),
        ("Command:", f"img {record.command} (version {record.version})"),
        ("Context:", context),
        ("Directory:", " ".join(texts_in(options.get("directory")))),
        ("Targets:", " ".join(texts_in(options.get("target")))),
        ("Started:", _rfc3339(record.started) or ""),
        ("Duration:", duration(record.seconds)),
        ("Steps:", f"{len(record.instructions)}, {_cached(record)} cached"),
        ("Options:", " ".join(options_of(options))),
    ]
    facts += [("Image:", f"{each.digest} {' '.join(each.names)}") for each in record.images]
    yield from _lines([[name, value] for name, value in facts if value])
    rows = [
        [
            "" if number is None else str(number),
            step.outcome.value,
            duration(step.seconds) if step.outcome is not Outcome.CACHED else "",
            _size(step),
            step.name,
        ]
        for number, step in _numbered(record)
        if step.name
    ]
    yield ""
    yield from _lines([["#", "STATUS", "TIME", "SIZE", "STEP"], *rows])
    if last_lines:
        yield ""
        yield from (f"  {line}" for line in last_lines)


def write_logs(
    read: "ReadHistory", record: BuildRecord, step: StepRecord | None, out: BinaryIO, *, shows: bool
) -> None:
    """Write the output of a step, or that of all steps, to ``out``.

    If it ``shows`` the output, on a terminal, control characters are written as text.
    """
    if step is not None:
        for piece in read.output(record, step):
            out.write(shown_bytes(piece.data) if shows else piece.data)
    else:
        for each in [each for each in record.steps if each.log is not None]:
            name = each.name or each.vertex
            out.write(shown_bytes(f"# {name}\n".encode("utf-8", "replace")))
            last = b"\n"
            for piece in read.output(record, each):
                out.write(shown_bytes(piece.data) if shows else piece.data)
                last = piece.data
            out.write(b"" if last.endswith(b"\n") else b"\n")


def shown_bytes(data: bytes) -> bytes:
    """Return output for a terminal, with control characters as text."""
    from img.domain.shown_text import shown_output

    text = data.decode("utf-8", "replace")
    return "\n".join(map(shown_output, text.split("\n"))).encode()


def export_record(read: "ReadHistory", record: BuildRecord, file: BinaryIO) -> None:
    """Write ``record.json``, and ``logs/NUMBER.txt`` for each step with output, to ``file``."""
    import json
    import tarfile
    import tempfile

    with tarfile.open(fileobj=file, mode="w|gz", format=tarfile.PAX_FORMAT) as archive:

        def add(name: str, content: BinaryIO) -> None:
            member = tarfile.TarInfo(name)
            member.mtime = int(record.started)
            member.size = content.seek(0, 2)
            content.seek(0)
            archive.addfile(member, content)

        with tempfile.TemporaryFile() as spool:
            spool.write(json.dumps(document_of(record), indent=2).encode())
            add("record.json", spool)
        for step in record.steps:
            if step.log is not None:
                with tempfile.TemporaryFile() as spool:
                    for piece in read.output(record, step):
                        spool.write(piece.data)
                    number = {each.vertex: n for n, each in _numbered(record)}[step.vertex]
                    add(f"logs/{step.log if number is None else number}.txt", spool)


def duration(seconds: float) -> str:
    """Return a duration as ``0.1s``, ``12.3s`` or ``3m 02s``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def _numbered(record: BuildRecord) -> Iterator[tuple[int | None, StepRecord]]:
    """Yield all steps; those of Dockerfiles have the numbers that users name them by."""
    numbers = {step.vertex: number for number, step in enumerate(record.instructions, 1)}
    for step in record.steps:
        yield numbers.get(step.vertex), step


def _cached(record: BuildRecord) -> int:
    return sum(step.outcome is Outcome.CACHED for step in record.instructions)


def _size(step: StepRecord) -> str:
    facts = step.facts
    return bytes_size(facts.layer.descriptor.size) if facts and facts.layer else ""


def _lines(rows: list[list[str]]) -> list[str]:
    return [line.rstrip() for line in aligned(rows)]


def _rfc3339(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")

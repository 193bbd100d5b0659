"""Reports of builds and images of any size, made by the functions of the domain."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.layer_story import story_of
from img.domain.graph.codec import Json
from img.domain.history.facts import StepFacts
from img.domain.history.journal import (
    JournalEntry,
    asked_entry,
    ended_entry,
    event_entry,
    facts_entry,
    log_entry,
)
from img.domain.history.record import BuildRecord, record_of
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import Event, VertexCached, VertexDone, VertexStarted
from img.domain.report.build_report import BuildReport, ReportImage, short_text
from img.domain.report.file_map import map_of
from img.domain.report.image_view import largest_waste, layer_row, totals_of, waste_by_layer
from img.domain.report.log_excerpt import excerpts_of
from img.domain.report.step_rows import step_rows

START = 1_700_000_000.0
_WORDS = (
    *("apt-get install -y gcc", "pip install -r", "make -C", "npm ci --prefix", "cargo build -p"),
    *("go vet ./", "pytest -q"),
)
_STAGES = ("tools", "assets", "server", "docs", "checks", "client", "site", "app")
_SLOTS = 4  # steps at once


def a_record(steps: int, *, stages: int = 1) -> BuildRecord:
    """Return the record of a build of so many steps; the last stage copies from the others."""
    return record_of(_journal(steps, stages), id="5ca9d1b0f2e7", started=START)


def _journal(steps: int, stages: int) -> Iterator[JournalEntry]:
    options: dict[str, Json] = {"context": ".", "directory": "/home/me/app", "tag": ["app"]}
    yield asked_entry("build", options, "", "1", START)
    yield from _step("d", "[internal] load build definition", START, START + 0.2)
    last = START
    for vertex, name, inputs, start, end in _scheduled([*_vertices(steps, stages)]):
        number = int(vertex)
        layer = Layer(DiffID(_digest(number)), _blob(1000 + number * 7919 % 10**7))
        facts = StepFacts(
            operation={"operation": "Exec"},
            inputs=tuple(inputs),
            key="k",
            lines=(number + 1, number + 1),
            layer=layer,
        )
        yield from _step(vertex, name, start, end)
        if start < end:
            yield log_entry(vertex, number, start)
        yield facts_entry(vertex, facts, end)
        last = max(last, end)
    yield from _step("export", "exporting to image", last, last + 0.7)
    yield ended_entry("completed", "", last + 0.8)


def _step(vertex: str, name: str, start: float, end: float) -> Iterator[JournalEntry]:
    """Yield the entries of a step; one that takes no time was cached."""
    ran: list[tuple[Event, float]] = [
        (VertexStarted(vertex=vertex, name=name), start),
        (VertexDone(vertex=vertex), end),
    ]
    for event, at in ran if start < end else [(VertexCached(vertex=vertex, name=name), start)]:
        entry = event_entry(event, at)
        assert entry is not None
        yield entry


def _scheduled(
    vertices: Sequence[tuple[str, str, Sequence[str]]],
) -> Iterator[tuple[str, str, Sequence[str], float, float]]:
    """Yield the vertices with times, as they run on a few processors."""
    free = [START + 0.3] * _SLOTS
    ends: dict[str, float] = {}
    waiting = [*vertices]
    while waiting:
        ready = [each for each in waiting if all(input_ in ends for input_ in each[2])]
        at = {each[0]: max((ends[i] for i in each[2]), default=START + 0.3) for each in ready}
        vertex, name, inputs = min(ready, key=lambda each: at[each[0]])
        waiting.remove((vertex, name, inputs))
        number = int(vertex)
        start = max(at[vertex], heappop(free))
        cached = number % 7 < 2 and number < len(vertices) * 0.4
        end = start if cached else start + 0.2 + (number * 7919 % 97) / 20
        ends[vertex] = end
        heappush(free, end)
        yield vertex, name, inputs, start, end


def _vertices(steps: int, stages: int) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the ID, name and inputs of each step, in the order of the Dockerfile."""
    length = steps // stages
    for number in range(steps):
        stage = min(number // length, stages - 1)
        step = number - stage * length
        amount = steps - length * (stages - 1) if stage == stages - 1 else length
        name = f"{_stage(stage, stages)} " if stages > 1 else ""
        inputs = [str(number - 1)] if step else []
        text = f"RUN {_WORDS[(step * 5 + stage) % len(_WORDS)]} part-{step}"
        if stage == stages - 1 and 0 < step < stages:
            text = f"COPY --from={_stage(step - 1, stages)} /out /opt/{step}"
            inputs.append(str(step * length - 1))
        yield str(number), f"[{name}{step + 1}/{amount}] {text}", inputs


def _stage(number: int, stages: int) -> str:
    return _STAGES[len(_STAGES) - stages + number]


def layers_of(files: int, *, layers: int = 6) -> Sequence[FileIndex]:
    """Return layers with so many files; each of the upper ones replaces and deletes some below."""
    found: list[list[Entry]] = [[] for _ in range(layers)]
    for number in range(files):
        layer = number % layers
        top = ("usr/lib", "usr/share", "opt/app", "var/cache/apt", "home/me/.cache/pip")[number % 5]
        path = f"{top}/part-{number // 997}/dir-{number // 31 % 32}/file-{number}.so"
        size = 100 + (number * 7919 % 1009) ** 6 // 10**11
        digest = f"{number if number % 40 else 0:064x}"
        found[layer].append(Entry(path, FILE, size=size, digest=digest))
        if layer and number % 50 == 0:
            below = found[layer - 1][-1].path
            found[layer].append(Entry(below, FILE, size=size, digest=f"{number:063x}f"))
        elif layer and number % 50 == 25:
            directory, _, name = found[layer - 1][-1].path.rpartition("/")
            found[layer].append(Entry(f"{directory}/.wh.{name}", FILE))
    for entries in found:
        names = {each.path.rpartition("/")[0] for each in entries}
        entries[:0] = [Entry(name, DIRECTORY, 0o755) for name in sorted(names)]
    return [FileIndex.of(entries) for entries in found]


def an_image(indexes: Sequence[FileIndex], *, of_base: int = 2) -> ReportImage:
    """Return the image of these layers; the first ``of_base`` are those of the base image."""
    story = story_of(indexes)
    return ReportImage(
        names=("app:latest",),
        digest=str(_digest(0)),
        layers=tuple(
            layer_row(
                changes,
                waste,
                step=f"RUN {_WORDS[number % len(_WORDS)]}",
                digest=str(_digest(number)),
                size=3_000_000 + number * 7919 * 1000,
                of_base=number < of_base,
            )
            for number, (changes, waste) in enumerate(
                zip(story.changes, waste_by_layer(story), strict=True)
            )
        ),
        files=map_of(story, 1_500_000),
        totals=tuple(totals_of(story.waste)),
        wasted=story.wasted,
        waste=tuple(largest_waste(story.waste, 200_000)),
    )


def a_report(
    record: BuildRecord, images: Sequence[ReportImage] = (), *, output: bytes = b""
) -> BuildReport:
    """Return the report of a record, with the same output for each step that ran."""
    logs = {step.log: output for step in record.steps if step.log is not None and output}
    sizes = {log: len(text) for log, text in logs.items()}
    return BuildReport(
        id=record.id,
        name=short_text(record.name),
        status=record.status,
        command=record.command,
        version=record.version,
        context=".",
        directory="/home/me/app",
        options=("--tag=app",),
        started=record.started,
        seconds=record.seconds,
        error=short_text(record.error),
        steps=step_rows(record, {}, excerpts_of(sizes, logs.items(), 1_500_000)),
        images=images,
    )


def _digest(number: int) -> Digest:
    return Digest.of(b"%d" % number)


def _blob(size: int) -> Descriptor:
    return Descriptor(media_type="layer", digest=_digest(size), size=size)


def a_hostile_report() -> BuildReport:
    """Return a report with texts that would act on a page, if they became a part of it."""
    record = a_record(4)
    attack = "</script><script>hacked = 1</script><img src=x onerror='hacked = 2'> {{script}} <!--"
    controls = "\x1b[2J\x1b]0;title\x07 \u202etxt.exe \u2028 \udcff"
    steps = [replace(step, name=f"{step.name} {attack}{controls}") for step in record.steps]
    record = replace(record, steps=tuple(steps), error=attack + controls, status="error")
    record = replace(record, options={"tag": [f"{attack}{controls}"]})
    entries = [
        Entry(f"d{attack[2:8]}/{attack.replace('/', '')}{controls}", FILE, size=10, digest="a"),
        Entry(controls, FILE, size=20, digest="a"),
    ]
    image = replace(an_image([FileIndex.of(entries)], of_base=0), names=(short_text(attack),))
    output = f"{attack}{controls}\n".encode("utf-8", "surrogateescape")
    return a_report(record, [image], output=output)

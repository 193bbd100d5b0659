"""Reports as one HTML file that loads nothing."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import BinaryIO

from img.application.ports.report_writer import ReportWriter
from img.domain.graph.codec import Json
from img.domain.report.build_report import BuildReport, ReportImage, ReportLayer, ReportStep
from img.domain.report.file_map import FileMap

_SCRIPTS = ("shared", "steps", "graph", "image", "files", "logs", "page")
# The page's own script and style alone: a text that became an element could do nothing.
_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
    "base-uri 'none'; form-action 'none'"
)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


class HtmlReports(ReportWriter):
    """A page with the report as JSON, which its script shows as text."""

    def write(self, report: BuildReport, output: BinaryIO) -> None:
        style = _part("page.css")
        script = "".join(_part(f"{name}.js") for name in _SCRIPTS)
        policy = _POLICY.format(script=_hash(script), style=_hash(style))
        values = {
            "policy": policy,
            "title": escape(report.name),
            "style": style,
            "data": _json(document_of(report)),
            "script": script,
        }
        page = _PLACE.sub(lambda place: values[place[1]], _part("page.html"))
        output.write(page.encode("utf-8", "replace"))


def document_of(report: BuildReport) -> Json:
    """Return the report as JSON, with times in ms; steps lack values that say nothing."""
    return {
        "id": report.id,
        "name": report.name,
        "status": report.status,
        "command": report.command,
        "version": report.version,
        "context": report.context,
        "directory": report.directory,
        "options": [*report.options],
        "started": _ms(report.started),
        "length": _ms(report.seconds),
        "error": report.error,
        "steps": [_step(step) for step in report.steps],
        "images": [_image(image) for image in report.images],
    }


def _step(step: ReportStep) -> Json:
    log = step.log
    return _without_nothing(
        {
            "number": step.number,
            "name": step.name,
            "stage": step.stage,
            "status": step.status,
            "start": _ms(step.start),
            "end": _ms(step.end),
            "inputs": [*step.inputs],
            "waited": _ms(step.waited),
            "critical": step.critical,
            "size": step.size,
            "received": step.received,
            "lines": None if step.lines is None else [*step.lines],
            "message": step.message,
            "reasons": [*step.reasons],
            "warnings": [*step.warnings],
            "log": None if log is None else [log.first, log.last, log.left_out, log.size],
        }
    )


def _image(image: ReportImage) -> Json:
    return {
        "names": [*image.names],
        "digest": image.digest,
        "target": image.target,
        "missing": image.missing,
        "by_steps": image.by_steps,
        "layers": [_layer(layer) for layer in image.layers],
        "files": None if image.files is None else _directory(image.files),
        "totals": [[*total] for total in image.totals],
        "wasted": image.wasted,
        "waste": [
            [each.reason, each.path, each.size, each.layer, each.by, each.original]
            for each in image.waste
        ],
    }


def _layer(layer: ReportLayer) -> Json:
    return {
        "step": layer.step,
        "digest": layer.digest,
        "size": layer.size,
        "base": layer.of_base,
        "unpacked": layer.unpacked,
        "added": layer.added,
        "changed": layer.changed,
        "removed": layer.removed,
        "wasted": layer.wasted,
    }


def _directory(map_: FileMap) -> Json:
    """Return a directory as an array: a page has tens of thousands of files."""
    return [
        map_.name,
        map_.size,
        [_directory(each) for each in map_.directories],
        [*_flat((f.name, f.size, f.layer, f.reason.value if f.reason else 0) for f in map_.files)],
        [*_flat(map_.small)],
    ]


def _flat(rows: Iterator[tuple[str | int, ...]] | tuple[tuple[int, ...], ...]) -> Iterator[Json]:
    for row in rows:
        yield from row


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _without_nothing(values: Mapping[str, Json]) -> Json:
    return {name: value for name, value in values.items() if value not in (None, "", [], 0)}


def _json(document: Json) -> str:
    """Return JSON that is safe in a script element: no text of it can end the element."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")


def _part(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

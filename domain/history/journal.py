"""The journal of a build: its entries in the order of time, as JSON objects.

A journal is appended to while the build runs, so a build that is killed leaves the entries up to
then. ``entry_of`` and the functions beside it write entries; record.py reads them.
"""

from collections.abc import Mapping

from img.domain.graph.codec import Json
from img.domain.history.facts import StepFacts, redacted, with_heredocs, without_secrets
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import (
    Event,
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)

# Not paths: the layers have them anyway, and `img debug` needs them.
_TEXTS = {"name", "message", "error", "argv", "url", "remote"}

JournalEntry = Mapping[str, Json | float]
"""An entry; "e" is its kind, "t" its time in seconds since 1970, "v" the ID of its vertex."""


def asked_entry(
    command: str, options: Mapping[str, Json], namespace: str, version: str, at: float
) -> JournalEntry:
    """Return the first entry: the command with its options, in which secrets are hidden.

    Results of other cache namespaces are not found (docs/caching.md).
    """
    return {
        "e": "asked",
        "t": at,
        "command": command,
        "options": without_secrets(dict(options)),
        "namespace": namespace,
        "version": version,
    }


def event_entry(event: Event, at: float) -> JournalEntry | None:
    """Return the entry of an event, None if a record has no use for it."""
    match event:
        case VertexStarted():
            return {"e": "started", "t": at, "v": event.vertex, "name": redacted(event.name)}
        case VertexCached():
            return {"e": "cached", "t": at, "v": event.vertex, "name": redacted(event.name)}
        case VertexDone():
            return {"e": "done", "t": at, "v": event.vertex}
        case VertexFailed():
            return {"e": "failed", "t": at, "v": event.vertex, "message": redacted(event.message)}
        case VertexCanceled():
            return {"e": "canceled", "t": at, "v": event.vertex}
        case VertexWarning():
            return {"e": "warning", "t": at, "v": event.vertex, "message": redacted(event.message)}
        case VertexStatus(done=True):
            return {"e": "received", "t": at, "v": event.vertex, "bytes": event.current}
        case _:
            return None


def log_entry(vertex: str, number: int, at: float) -> JournalEntry:
    """Return the entry that gives a vertex the number of its pieces of output."""
    return {"e": "log", "t": at, "v": vertex, "n": number}


def facts_entry(vertex: str, facts: StepFacts, at: float) -> JournalEntry:
    """Return the entry with what is known of a step."""
    entry: dict[str, Json | float] = {
        "e": "facts",
        "t": at,
        "v": vertex,
        "operation": facts.operation,
        "inputs": list(facts.inputs),
        "keys": list(facts.keys),
        "contents": list(facts.contents),
        "key": facts.key,
    }
    if facts.arguments:
        entry["arguments"] = list(facts.arguments)
    if facts.lines:
        entry["lines"] = list(facts.lines)
    if facts.ignore_cache:
        entry["ignore_cache"] = True
    if facts.layers:
        entry["layers"] = [encoded_layer(layer) for layer in facts.layers]
    for name, layer in (("layer", facts.layer), ("kept", facts.kept)):
        if layer is not None:
            entry[name] = encoded_layer(layer)
    return entry


def image_entry(target: str, image: Descriptor, names: list[str], at: float) -> JournalEntry:
    """Return the entry of an image that was built; ``target`` is that of a bake, or ""."""
    return {
        "e": "image",
        "t": at,
        "target": target,
        "digest": str(image.digest),
        "names": [*names],
    }


def ended_entry(status: str, error: str, at: float) -> JournalEntry:
    """Return the last entry; ``status`` is completed, error or canceled."""
    return {"e": "ended", "t": at, "status": status, "error": redacted(error)}


def without(hidden: Mapping[str, str], entry: JournalEntry) -> JournalEntry:
    """Return the entry with the keys of ``hidden`` replaced by its values, in texts for people."""
    if not hidden:
        return entry
    operation = entry.get("operation")
    told = _told(hidden, entry)
    if isinstance(operation, dict):
        heredocs = with_heredocs(operation, lambda text: _replaced(hidden, text))
        told["operation"] = {**heredocs, **_told(hidden, operation)}
    return {**entry, **told}


def _told(hidden: Mapping[str, str], values: Mapping[str, Json | float]) -> dict[str, Json]:
    told: dict[str, Json] = {}
    for key in _TEXTS & values.keys():
        match values[key]:
            case str(text):
                told[key] = _replaced(hidden, text)
            case list(words):
                told[key] = [_replaced(hidden, str(word)) for word in words]
    return told


def _replaced(hidden: Mapping[str, str], text: str) -> str:
    for value in sorted(hidden, key=len, reverse=True):
        text = text.replace(value, hidden[value])
    return text


def encoded_layer(layer: Layer) -> Json:
    """Return a layer as JSON."""
    blob = layer.descriptor
    return [str(layer.diff_id), str(blob.digest), blob.size, blob.media_type]

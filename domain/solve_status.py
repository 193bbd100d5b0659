"""BuildKit's SolveStatus: what happens in a build as JSON (BuildKit, client/graph.go).

Times are RFC 3339, bytes base64. The digest of a vertex is that of its name in img's events.
"""

import base64
from collections.abc import Mapping

from img.domain.digest import Digest
from img.domain.progress import SourceLines, VertexWarning
from img.domain.shown_text import shown_in_line

Document = dict[str, object]


def vertex_digest(vertex: str) -> str:
    """Return the digest of a vertex of img's events."""
    return str(Digest.of(vertex.encode("utf-8", "surrogateescape")))


def encoded(data: bytes) -> str:
    """Return bytes as Go's encoding/json writes them."""
    return base64.b64encode(data).decode()


def warning_document(event: VertexWarning) -> Document:
    """Return a VertexWarning of BuildKit."""
    document: Document = {
        "vertex": vertex_digest(event.vertex),
        "level": 1,
        "short": _line(event.message),
    }
    if event.detail:
        document["detail"] = [_line(event.detail)]
    if event.url:
        document["url"] = event.url
    if event.source:
        document |= _source(event.source)
    return document


def _source(source: SourceLines) -> Mapping[str, object]:
    first, last = source.lines
    info = {
        "filename": shown_in_line(source.file),
        "data": encoded(source.text),
        "language": "Dockerfile",
    }
    return {"sourceInfo": info, "range": [{"start": {"line": first}, "end": {"line": last}}]}


def _line(text: str) -> str:
    return encoded(shown_in_line(text).encode("utf-8", "surrogateescape"))

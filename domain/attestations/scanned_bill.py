"""Statements that a scanner image wrote; they are not trusted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from img.domain.attestations.statement import MOST_BYTES, SPDX_TYPE, Statement
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.json_text import InvalidJson, parse_json

_PROVENANCE = "https://slsa.dev/provenance"


class BadBill(ImgError):
    """A document that is no statement of packages."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reason = reason


def scanned_bill(name: str, content: bytes) -> Statement:
    """Return the statement in the file ``name``; its subjects are not taken over.

    Raises BadBill for another document, and for provenance, which only the builder knows.
    """
    try:
        document: Any = parse_json(content, most_bytes=MOST_BYTES)
    except InvalidJson as error:
        raise BadBill(name, error.message) from None
    if not isinstance(document, dict) or not isinstance(document.get("predicate"), dict):
        raise BadBill(name, "it is no in-toto statement")
    kind = document.get("predicateType") or SPDX_TYPE
    if not isinstance(kind, str) or kind.startswith(_PROVENANCE):
        raise BadBill(name, f"a scanner must not state {kind}")
    return Statement(predicate_type=kind, predicate=_sorted(document["predicate"]), filename=name)


def with_layers(bill: Statement, layers: Mapping[str, Digest], version: str) -> Statement:
    """Return a bill that says which layer each file is from, and that img completed it.

    Files with a comment of their own keep it (BuildKit, exporter/containerimage/attestations.go).
    """
    predicate = dict(bill.predicate)
    listed = predicate.get("files")
    if isinstance(listed, list):
        predicate["files"] = [_placed(each, layers) for each in listed]
    made = predicate.get("creationInfo")
    if isinstance(made, dict):
        creators = made.get("creators")
        known = list(creators) if isinstance(creators, list) else []
        predicate["creationInfo"] = {**made, "creators": [*known, f"Tool: img-{version}"]}
    return replace(bill, predicate=predicate)


def _placed(file: object, layers: Mapping[str, Digest]) -> Any:
    if not isinstance(file, dict) or file.get("comment"):
        return file
    layer = layers.get(str(file.get("fileName", "")).lstrip("/"))
    return file if layer is None else {**file, "comment": f"layerID: {layer}"}


def _sorted(value: object) -> Any:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(each) for each in value]
        case _:
            return value

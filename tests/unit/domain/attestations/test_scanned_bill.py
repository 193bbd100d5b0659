"""Statements that a scanner wrote."""

import json
from typing import Any

import pytest

from img.domain.attestations.scanned_bill import BadBill, scanned_bill, with_layers
from img.domain.digest import Digest

LAYER = Digest.of(b"layer")


def a_bill(**more: Any) -> bytes:
    predicate = {
        "name": "core",
        "creationInfo": {"creators": ["Tool: scanner"]},
        "files": [
            {"fileName": "/bin/sh"},
            {"fileName": "bin/own", "comment": "mine"},
            {"fileName": "none"},
            "no file",
        ],
    }
    return json.dumps({"predicateType": "", "predicate": predicate, **more}).encode()


def test_a_bill_says_the_layer_of_each_file_that_has_no_comment() -> None:
    layers = {"bin/sh": LAYER, "bin/own": LAYER}

    bill = with_layers(scanned_bill("sbom.spdx.json", a_bill()), layers, "1")

    assert bill.predicate_type == "https://spdx.dev/Document"
    assert bill.predicate["files"] == [
        {"fileName": "/bin/sh", "comment": f"layerID: {LAYER}"},
        {"fileName": "bin/own", "comment": "mine"},
        {"fileName": "none"},
        "no file",
    ]
    assert bill.predicate["creationInfo"] == {"creators": ["Tool: scanner", "Tool: img-1"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "no JSON"),
        (b"[]", "it is no in-toto statement"),
        (b'{"predicate": 1}', "it is no in-toto statement"),
        (a_bill(predicateType="https://slsa.dev/provenance/v1"), "must not state https://slsa.dev"),
        (a_bill(predicateType=7), "must not state 7"),
        (b"[" * 100_000, "in one another"),
    ],
)
def test_other_documents_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadBill, match=reason):
        scanned_bill("sbom.spdx.json", content)


@pytest.mark.parametrize("damaged", ["files", "creationInfo"])
def test_a_bill_with_other_types_is_left_as_it_is(damaged: str) -> None:
    document = json.loads(a_bill())
    document["predicate"][damaged] = 7

    bill = with_layers(scanned_bill("x", json.dumps(document).encode()), {}, "1")

    assert bill.predicate[damaged] == 7

"""Dockerfiles and the graphs they must give, keys included: a changed key is a lost cache.

After a change that is meant: ``IMG_GOLDEN=write pytest tests/golden``, then read the difference.
"""

import json
import os
from pathlib import Path

import pytest

from img.domain.digest import Digest
from img.domain.graph.cache_key import definition_key
from img.domain.graph.codec import encode_operation
from img.domain.graph.vertex import Plan
from tests.support.plans import plan_of

DOCKERFILES = sorted(Path(__file__).parent.glob("plans/*.Dockerfile"))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_gives_the_same_graph_and_keys_as_ever(path: Path) -> None:
    text = json.dumps(document_of(plan_of(path.read_text("utf-8"))), indent=1) + "\n"
    expected = path.with_suffix(".json")
    if os.environ.get("IMG_GOLDEN") == "write":
        expected.write_text(text, "utf-8")
    assert text == expected.read_text("utf-8")


def document_of(plan: Plan) -> dict[str, object]:
    keys: list[Digest] = []
    vertices: list[dict[str, object]] = []
    for vertex in plan.graph.vertices:
        keys.append(definition_key(vertex.operation, [keys[each] for each in vertex.inputs]))
        document = {"name": vertex.name, "lines": vertex.lines, "inputs": vertex.inputs}
        vertices.append(document | {"key": str(keys[-1]), **encode_operation(vertex.operation)})
    history = [(item.created_by, item.vertex) for item in plan.history]
    return {"target": plan.target, "vertices": vertices, "history": history}

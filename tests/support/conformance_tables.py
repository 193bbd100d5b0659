"""Tables of inputs and of the answers that the Go originals give.

The shared ones are data of their own; $IMG_CONFORMANCE names the directory that holds them. The
edges beside the tests have the same form: the same programs answered them.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.host.machine import CONFORMANCE

Row = dict[str, Any]

_EDGES = Path(__file__).parents[1] / "conformance" / "edges"


def is_there() -> bool:
    """Tell whether there are shared tables at all."""
    return (CONFORMANCE / "tables").is_dir()


@cache
def table_rows(table: str) -> tuple[Row, ...]:
    """Return the shared rows of ``table``, if it is there, and those beside the tests."""
    return (*_rows(CONFORMANCE / "tables" / f"{table}.jsonl"), *edge_rows(table))


def edge_rows(table: str) -> tuple[Row, ...]:
    """Return the rows of ``table`` beside the tests: the same on every machine."""
    return _rows(_EDGES / f"{table}.jsonl")


def _rows(file: Path) -> tuple[Row, ...]:
    if not file.exists():
        return ()
    # Not by str.splitlines: a text may hold any line separator.
    return tuple(json.loads(line) for line in file.read_text("utf-8").split("\n") if line)

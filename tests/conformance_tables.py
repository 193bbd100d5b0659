"""Tables of inputs and of the answers that the Go originals give.

The shared ones are data of their own; $IMG_CONFORMANCE names the directory that holds them. The
edges beside the tests have the same form: the same programs answered them.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

Row = dict[str, Any]

CONFORMANCE = Path(
    os.environ.get("IMG_CONFORMANCE", Path(__file__).parents[2] / "shared" / "conformance")
)
_EDGES = Path(__file__).parent / "conformance" / "edges"


def is_there() -> bool:
    """Tell whether there are shared tables at all."""
    return (CONFORMANCE / "tables").is_dir()


@cache
def table_rows(table: str) -> tuple[Row, ...]:
    """Return the shared rows of ``table``, if it is there, and those beside the tests."""
    files = [folder / f"{table}.jsonl" for folder in (CONFORMANCE / "tables", _EDGES)]
    # Not by str.splitlines: a text may hold any line separator.
    texts = [file.read_text("utf-8") for file in files if file.exists()]
    return tuple(json.loads(line) for text in texts for line in text.split("\n") if line)

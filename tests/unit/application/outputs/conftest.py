"""The InMemoryApp of these tests."""

import pytest

from img.adapters.output_files.local import LocalOutputFiles
from tests.unit.application.outputs.bench import DOCKERFILE, FILES, Bench


@pytest.fixture
def app() -> Bench:
    made = Bench()
    made.container.system.output_files.override(LocalOutputFiles(made.printed))
    made.publish("base", {"dir/of-base": b"3", "gone": b"4"})
    made.build(DOCKERFILE, FILES, store=False)
    made.forget_progress()
    return made

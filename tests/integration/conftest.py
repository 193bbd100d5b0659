"""Steps in each isolated executor, on each kind of root; modules override what they need."""

from collections.abc import Iterator

import pytest

from img.application.ports.executor import Executor
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_roots import StepRoot, Steps, skip_unless_steps_can_run, step_root


@pytest.fixture(scope="module", params=ISOLATED)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = executor_named(request.param)
    yield executor
    executor.close()


@pytest.fixture(params=["directory", "overlay"])
def root(request: pytest.FixtureRequest) -> Iterator[StepRoot]:
    skip_unless_steps_can_run()
    with step_root(request.param) as root:
        yield root


@pytest.fixture
def steps(executor: Executor, root: StepRoot) -> Steps:
    return Steps(executor, root)

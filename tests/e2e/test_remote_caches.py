"""Caches for other machines, in object stores and in the cache service of GitHub Actions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.test_cache_exchange import steps_run
from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.servers.actions_server import ActionsServer
from tests.support.servers.object_stores import MORE, object_store

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_DOCKERFILE = r"""
FROM @BASE@ AS made
COPY f /src/
RUN --mount=type=cache,target=/c if test -e /c/kept; then echo "found the directory"; fi; \
    echo x > /c/kept; cat /proc/sys/kernel/random/uuid > /random
FROM @BASE@
COPY --from=made /random /
RUN cp /random /copied
"""


@contextmanager
def actions(version: int) -> Iterator[str]:
    with ActionsServer() as server:
        yield server.attributes(version)


PLACES: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "gha-2": partial(actions, 2),
    "gha-1": partial(actions, 1),
    **{kind: partial(object_store, kind) for kind in ("s3", "gs", *MORE)},
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    with PLACES[request.param]() as attributes:
        yield attributes


@pytest.fixture
def context(busybox: str, write_context: WriteContext) -> Path:
    return write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f" * 10**5})


def test_a_clean_machine_runs_no_step(img_for: ImgFor, context: Path, place: str) -> None:
    first, second, third = (img_for("user", name) for name in ("first", "second", "third"))
    target = f"{place},mode=max,mounts=true"
    built = first("build", "-q", "-t", "app", "--cache-to", target, context).stdout

    again = second("build", "-t", "app", "--cache-from", place, context)
    (context / "f").write_text("changed")
    changed = third("build", "-t", "app", "--cache-from", place, context)

    assert steps_run(again.stderr) == []
    assert second("inspect", "--format", "{{.Id}}", "app").stdout == built
    assert "found the directory" in changed.stderr  # of the cache mount, in a step that runs again


def test_a_cache_that_is_not_there_is_a_warning(img_for: ImgFor, context: Path) -> None:
    img = img_for("user", "first")
    place = "type=gha,url_v2=http://127.0.0.1:9/,token=e30.e30.e30"

    done = img("build", "-t", "app", "--cache-from", place, "--cache-to", place, context)

    assert "cache not used: the token of GitHub Actions names no scopes" in done.stderr
    assert "Successfully built" in done.stderr

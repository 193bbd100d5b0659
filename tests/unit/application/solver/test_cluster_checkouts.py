"""ADD of repositories on a cluster: which machine fetches the files."""

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.domain.progress import VertexOutput
from tests.unit.application.usecases.test_solve_task import Machines, titles

REMOTE = "https://host/r.git"
FIRST, SECOND = "1" * 40, "2" * 40
DOCKERFILE = "FROM scratch\nADD {} /r\n"


def a_git(commit: str = FIRST, authorization: str = "", remote: str = REMOTE) -> MemoryGit:
    """Return repositories with one branch."""
    repository = MemoryRepository(
        refs={"refs/heads/main": commit},
        files={(each, ""): MemoryContext({"x": each.encode()}) for each in (FIRST, SECOND)},
        authorization=authorization,
    )
    return MemoryGit({remote: repository})


class Cluster:
    """A client and a worker, and the repositories that each of them reaches."""

    def __init__(self, client: MemoryGit, worker: MemoryGit, **secrets: bytes) -> None:
        self.machines = Machines("a", of_client=secrets)
        self.client, self.worker = client, worker
        self.machines.client.container.building.git.override(client)
        self.machines.workers["a"].container.building.git.override(worker)

    def build(self, remote: str = REMOTE) -> dict[str, bytes]:
        app = self.machines.client
        return app.files_of(app.build(DOCKERFILE.format(remote)))

    @property
    def checkouts(self) -> tuple[int, int]:
        """The number of those of the client, and of the worker."""
        return len(self.client.checkouts), len(self.worker.checkouts)


def test_a_public_repository_is_fetched_by_a_worker_and_once() -> None:
    cluster = Cluster(a_git(), a_git())

    assert cluster.build() == {"r/x": FIRST.encode()}
    assert cluster.build() == {"r/x": FIRST.encode()}

    assert cluster.checkouts == (0, 1)
    fetched = [each for each in titles(cluster.machines.client) if each.startswith("fetch ")]
    assert len(fetched) == 1  # the layer of the image, not that of the checkout
    events = cluster.machines.client.progress.events
    assert [each.data for each in events if isinstance(each, VertexOutput)] == [b"checkout on a\n"]


@pytest.mark.parametrize("of_worker", [a_git(SECOND), MemoryGit()], ids=["moved", "unreachable"])
def test_the_client_fetches_a_commit_that_the_worker_does_not_find(of_worker: MemoryGit) -> None:
    cluster = Cluster(a_git(), of_worker)

    assert cluster.build() == {"r/x": FIRST.encode()}

    assert len(cluster.client.checkouts) == 1


@pytest.mark.parametrize("remote", ["https://me:password@host/r.git", "git@host:r.git"])
def test_credentials_in_a_url_and_those_of_ssh_stay_on_the_client(remote: str) -> None:
    cluster = Cluster(a_git(remote=remote), a_git(remote=remote))

    cluster.build(remote)

    assert cluster.checkouts == (1, 0)


def test_a_repository_that_needs_a_secret_is_fetched_by_the_client() -> None:
    needed = "basic eC1hY2Nlc3MtdG9rZW46dA=="  # x-access-token:t
    cluster = Cluster(a_git(authorization=needed), a_git(), GIT_AUTH_TOKEN=b"t")

    cluster.build()

    assert cluster.checkouts == (1, 0)

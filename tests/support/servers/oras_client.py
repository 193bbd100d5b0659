"""A client of registries that answer as a test says."""

from collections.abc import Callable

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.application.ports.credential_store import Credentials
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


class Naps(list[float]):
    """A sleep that only notes for how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def oras_client(
    known: dict[str, Credentials] | None = None, sleep: Callable[[float], None] | None = None
) -> OrasRegistry:
    """Return a client that does not wait before it tries again."""
    return OrasRegistry(
        credentials=MemoryCredentials(known), sleep=Naps() if sleep is None else sleep
    )


def name_at(server: ScriptedServer, path: str = "team/app") -> ImageReference:
    """Return the name of an image at ``server``."""
    return ImageReference(domain=server.address, path=path, tag="v1")


def in_turn(*answers: Answer) -> Callable[[Request], Answer]:
    """Answer the probe, then so, one after the other; the last one for good."""
    rest = list(answers)

    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        return rest.pop(0) if len(rest) > 1 else rest[0]

    return answer

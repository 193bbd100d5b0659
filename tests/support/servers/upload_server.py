"""A registry as far as uploads go, which keeps every byte that it got (distribution-spec).

Docker's registry does not: after a broken PATCH it calls the upload invalid.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from img.domain.digest import Digest
from tests.support.servers.scripted_server import Answer, Request

Fault = Callable[[Request], Answer | None]


def no_fault(_request: Request) -> Answer | None:
    return None


@dataclass(slots=True)
class Uploads:
    """A registry as far as uploads go; ``fault`` may answer in its place.

    What comes with a fault was received as far as ``takes`` bytes all the same.
    """

    fault: Fault = no_fault
    takes: int = 0
    least: str = ""
    begun: int = 0
    received: bytearray = field(default_factory=bytearray)
    stored: bytes | None = None
    log: list[str] = field(default_factory=list)  # method, and bytes of the body

    def __call__(self, request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer()
        self.log.append(f"{request.method} {len(request.body)}")
        failure = self.fault(request)
        if failure is not None:
            self.received += request.body[: self.takes]
            return failure
        return getattr(self, request.method.lower())(request)  # type: ignore[no-any-return]

    def head(self, _request: Request) -> Answer:
        return Answer(status=200 if self.stored is not None else 404)

    def post(self, _request: Request) -> Answer:
        self.begun += 1
        self.received.clear()
        return self._accepted({"OCI-Chunk-Min-Length": self.least} if self.least else {})

    def patch(self, request: Request) -> Answer:
        return self._refused(request) or self._taken(request)

    def put(self, request: Request) -> Answer:
        if refused := self._refused(request):
            return refused
        self.received += request.body
        wanted = request.path.partition("digest=")[2]
        if str(Digest.of(bytes(self.received))) != wanted:
            return Answer(status=400)
        self.stored = bytes(self.received)
        return Answer(status=201)

    def get(self, _request: Request) -> Answer:
        accepted = self._accepted({})
        return Answer(status=204, headers=accepted.headers)

    def delete(self, _request: Request) -> Answer:
        return Answer(status=204)

    def _taken(self, request: Request) -> Answer:
        self.received += request.body
        return self._accepted({})

    def _accepted(self, more: dict[str, str]) -> Answer:
        last = max(len(self.received) - 1, 0)
        place = {"Location": f"/u?at={len(self.received)}", "Range": f"0-{last}"}
        return Answer(status=202, headers=place | more)

    def _refused(self, request: Request) -> Answer | None:
        wanted = re.match(r"(\d+)-", request.headers.get("Content-Range", "0-"))
        assert wanted is not None
        return None if int(wanted[1]) == len(self.received) else Answer(status=416)

"""Uploads to registries that answer anything at all, in any order, for ever."""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from img.adapters.registry.connection import Connection
from img.adapters.registry.failures import PASSING, NoAnswer, refusal
from img.adapters.registry.limits import Limits
from img.adapters.registry.request import Request as RegistryRequest
from img.adapters.registry.trust import Trust
from img.adapters.registry.upload import Upload, mount
from img.application.ports.registry import RegistryError, RegistryUnreachable
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request
from tests.support.servers.upload_server import Uploads

_HOST = "registry.test"
_NAME = ImageReference(domain=_HOST, path="team/app")
_SOURCE = ImageReference(domain=_HOST, path="library/base")
_BLOB = bytes(range(251)) * 2000  # about half a megabyte
_TARGET = Descriptor(
    media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(_BLOB), size=len(_BLOB)
)
_LIMITS = Limits(part=130_000)
_MOST_REQUESTS = 250

Serve = Callable[[Request], Answer | RegistryError]


class ScriptedConnection(Connection):
    """A connection to ``serve``, which is in this process."""

    def __init__(self, serve: Serve) -> None:
        super().__init__(
            _HOST,
            credentials=lambda _: None,
            insecure=False,
            trust=Trust(),
            sleep=lambda _: None,
            limits=_LIMITS,
        )
        self._serve = serve
        self.requests = 0
        self.bytes = 0

    @property
    def scheme(self) -> str:
        return "https"

    def send_once(self, request: RegistryRequest) -> requests.Response:
        body = b"".join(piece.read(len(piece)) for piece in request.data) if request.data else b""
        self.requests += 1
        self.bytes += len(body)
        assert self.requests <= _MOST_REQUESTS, "a registry is asked without end"
        headers = Message()
        for name, value in request.headers.items():
            headers[name] = value
        path = request.target.removeprefix(f"https://{_HOST}").partition("#")[0]  # as HTTP has it
        answer = self._serve(Request(method=request.method, path=path, headers=headers, body=body))
        if isinstance(answer, RegistryError):
            raise answer
        response = _response(answer, f"https://{_HOST}{path}")
        if answer.status in PASSING:
            raise refusal(response, request.what, self.host)
        return response


def _response(answer: Answer, url: str) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.url = url
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(answer.body), headers=answer.headers, preload_content=False
    )
    return response


@dataclass(frozen=True)
class Hostile:
    """One answer of a registry that wants us to go on for ever."""

    status: int
    range: str
    location: str

    def answer(self, received: int, sent: int) -> Answer | RegistryError:
        """Return it, where ``received`` bytes are here, ``sent`` of them since the last answer."""
        if self.status == 0:
            return RegistryUnreachable("the connection broke", retryable=True)
        if self.status == 1:
            return NoAnswer(_HOST)
        known = {
            "honest": f"0-{max(received - 1, 0)}",
            "stuck": f"0-{max(received - sent - 1, 0)}",
            "one more": f"0-{max(received - sent, 0)}",
            "half": f"0-{max(received - sent // 2 - 1, 0)}",
        }
        headers = {"Range": known.get(self.range, self.range), "Location": self.location}
        return Answer(status=self.status, headers={k: v for k, v in headers.items() if v})


_STATUSES = (0, 1, 200, 201, 202, 204, 206, 400, 403, 404, 405, 408, 411, 413, 416, 429, 500, 501)
_RANGES = ("honest", "stuck", "one more", "half", "0-0", "0-1", "", "bytes=0-9", "5-9", "0-9" * 9)
_LOCATIONS = ("/u?a=b", "/u#part", "", "/v2/x/blobs/uploads/2", "https://storage.test/u", "/u")
_WRONG_LOCATIONS = ("http://storage.test/u", "http://[::1", "//", "\x00")
_ANSWERS = st.lists(
    st.builds(
        Hostile,
        status=st.sampled_from(_STATUSES),
        range=st.sampled_from(_RANGES),
        location=st.sampled_from(_LOCATIONS * 5 + _WRONG_LOCATIONS),
    ),
    min_size=1,
    max_size=6,
)
_SCRIPTS = st.fixed_dictionaries(
    dict.fromkeys(("POST", "PATCH", "PUT", "GET", "HEAD", "DELETE"), _ANSWERS)
)


def _endless(script: Mapping[str, list[Hostile]]) -> Serve:
    """Return a registry that repeats its answers to each method."""
    turns: dict[str, Iterator[Hostile]] = {m: itertools.cycle(a) for m, a in script.items()}
    received = 0

    def serve(request: Request) -> Answer | RegistryError:
        nonlocal received
        if request.method == "POST":
            received = 0
        received += len(request.body)
        return next(turns[request.method]).answer(received, len(request.body))

    return serve


@given(script=_SCRIPTS)
@settings(max_examples=100, deadline=None)
def test_whatever_a_registry_answers_an_upload_ends(script: Mapping[str, list[Hostile]]) -> None:
    connection = ScriptedConnection(_endless(script))

    try:
        Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()
    except RegistryError as error:
        assert error.message  # a message is all that is promised
    assert connection.bytes <= _LIMITS.copies * len(_BLOB)


@given(answers=_ANSWERS, deletes=_ANSWERS)
@settings(max_examples=40, deadline=None)
def test_whatever_a_registry_answers_a_mount_succeeds_or_does_not(
    answers: list[Hostile], deletes: list[Hostile]
) -> None:
    connection = ScriptedConnection(_endless({"POST": answers, "DELETE": deletes}))

    try:
        mounted = mount(connection, _NAME, _TARGET, _SOURCE)
    except RegistryUnreachable:
        mounted = False
    assert not mounted or any(answer.status == 201 for answer in answers)
    assert connection.requests < 10


@dataclass(frozen=True)
class Fault:
    """The fault at the n-th request with a body, after some bytes of it."""

    number: int
    status: int  # 0: the connection breaks
    takes: int


_FAULTS = st.lists(
    st.builds(
        Fault,
        number=st.integers(0, 8),
        status=st.sampled_from((0, 404, 408, 416, 429, 499, 500, 502, 503, 504)),
        takes=st.integers(0, 140_000),
    ),
    max_size=3,
)


def _failing(registry: Uploads, faults: list[Fault]) -> Serve:
    pending = {fault.number: fault for fault in faults}
    numbers = itertools.count()

    def serve(request: Request) -> Answer | RegistryError:
        fault = pending.pop(next(numbers), None) if request.body else None
        if fault is None:
            return registry(request)
        registry.received += request.body[: fault.takes]
        if fault.status == 0:
            return RegistryUnreachable("the connection broke", retryable=True)
        return Answer(status=fault.status)

    return serve


@given(faults=_FAULTS, least=st.sampled_from(("", "1", "200000", "600000", "9" * 30)))
@settings(max_examples=60, deadline=None)
def test_a_registry_that_fails_up_to_three_times_gets_the_blob(
    faults: list[Fault], least: str
) -> None:
    registry = Uploads(least=least)
    connection = ScriptedConnection(_failing(registry, faults))

    Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert registry.stored == _BLOB


@pytest.mark.parametrize("status", [400, 405, 411, 413, 415, 416, 422, 501, 505])
@pytest.mark.parametrize("after", [0, 1])
def test_a_registry_that_refuses_parts_gets_the_blob_in_one(status: int, after: int) -> None:
    registry = Uploads()
    parts = itertools.count()

    def serve(request: Request) -> Answer:
        if request.method == "PATCH" and next(parts) >= after:
            return Answer(status=status)
        return registry(request)

    connection = ScriptedConnection(serve)
    Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert registry.stored == _BLOB
    assert registry.log[-1] == f"PUT {len(_BLOB)}"
    assert connection.bytes <= len(_BLOB) + (after + 1) * _LIMITS.part


@pytest.mark.parametrize("status", [404, 408, 500, 502, 503])
def test_a_registry_that_fails_at_each_part_gets_the_blob_in_one(status: int) -> None:
    registry = Uploads()

    def serve(request: Request) -> Answer:
        return Answer(status=status) if request.method == "PATCH" else registry(request)

    connection = ScriptedConnection(serve)
    Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert registry.stored == _BLOB
    assert connection.bytes <= len(_BLOB) + 2 * _LIMITS.part


@pytest.mark.parametrize("said", ["0-129999", "0-0", "0-5", ""])
def test_a_registry_whose_range_stands_still_gets_each_part_once(said: str) -> None:
    registry = Uploads()

    def serve(request: Request) -> Answer:
        answer = registry(request)
        if request.method != "PATCH":
            return answer
        headers = {**answer.headers, "Range": said} if said else {"Location": "/u"}
        return Answer(status=202, headers=headers)

    connection = ScriptedConnection(serve)
    Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert registry.stored == _BLOB
    # What was not stored, the registry says at the end; a part of six bytes is believed once.
    assert connection.bytes <= 2 * len(_BLOB) + _LIMITS.part


@pytest.mark.parametrize("stored", [200, 201, 202, 204])
def test_every_status_of_success_counts_with_a_place(stored: int) -> None:
    registry = Uploads()

    def serve(request: Request) -> Answer:
        answer = registry(request)
        if request.method in {"GET", "HEAD", "DELETE"} or answer.status >= 300:
            return answer
        location = {"Location": answer.headers["Location"] + "#x"} if answer.headers else {}
        return Answer(status=stored, headers={**answer.headers, **location})

    connection = ScriptedConnection(serve)
    Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert registry.stored == _BLOB


def test_a_registry_whose_commit_fails_for_ever_is_asked_to_forget_it_and_left() -> None:
    registry = Uploads()

    def serve(request: Request) -> Answer:
        if request.method == "PUT":
            return Answer(status=500)
        return Answer(status=404) if request.method == "GET" else registry(request)

    connection = ScriptedConnection(serve)
    with pytest.raises(RegistryError, match="500"):
        Upload(connection, _NAME, _TARGET, io.BytesIO(_BLOB)).run()

    assert connection.requests < 60
    assert registry.log[-1] == "DELETE 0"

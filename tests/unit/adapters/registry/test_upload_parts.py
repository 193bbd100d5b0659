"""Uploads in parts, and uploads that are interrupted."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.connection import Connection
from img.adapters.registry.limits import Limits
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.trust import Trust
from img.adapters.registry.upload import Upload
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer
from tests.support.servers.upload_server import Fault, Uploads

BLOB = bytes(range(251)) * 4000  # about a megabyte
TARGET = Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(BLOB), size=len(BLOB))
PART = 300_000


def once(method: str, answer: Answer, *, skip: int = 0) -> Fault:
    """Answer so the one request of ``method`` that comes after ``skip`` others."""
    seen = 0

    def fault(request: Request) -> Answer | None:
        nonlocal seen
        if request.method != method:
            return None
        seen += 1
        return answer if seen == skip + 1 else None

    return fault


@contextmanager
def uploaded(registry: Uploads, part: int = PART) -> Iterator[ScriptedServer]:
    with ScriptedServer(registry) as server, tempfile.TemporaryFile() as content:
        content.write(BLOB)
        connection = Connection(
            server.address,
            credentials=lambda _: None,
            insecure=False,
            trust=Trust(),
            sleep=lambda _: None,
            limits=Limits(part=part),
        )
        name = ImageReference(domain=server.address, path="team/app")
        Upload(connection, name, TARGET, content).run()
        yield server


def sent(registry: Uploads) -> int:
    return sum(int(line.split()[1]) for line in registry.log)


def test_a_small_blob_goes_in_one_request() -> None:
    registry = Uploads()

    with uploaded(registry, part=len(BLOB)):
        assert registry.stored == BLOB
    assert registry.log == ["POST 0", f"PUT {len(BLOB)}"]


def test_a_large_blob_goes_in_parts_each_to_where_the_last_one_said() -> None:
    registry = Uploads()

    with uploaded(registry) as server:
        assert registry.stored == BLOB
    assert registry.log == ["POST 0", *[f"PATCH {PART}"] * 3, f"PUT {len(BLOB) - 3 * PART}"]
    assert [request.path for request in server.asked("PATCH", "/")] == [
        f"/u?at={number * PART}" for number in range(3)
    ]
    assert server.asked("PATCH", "/")[1].headers["Content-Range"] == f"{PART}-{2 * PART - 1}"
    assert server.asked("PUT", "/")[0].path == f"/u?at={3 * PART}&digest={TARGET.digest}"


def test_parts_are_as_long_as_the_registry_wants_them() -> None:
    registry = Uploads(least="600000")

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.log == ["POST 0", "PATCH 600000", f"PUT {len(BLOB) - 600_000}"]


@pytest.mark.parametrize("takes", [0, 1000, PART - 1, PART])
def test_after_a_failure_only_what_is_missing_is_sent(takes: int) -> None:
    registry = Uploads(once("PATCH", Answer(status=502), skip=1), takes=takes)

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.begun == 1
    assert sent(registry) == len(BLOB) + PART - takes


def test_a_connection_that_breaks_in_the_last_part_is_taken_up_too() -> None:
    registry = Uploads(once("PUT", Answer(status=503)), takes=50_000)

    with uploaded(registry):
        assert registry.stored == BLOB
    assert sent(registry) == len(BLOB) + (len(BLOB) - 3 * PART) - 50_000


def test_a_part_that_the_registry_does_not_expect_is_asked_about() -> None:
    registry = Uploads(once("PATCH", Answer(status=416), skip=1), takes=1000)

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.begun == 1
    assert "GET 0" in registry.log


def test_an_upload_that_the_registry_forgot_begins_anew() -> None:
    registry = Uploads(once("PATCH", Answer(status=404), skip=1))

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.begun == 2


def test_a_registry_that_does_not_say_how_far_it_is_gets_all_of_it_again() -> None:
    def fault(request: Request) -> Answer | None:
        return Answer(status=404) if request.method == "GET" else failing(request)

    failing = once("PATCH", Answer(status=500), skip=1)
    registry = Uploads(fault)

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.begun == 2


def test_parts_that_do_not_fit_together_are_sent_in_one_go() -> None:
    registry = Uploads(once("PUT", Answer(status=400)))

    with uploaded(registry):
        assert registry.stored == BLOB
    assert registry.log[-2:] == ["POST 0", f"PUT {len(BLOB)}"]


def test_a_blob_that_was_stored_though_its_answer_was_lost_is_not_sent_again() -> None:
    registry = Uploads()

    def lose_the_answer(request: Request) -> Answer | None:
        if request.method == "PUT" and registry.stored is None:
            registry.put(request)
            return Answer(status=504)
        return None

    registry.fault = lose_the_answer
    with uploaded(registry):
        assert registry.stored == BLOB
    assert sent(registry) == len(BLOB)


def test_a_registry_that_goes_on_failing_is_asked_to_forget_the_upload() -> None:
    def fault(request: Request) -> Answer | None:
        return Answer(status=500) if request.method in {"PATCH", "PUT"} else None

    registry = Uploads(fault)
    with pytest.raises(RegistryError, match="500"), uploaded(registry):
        pass

    assert registry.log[-1] == "DELETE 0"


def test_a_refusal_is_not_argued_with() -> None:
    registry = Uploads(once("PATCH", Answer(status=403)))

    with pytest.raises(RegistryError, match="403"), uploaded(registry):
        pass

    assert registry.log == ["POST 0", f"PATCH {PART}", "DELETE 0"]


MOUNTS = {
    "mounted": (Answer(status=201), True),
    "begun instead": (Answer(status=202, headers={"Location": "/u?at=0"}), False),
    "begun where we may not go": (
        Answer(status=202, headers={"Location": "http://169.254.169.254/u"}),
        False,
    ),
    "begun nowhere": (Answer(status=202), False),
    "unknown": (Answer(status=404), False),
    "not understood": (Answer(status=400), False),
    "forbidden": (Answer(status=403), False),
    "broken": (Answer(status=500), False),
    "busy": (Answer(status=503, headers={"Retry-After": "3600"}), False),
}


@pytest.mark.parametrize("outcome", MOUNTS)
def test_a_mount_is_tried_and_no_more_than_that(outcome: str) -> None:
    answer, mounted = MOUNTS[outcome]
    registry = Uploads(lambda request: answer if request.method == "POST" else None)
    with ScriptedServer(registry) as server:
        client = OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None)
        name = ImageReference(domain=server.address, path="team/app")
        source = ImageReference(domain=server.address, path="library/base")

        assert client.mount_blob(name, TARGET, source) is mounted

    post = server.asked("POST", "/")[0]
    assert post.path == f"/v2/team/app/blobs/uploads/?mount={TARGET.digest}&from=library%2Fbase"
    assert registry.log[1:] == (["DELETE 0"] if outcome == "begun instead" else [])

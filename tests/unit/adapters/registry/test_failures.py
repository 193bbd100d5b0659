"""Error messages for refusals of a registry."""

import json

import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.oras import OrasRegistry
from img.adapters.registry.rate_limit import RateLimit
from img.application.ports.registry import RegistryError, Unauthorized
from img.domain.reference import ImageReference
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": {}}]}).encode()


def _push(answer: Answer) -> tuple[RegistryError, int]:
    """Return the error of a push of a manifest, and the number of tries."""

    def answers(request: Request) -> Answer:
        return answer if request.method == "PUT" else Answer()

    with ScriptedServer(answers) as server, pytest.raises(RegistryError) as error:
        name = ImageReference(domain=server.address, path="team/app", tag="v1")
        OrasRegistry(credentials=MemoryCredentials(), sleep=lambda _: None).push_manifest(
            name, b"{}", "a/b"
        )
    return error.value, len(server.asked("PUT", "/"))


@pytest.mark.parametrize(
    ("status", "code", "message", "said"),
    [
        (
            401,
            "UNAUTHORIZED",
            "authentication required",
            "unauthorized: authentication required",
        ),
        (
            403,
            "DENIED",
            "requested access to the resource is denied",
            "denied: requested access to the resource is denied",
        ),
        (404, "NAME_UNKNOWN", "", "name unknown"),
        (400, "MANIFEST_INVALID", "manifest invalid", "manifest invalid: manifest invalid"),
    ],
)
def test_a_registrys_words_are_passed_on(status: int, code: str, message: str, said: str) -> None:
    error, tries = _push(Answer(status=status, body=_error(code, message)))

    assert error.message.endswith(f"team/app:v1: {said}")
    assert tries == 1
    assert isinstance(error, Unauthorized) is (status in {401, 403})


def test_a_scope_that_is_not_enough_is_said_as_docker_says_it() -> None:
    challenge = 'Bearer realm="https://auth.test/",error="insufficient_scope"'
    error, _ = _push(Answer(status=403, headers={"WWW-Authenticate": challenge}))

    assert error.message.endswith("insufficient_scope: authorization failed")


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (
            400,
            "TAG_INVALID",
            (
                "The image tag 'v1' already exists in the 'app' repository and cannot be "
                "overwritten because the repository is immutable."
            ),
        ),
        (412, "PRECONDITION", "Failed to process request due to 'app:v1' configured as immutable."),
    ],
)
def test_a_tag_that_may_not_move_is_told_as_such(status: int, code: str, message: str) -> None:
    error, tries = _push(Answer(status=status, body=_error(code, message)))

    assert message in error.message
    assert error.hint == "push it under another tag"
    assert tries == 1


_LIMITED = _error("TOOMANYREQUESTS", "You have reached your pull rate limit.")


def test_a_limit_is_told_with_its_numbers_and_the_ways_out() -> None:
    headers = {
        "ratelimit-limit": "100;w=21600",
        "ratelimit-remaining": "0;w=21600",
        "docker-ratelimit-source": "192.0.2.7",
    }
    error, tries = _push(Answer(status=429, headers=headers, body=_LIMITED))

    assert error.message.endswith("toomanyrequests: You have reached your pull rate limit.")
    assert error.hint is not None
    assert error.hint.startswith("the limit is 100 in 6 hours for 192.0.2.7; wait, log in")
    assert "img login" in error.hint
    assert "mirror" in error.hint
    assert tries == 1  # it lasts for hours


def test_a_limit_without_numbers_may_pass() -> None:
    error, tries = _push(Answer(status=429, body=_LIMITED))

    assert error.hint is not None
    assert error.hint.startswith("wait, log in")
    assert tries == 5


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"ratelimit-limit": "100;w=21600"}, "100 in 6 hours"),
        ({"ratelimit-limit": "5;w=90", "docker-ratelimit-source": "me"}, "5 in 90 seconds for me"),
        ({"ratelimit-limit": "5;w=120"}, "5 in 2 minutes"),
        ({"ratelimit-limit": "7"}, "7"),
        ({"ratelimit-limit": "much"}, "None"),
        ({}, "None"),
    ],
)
def test_limits_are_read_as_they_come(headers: dict[str, str], text: str) -> None:
    assert str(RateLimit.of(headers)) == text

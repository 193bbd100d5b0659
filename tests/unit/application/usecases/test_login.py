import pytest

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.registry.memory import MemoryRegistry
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import Unauthorized
from img.application.usecases.login import Login, Logout
from img.domain.reference import DOCKER_HUB_SERVER

_ADA = Credentials(username="ada", password="lovelace")


def test_a_login_is_kept_under_the_name_of_the_server() -> None:
    store = MemoryCredentials()

    kept_as = Login(registry=MemoryRegistry(), credentials=store)(_ADA, "https://quay.io/v2/")

    assert kept_as == "quay.io"
    assert store.get("quay.io") == _ADA


@pytest.mark.parametrize("server", ["", "docker.io", "index.docker.io", DOCKER_HUB_SERVER])
def test_docker_hub_is_one_server_under_all_its_names(server: str) -> None:
    store = MemoryCredentials()

    Login(registry=MemoryRegistry(), credentials=store)(_ADA, server)

    assert store.get(DOCKER_HUB_SERVER) == _ADA


def test_what_the_registry_refuses_is_not_kept() -> None:
    store, registry = MemoryCredentials(), MemoryRegistry()
    registry.admit("quay.io", Credentials(username="ada", password="other"))

    with pytest.raises(Unauthorized):
        Login(registry=registry, credentials=store)(_ADA, "quay.io")

    assert store.get("quay.io") is None


def test_the_last_user_is_offered_again() -> None:
    store = MemoryCredentials({"quay.io": _ADA})
    login = Login(registry=MemoryRegistry(), credentials=store)

    assert login.known_user("quay.io") == "ada"
    assert login.known_user() == ""


def test_a_logout_forgets_and_tells_whether_there_was_anybody() -> None:
    store = MemoryCredentials({"quay.io": _ADA})
    logout = Logout(credentials=store)

    assert logout("https://quay.io")
    assert not logout("quay.io")
    assert store.get("quay.io") is None

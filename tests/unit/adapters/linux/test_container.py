"""Remedies in the words of the system that started a container."""

import pytest

from img.adapters.linux import container


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")


def test_outside_of_pods_a_remedy_names_options_of_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert container.remedy("set hostUsers: false", "start it so") == "in a container, start it so"


@pytest.mark.usefixtures("pod")
def test_in_a_pod_a_remedy_names_its_settings() -> None:
    assert container.remedy("set hostUsers: false", "x") == "in the pod, set hostUsers: false"

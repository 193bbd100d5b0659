"""The life of the registry in memory."""

import urllib.error
import urllib.request

import pytest

from img.testing.loopback_registry import LoopbackRegistry


def answers(registry: LoopbackRegistry) -> bool:
    try:
        with urllib.request.urlopen(f"http://{registry.address}/v2/", timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def test_a_registry_is_started_stopped_and_started_again() -> None:
    registry = LoopbackRegistry()
    address = registry.address
    try:
        registry.start()
        assert answers(registry)
        with pytest.raises(RuntimeError, match="has been started"):
            registry.start()
        registry.stop()
        registry.stop()
        assert not answers(registry)
        registry.start()
        assert answers(registry)
        assert registry.address == address
    finally:
        registry.stop()


def test_a_registry_that_was_not_started_is_stopped() -> None:
    registry = LoopbackRegistry()
    registry.stop()
    assert not answers(registry)

"""Announcements of workers of a cluster."""

from img.domain.cluster_worker import STEP, native, resources_of, runs
from img.domain.platform import Platform

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def test_a_worker_offers_each_of_its_platforms_to_all_of_its_steps() -> None:
    found = resources_of([AMD64], [ARM64], slots=4, memory=1 << 30)

    platforms = {native(AMD64): 4, runs(AMD64): 4, runs(ARM64): 4}
    assert found == {STEP: 4, **platforms, "memory": 1 << 30}
    assert native(AMD64) == "native linux/amd64"
    assert runs(ARM64) == "runs linux/arm64"

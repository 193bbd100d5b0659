"""Announcements of workers of a cluster: resources of Dask, and facts for the client."""

from collections.abc import Iterable, Mapping

from img.domain.platform import Platform

FACTS = "img"
"""The name of the facts among those that a worker tells its scheduler."""

STEP = "img step"
"""The resource that each step takes: other workers of the same scheduler have none."""

NATIVE, RUNS = "native ", "runs "
"""The beginnings of the names of resources; a platform follows."""

PLATFORMS = tuple(
    Platform("linux", architecture, variant)
    for architecture, variant in (
        *(("386", ""), ("amd64", ""), ("arm", "v6"), ("arm", "v7"), ("arm64", "")),
        *(("loong64", ""), ("mips64le", ""), ("ppc64le", ""), ("riscv64", ""), ("s390x", "")),
    )
)
"""The platforms that workers may announce."""


def native(platform: Platform) -> str:
    """Return the resource of workers with a processor for ``platform``."""
    return f"{NATIVE}{platform}"


def runs(platform: Platform) -> str:
    """Return the resource of workers that can run programs for ``platform``, perhaps emulated."""
    return f"{RUNS}{platform}"


def resources_of(
    natives: Iterable[Platform], emulated: Iterable[Platform], *, slots: int, memory: int
) -> Mapping[str, float]:
    """Return the resources of a worker for ``slots`` steps at a time, with ``memory`` in bytes.

    A step takes one ``STEP``, and for a platform one ``runs``, and one ``native`` if any worker has
    that.
    """
    natives = tuple(natives)
    return {
        STEP: slots,
        **{native(platform): slots for platform in natives},
        **{runs(platform): slots for platform in (*natives, *emulated)},
        "memory": memory,
    }

"""The composition root: all parts can be made with each choice of adapters."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
from dependency_injector import providers

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.executor.scripted import ScriptedExecutor
from img.adapters.linux.boot import boot_name
from img.adapters.linux.id_map import IdMap
from img.application.solver.announce import AnnouncedExecutor
from img.domain.errors import HostError, UsageError
from img.domain.retention import PrunePolicy
from img.domain.usage import Kind
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import FOR_TESTS, RegistryAccess, Settings, host_platform
from img.entrypoints.wiring.root import Container, open_container
from img.entrypoints.wiring.setup import OWN_ADAPTERS

OUTSIDE = BuildHost(id_map=None, obstacle=HostError("no namespaces in a unit test"))


def settings(state: Path, **chosen: str) -> Settings:
    return Settings(
        state=state,
        platform=host_platform(),
        **{"progress": "quiet", **chosen},  # type: ignore[arg-type]
    )


def names_of(provider: providers.Provider[Any]) -> Iterable[str]:
    """Return the names of the adapters that a setting may choose."""
    return cast("providers.Selector[Any]", provider).providers


def chosen_by() -> dict[str, providers.Provider[Any]]:
    """Return the provider that each setting chooses from."""
    container = open_container(settings(Path("/unused")), OUTSIDE)
    return {
        "store": container.storage.blobs,
        "snapshotter": container.execution.snapshotter,
        "executor": container.execution.executor,
        "registry": container.registries.registry,
        "credentials": container.registries.credentials,
        "progress": container.system.display,
    }


CHOSEN = chosen_by()


def choices() -> list[tuple[str, str]]:
    """Return every setting with every name it may have."""
    return [
        (setting, name)
        for setting, provider in CHOSEN.items()
        for name in sorted(names_of(provider))
    ]


def use_cases(container: Container) -> dict[str, providers.Factory[Any]]:
    return {
        name: provider
        for part in (
            container.registries,
            container.images,
            container.housekeeping,
            container.building,
            container.dockerfiles,
            container.steps,
        )
        for name, provider in part.providers.items()
        if isinstance(provider, providers.Factory)
    }


@pytest.mark.parametrize(("setting", "choice"), choices())
def test_every_use_case_can_be_made_with_every_adapter(
    setting: str, choice: str, tmp_path: Path
) -> None:
    container = open_container(settings(tmp_path / "state", **{setting: choice}), OUTSIDE)

    made = {name: make() for name, make in use_cases(container).items()}

    # dependency-injector shows a wrong keyword only when it is called; so call all.
    assert {"build_image", "pull_image", "push_image", "save_image", "prune"} <= set(made)
    container.close()


def test_making_them_all_writes_nothing(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path / "state"), OUTSIDE)

    for make in use_cases(container).values():
        make()
    container.close()

    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("setting", CHOSEN)
def test_a_name_that_nobody_has_is_refused_with_those_there_are(
    setting: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no-such is not a valid") as refused:
        open_container(settings(tmp_path, **{setting: "no-such"}), OUTSIDE)

    assert refused.value.hint is not None
    for name in names_of(CHOSEN[setting]):
        assert (name in refused.value.hint) is (name not in FOR_TESTS)


def test_an_adapter_can_be_swapped_wherever_it_is_used(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path / "state"), OUTSIDE)
    blobs, executor = MemoryBlobStore(), ScriptedExecutor()

    with container.storage.blobs.override(blobs), container.execution.executor.override(executor):
        build = container.building.build_image()

    assert build.deliver.images.assemble.blobs is blobs
    announced = build.solver.steps.execute.executor
    assert isinstance(announced, AnnouncedExecutor)
    assert announced.executor is executor
    assert container.building.build_image().deliver.images.assemble.blobs is not blobs


def test_the_names_of_own_adapters_are_those_that_can_be_chosen() -> None:
    selectors: dict[str, providers.Provider[Any]] = {
        "blob_store": CHOSEN["store"],
        "image_store": open_container(settings(Path("/unused")), OUTSIDE).storage.images,
        "snapshotter": CHOSEN["snapshotter"],
        "executor": CHOSEN["executor"],
        "registry": CHOSEN["registry"],
        "credential_store": CHOSEN["credentials"],
        "progress_sink": CHOSEN["progress"],
    }

    for group, own in OWN_ADAPTERS.items():
        assert sorted(own.names) == sorted(names_of(selectors[group]))
    assert OWN_ADAPTERS.keys() == selectors.keys()


def test_a_command_makes_the_parts_that_it_uses(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path / "state"), OUTSIDE)

    container.images.list_images()

    unneeded = {"execution", "housekeeping", "building", "dockerfiles", "steps"}
    assert not unneeded & vars(container).keys()


def test_what_holds_state_is_made_once(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path / "state"), OUTSIDE)

    assert container.images.tag_image().images is container.images.pull_image().images
    assert (
        container.building.build_image().lock
        is container.housekeeping.prune().collect.inventory.lock
    )


def test_two_containers_have_nothing_in_common(tmp_path: Path) -> None:
    one = open_container(settings(tmp_path / "one", store="memory"), OUTSIDE)
    two = open_container(settings(tmp_path / "two", store="memory"), OUTSIDE)

    assert one.storage.blobs() is not two.storage.blobs()


@pytest.mark.parametrize(
    "slow", ["oras", "requests", "dockerfile_parse", "rich", "structlog", "isal", "zstandard"]
)
def test_what_is_slow_to_import_waits_until_it_is_needed(slow: str) -> None:
    program = f"import sys, img.entrypoints.wiring.root; sys.exit({slow!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("id_map", "listed"),
    [
        (IdMap.SAME, ["none", "same", "single", "subordinate"]),
        (IdMap.SUBORDINATE, ["none", "same", "single", "subordinate"]),
        (IdMap.SINGLE, ["none", "single"]),
        (None, ["none", "single"]),
    ],
)
def test_what_was_made_with_other_ids_is_pruned_too_where_it_can_be_removed(
    id_map: IdMap | None, listed: list[str], tmp_path: Path
) -> None:
    for ids in ("none", "same", "single", "subordinate"):
        digest = hashlib.sha256(ids.encode()).hexdigest()
        naive = tmp_path / "snapshots" / ids / boot_name() / "naive"
        (naive / f"roots/sha256-{digest}.x/rootfs").mkdir(parents=True)
        (naive / "work").mkdir()
        (naive.parent / f"contexts/{digest}.view/files").mkdir(parents=True)
        (tmp_path / "mounts" / ids / f"{digest}.0/data").mkdir(parents=True)
    host = BuildHost(id_map=id_map, obstacle=HostError("no namespaces in a unit test"))
    keeping = open_container(settings(tmp_path), host).housekeeping

    pruned = keeping.prune()(PrunePolicy(kinds=frozenset({Kind.SNAPSHOT, Kind.CACHE_MOUNT})))

    digests = [hashlib.sha256(ids.encode()).hexdigest() for ids in listed]
    wanted = [f"{digest}{end}" for digest in digests for end in ("", ".0", ".view")]
    assert sorted(item.id for item in pruned) == sorted(wanted)
    assert len(list(tmp_path.glob("snapshots/*/*/naive/roots/*"))) == 4 - len(listed)
    assert len(list(tmp_path.glob("snapshots/*/*/contexts/*/files"))) == 4 - len(listed)
    assert len(list(tmp_path.glob("mounts/*/*/data"))) == 4 - len(listed)


def test_other_registries_share_the_state_and_the_steps(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path), OUTSIDE)

    other = container.with_access(RegistryAccess(insecure=frozenset({"host:1"})))

    assert other.registries.insecure()("host:1")
    assert not container.registries.insecure()("host:1")
    assert other.storage is container.storage
    assert other.execution is container.execution
    assert other.building.build_image().deliver is not None
    container.close()

"""Adapters of other packages; tests/integration/test_extension.py installs a real one."""

import sys
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

from img.application.ports.plugin import PluginContext
from img.domain.errors import UsageError
from img.domain.options.secrets import SecretSpec
from img.domain.resources import Resources
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import open_container

GROUPS = {
    # group of entry points: (the setting that chooses, the provider that gives the adapter)
    "img.blob_store": ("store", "storage.blobs"),
    "img.image_store": ("store", "storage.images"),
    "img.snapshotter": ("snapshotter", "execution.snapshotter"),
    "img.executor": ("executor", "execution.executor"),
    "img.registry": ("registry", "registries.registry"),
    "img.credential_store": ("credentials", "registries.credentials"),
    "img.progress_sink": ("progress", "system.display"),
}


class Adapter:
    """Fits no port, and keeps the context it was made with."""

    made = 0

    def __init__(self, context: PluginContext) -> None:
        self.context = context
        Adapter.made += 1


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add two entry points to every group: "mine", and "broken", which names no module."""
    module = ModuleType("img_test_plugin")
    module.__dict__["Adapter"] = Adapter
    monkeypatch.setitem(sys.modules, "img_test_plugin", module)
    metadata = tmp_path / "site" / "img_test_plugin-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: img-test-plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\nmine = img_test_plugin:Adapter\nbroken = no_such_module:Adapter\n"
            for group in GROUPS
        )
    )
    monkeypatch.syspath_prepend(str(metadata.parent))


def settings(state: Path, **chosen: str) -> Settings:
    return Settings(
        state=state,
        platform=host_platform(),
        **{"progress": "quiet", **chosen},  # type: ignore[arg-type]
    )


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("group", GROUPS)
def test_an_adapter_is_chosen_by_its_name_and_made_once(group: str, tmp_path: Path) -> None:
    setting, provider = GROUPS[group]

    container = open_container(
        settings(tmp_path / "state", **{setting: "mine"}), BuildHost(id_map=None)
    )

    before = Adapter.made
    adapter = attrgetter(provider)(container)()
    assert attrgetter(provider)(container)() is adapter
    assert adapter.context.state == tmp_path / "state"
    assert Adapter.made == before + 1


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("setting", ["executor", "progress"])
def test_an_adapter_that_was_not_used_is_not_made_to_be_closed(
    setting: str, tmp_path: Path
) -> None:
    before = Adapter.made
    container = open_container(settings(tmp_path, **{setting: "mine"}), BuildHost(id_map=None))
    assert container.execution.snapshotter
    assert container.system.display()

    container.close()

    assert Adapter.made == before


@pytest.mark.usefixtures("installed")
def test_it_may_use_what_img_has(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path, registry="mine"), BuildHost(id_map=None))

    adapter: object = container.registries.registry()
    assert isinstance(adapter, Adapter)
    context = adapter.context

    assert context.archive() is container.storage.archive()
    assert context.credentials() is container.registries.credentials()


@pytest.mark.usefixtures("installed")
def test_one_that_cannot_be_loaded_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"broken .* cannot be loaded: .*no_such_module"):
        open_container(settings(tmp_path, executor="broken"), BuildHost(id_map=None))


@pytest.mark.usefixtures("installed")
def test_a_name_that_nobody_has_is_refused_with_those_of_others_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nope is not a valid executor") as refused:
        open_container(settings(tmp_path, executor="nope"), BuildHost(id_map=None))

    assert refused.value.hint is not None
    assert "mine" in refused.value.hint and "unshare" in refused.value.hint


@pytest.mark.usefixtures("installed")
def test_a_container_of_other_steps_has_the_adapters_of_the_first(tmp_path: Path) -> None:
    container = open_container(settings(tmp_path, executor="mine"), BuildHost(id_map=None))

    other = container.with_steps((SecretSpec(id="s", env="S"),), (), Resources())

    assert other.execution.executor() is container.execution.executor()
    assert other.storage is container.storage
    assert other.building.lookup() is container.building.lookup()
    assert other.execution.secrets() is not container.execution.secrets()

"""``img lock`` and ``--locked`` with a registry that moves a tag, and then stops."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import img
from img.testing.loopback_registry import LoopbackRegistry

Run = "subprocess.CompletedProcess[str]"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_STATE", str(tmp_path / "state"))
    (tmp_path / "base").mkdir()
    (tmp_path / "app").mkdir()
    return tmp_path


def publish(place: Path, name: str, content: str) -> str:
    """Push an image with one file to the registry, and return its digest."""
    (place / "base/Dockerfile").write_text("FROM scratch\nCOPY a /a\n")
    (place / "base/a").write_text(content)
    options: dict[str, str] = {"state": str(place / "other")}
    return img.build(place / "base", tag=name, push=True, state=options["state"]).digest


def run(*words: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "img", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_targets_of_a_bake_share_a_lock_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    (place / "app/docker-bake.hcl").write_text(
        'group "default" { targets = ["one", "two"] }\n'
        'target "one" {\n  dockerfile-inline = "FROM ${BASE}"\n  output = ["one"]\n}\n'
        'target "two" {\n  dockerfile-inline = "FROM base"\n'
        '  contexts = { base = "target:one" }\n}\n'
        'target "none" {\n  dockerfile-inline = "FROM scratch"\n}\n'
        'variable "BASE" { default = "" }\n'
    )
    monkeypatch.chdir(place / "app")
    with LoopbackRegistry() as registry:
        name = registry.name("base:1")
        monkeypatch.setenv("BASE", name)
        first = publish(place, name, "first")

        locked = run("bake", "--lock")
        publish(place, name, "second")
        run("bake", "--locked")
        refused = run("bake", "--lock", "--locked", code=1)
        assert "--lock and --locked exclude each other" in refused.stderr
        written = (place / "app/img.lock").read_text()
        assert run("bake", "--lock", "--pull=false", "none", "one").stdout == ""

    assert first in written
    assert (place / "app/img.lock").read_text() == written
    assert locked.stdout.count("+ ") == 1
    assert (place / "app/one/a").read_text() == "first"


def test_a_locked_build_keeps_its_base_when_the_tag_moves_and_the_registry_stops(
    place: Path,
) -> None:
    app, rootfs = place / "app", place / "rootfs"
    with LoopbackRegistry() as registry:
        name = registry.name("base:1")
        (app / "Dockerfile").write_text(f"FROM {name}\n")
        first = publish(place, name, "first")
        refused = run("build", "--locked", "-o", rootfs, app, code=5)
        assert "img.lock: no such file" in refused.stderr

        locked = run("lock", app)
        assert locked.stdout.startswith(f"+ {name} for linux/")
        assert first in (app / "img.lock").read_text()

        second = publish(place, name, "second")
        assert registry.tags("base") == {"1": second}
        run("build", "--locked", "--pull", "-o", rootfs, app)
        assert (rootfs / "a").read_text() == "first"
        assert run("lock", "--diff", app).stdout.endswith(f"{first} → {second}\n")
        assert run("lock", "--check", app).stdout == ""

        (app / "Dockerfile").write_text(f"FROM {name}\nFROM {name}-other\n")
        refused = run("build", "--locked", app, code=1)
        assert f"{name}-other for linux/" in refused.stderr
        assert "is not in the lock file" in refused.stderr

    (app / "Dockerfile").write_text(f"FROM {name}\n")
    run("build", "--locked", "--no-cache", "-o", rootfs, app)
    assert (rootfs / "a").read_text() == "first"

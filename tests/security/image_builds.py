"""Builds hostile images one after the other, and looks at what became of the world outside."""

import gc
import itertools
import json
import os
import shutil
import stat
import sys
import traceback
from pathlib import Path

import hypothesis
from dependency_injector import providers

from img.adapters.registry.memory import MemoryRegistry
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.outputs import FilesOutput
from img.domain.reference import ImageReference
from img.entrypoints.rootless import BuildHost
from tests.security.document_targets import CONFIG, described
from tests.security.fuzzing import TooSlow, time_limit
from tests.security.hostile_images import HostileImage, hostile_images
from tests.security.in_process import InProcess
from tests.security.markers import Markers, files_with_the_token
from tests.support.images.evil_archives import a_tar, info

_TIME_LIMIT_S = 60.0  # for one build, on a busy machine


class Builds:
    """img in this process, a registry in memory, and the markers that nothing may touch."""

    def __init__(self, place: Path, host: BuildHost, executor: str) -> None:
        self.place = place
        self.markers = Markers(place, ("work", "state", "context", "home"))
        self.work = place / "work"
        self.work.mkdir()
        self.img = InProcess(place, host, executor)
        self.registry = MemoryRegistry()
        self.img.container.registries.registry.override(providers.Object(self.registry))
        (self.img.context / "x").write_text("x")
        (self.img.context / "a.tar").write_bytes(a_tar((info("in-a-tar"), b"x")))
        busybox = info("bin/busybox")
        busybox.mode = 0o755
        content = Path(shutil.which("busybox") or "busybox").read_bytes()
        links = [
            info(f"bin/{name}", b"2", "busybox")
            for name in ("sh", "cat", "true", "rm", "ln", "mkdir", "id")
        ]
        self.base = a_tar((busybox, content), *links)
        self.numbers = itertools.count()
        self.outcomes: dict[str, int] = {}

    def run(self, count: int, seed: int | None) -> None:
        """Build ``count`` images. Raises AssertionError, with the smallest one that failed."""

        def build(image: HostileImage) -> None:
            reason = self._failure(image)
            assert not reason, reason

        test = hypothesis.given(hostile_images(str(self.markers.path)))(build)
        test = hypothesis.settings(
            max_examples=count,
            derandomize=seed is None,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )(test)
        if seed is not None:
            test = hypothesis.seed(seed)(test)
        gc.freeze()  # or each build's collection goes through all modules
        try:
            test()
        finally:
            self.img.close()
        left = os.listdir(self.img.state / "tmp") if (self.img.state / "tmp").exists() else []
        assert not left, f"temporary files were left in the state: {left}"
        sys.stdout.write(json.dumps(self.outcomes) + "\n")

    def _failure(self, image: HostileImage) -> str:
        """Return the fault of one image, "" for none."""
        reason, outcome = "", "built"
        try:
            with time_limit(_TIME_LIMIT_S, _TIME_LIMIT_S):
                self._build(image)
        except ImgError as error:
            outcome = type(error).__name__
        except TooSlow:
            reason = f"it hangs\n{traceback.format_exc()}"
        except Exception:
            reason = f"an error that is no ImgError\n{traceback.format_exc()}"
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return self._broken() or reason

    def _build(self, image: HostileImage) -> None:
        self._push(image)
        out = self.work / f"out-{next(self.numbers)}"
        self.img.build(image.dockerfile, FilesOutput(destination=str(out)))

    def _push(self, image: HostileImage) -> None:
        name = ImageReference.parse("registry.test/base")
        layers = [self.base, image.layer()]
        config = {
            **{key: CONFIG[key] for key in ("architecture", "os")},
            "config": dict(image.config),
            "rootfs": {"type": "layers", "diff_ids": [f"{Digest.of(layer)}" for layer in layers]},
        }
        content = json.dumps(config).encode()
        for blob in (*layers, content):
            self.registry.add_blob(name, blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": described(content, media_types.OCI_CONFIG),
            "layers": [described(layer, media_types.OCI_LAYER) for layer in layers],
        }
        self.registry.push_manifest(name, json.dumps(manifest).encode(), media_types.OCI_MANIFEST)

    def _broken(self) -> str:
        changes = self.markers.changes()
        read = [str(path) for path in files_with_the_token(self.work)]
        for left in self.work.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        gc.collect()
        if changes:
            return f"outside was changed: {changes}"
        if read:
            return f"outside was read: {read}"
        return _changed_devices()


def _seen_devices() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        seen = os.stat(f"/dev/{name}")
        assert stat.S_ISCHR(seen.st_mode), name
        found[name] = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_rdev)
    return found


_DEVICES = _seen_devices()


def _changed_devices() -> str:
    now = _seen_devices()
    return "" if now == _DEVICES else f"devices of the host were changed: {now}"

"""Wiring of attestations: how images were built, and their packages."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from img import __version__
from img.domain.go.booleans import parse_boolean
from img.entrypoints.lazy import lazy_imports
from img.entrypoints.settings import host_platform

with lazy_imports(__name__):
    from img.application.attestations.take_account import TakeAccount
    from img.application.outputs.attest import Attest
    from img.application.outputs.run_scanner import RunScanner
    from img.application.outputs.scan import ScanImages
    from img.domain.attestations.provenance import base36

if TYPE_CHECKING:
    from img.application.packages.find import FindPackages
    from img.application.planning.resolve import ResolveBases
    from img.application.ports.blob_store import BlobStore
    from img.application.ports.clock import Clock
    from img.application.ports.executor import Executor
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.working_copy import WorkingCopies
    from img.application.solver.roots import Roots


def take_account(copies: WorkingCopies, clock: Clock) -> TakeAccount:
    """Return the use case that notes how an image was built."""
    said = parse_boolean(os.environ.get("BUILDX_GIT_INFO", ""))
    return TakeAccount(
        working_copies=copies,
        clock=clock,
        new_id=lambda: base36(int.from_bytes(os.urandom(16), "big")),
        tool_version=f"img-{__version__}",
        has_vcs=said is not False,
    )


def attestations(
    blobs: BlobStore,
    packages: Callable[[], FindPackages],
    resolve: ResolveBases,
    roots: Roots,
    executor: Executor,
    progress: ProgressSink,
) -> Attest:
    """Return the use case that attests how an image was built, and its packages."""
    modes = {"disabled": "", "false": "", "max": "max"}
    mode = modes.get(os.environ.get("BUILDX_METADATA_PROVENANCE", "").lower(), "min")

    @cache
    def scan() -> ScanImages:
        scanner = RunScanner(
            resolve=resolve,
            roots=roots,
            executor=executor,
            progress=progress,
            platform=host_platform(),
            tool_version=__version__,
        )
        return ScanImages(packages=packages(), run_scanner=scanner, tool_version=__version__)

    return Attest(blobs=blobs, scan=scan, metadata_mode=mode)

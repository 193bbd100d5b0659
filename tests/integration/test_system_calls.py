"""The number of system calls for each file. How fast anything is, no test says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.host.machine import lacking

FILES = 200
_SCRIPT = """
import os, sys, tempfile
from functools import partial
from pathlib import Path
from img.adapters.blob_store.files import FileBlobStore
from img.adapters.build_context.directory import DirectoryContext
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.layer_archive import PackedEntry

me, mine = os.geteuid(), os.getegid()

def begin(what):
    os.access(f"/count/{what}", os.F_OK)

def measure(root, files):
    context = root / f"{files} files"
    for number in range(files):
        file = context / f"d{number // 50}/f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % number * 500)
    blobs, archive = FileBlobStore(root / "blobs"), TarLayerArchive()
    begin("walk")
    source = DirectoryContext(context, known=MemoryFileDigestStore())
    tree = source.tree()
    begin("copy")
    entries = [
        PackedEntry(
            entry._replace(uid=me, gid=mine),
            partial(source.open, entry.path) if entry.size else None,
        )
        for entry in sorted(tree.walk(""))
    ]
    packed = archive.pack(entries, blobs.writer())
    source.remember((entry.path, entry.digest) for entry in packed.index if entry.digest)
    begin("unpack")
    target = root / f"{files} unpacked"
    target.mkdir(mode=0o755)
    with blobs.open(packed.layer.descriptor.digest) as blob:
        archive.unpack(
            blob, str(target), overlay=True, place=str, implied=lambda _: None, index=packed.index
        )
    begin("end")

with tempfile.TemporaryDirectory() as root:
    measure(Path(root), 1)  # the imports of first uses
    measure(Path(root), int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return the system calls for each file, by activity."""
    strace = shutil.which("strace") or lacking("strace is not installed")
    log = tmp_path_factory.mktemp("calls") / "log"
    command = [strace, "-f", "-qq", "-o", str(log), sys.executable, "-c", _SCRIPT, str(FILES)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in ended.stderr.lower() and "not permitted" in ended.stderr.lower():
        lacking("strace may not trace processes here")
    assert ended.returncode == 0, ended.stderr
    return _counted(log)


def _counted(log: Path) -> dict[str, float]:
    found: dict[str, int] = {}
    activity = "start"
    for line in log.read_text(errors="replace").splitlines():
        _, marker, rest = line.partition('"/count/')  # access or faccessat
        if marker:
            activity = rest.partition('"')[0]
            found[activity] = 0  # those of the first, small run are forgotten
        elif "futex(" not in line and "resumed>" not in line:  # the threads of the packer
            found[activity] = found.get(activity, 0) + 1
    return {activity: count / FILES for activity, count in found.items()}


def test_a_walk_makes_few_calls_for_a_file(calls: dict[str, float]) -> None:
    # newfstatat, llistxattr; and for each directory openat, fstat, getdents64, close
    assert calls["walk"] <= 2.6


def test_packing_makes_few_calls_for_a_file(calls: dict[str, float]) -> None:
    # openat, read, fstat, close; and the blob's own
    assert calls["copy"] <= 4.7


def test_unpacking_makes_few_calls_for_a_file(calls: dict[str, float]) -> None:
    # openat, write, utimensat, close
    assert calls["unpack"] <= 4.8

"""With hostile files in a context, ``img`` reads no others, and needs little time and memory.

The real command, started anew for each attack: what it prints, how long it takes, its memory.
"""

import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.secret_source.local import LocalSecrets
from img.domain.digest import Digest
from img.domain.errors import ContextError
from img.domain.oci import media_types
from img.domain.oci.codec import encode_index, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import LAYOUT_CONTENT, blob_path
from img.domain.oci.manifest import Manifest
from img.domain.options.secrets import SecretSpec

_MIB = 1 << 20
_SECRET = "TOKEN=c0ffee-not-for-you"
_PATIENCE_S = 60.0  # of a machine that does much else; an attack that succeeds never ends
_MOST_MEMORY = 200  # MiB; the command itself takes about 60
_BLOCK = 128 << 10

# Runs the command, and says on the last line how much memory it took at most, in MiB. A process of
# its own, as a child counts what its parent had when it was forked.
_RUN = """
import resource, subprocess, sys
command = [sys.executable, "-c", "from img.entrypoints.start import main; main()"]
code = subprocess.run([*command, *sys.argv[1:]]).returncode
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(f"\\nmemory {memory}", file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of a command."""

    code: int
    output: str
    memory: int  # MiB

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        (line,) = [each for each in self.output.splitlines() if each.startswith("Error: ")]
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A context that a stranger wrote, a secret beside it, and the command."""

    root: Path

    @property
    def context(self) -> Path:
        return self.root / "context"

    @property
    def secret(self) -> Path:
        return self.root / "secret"

    def img(self, *arguments: str | Path, stdin: bytes = b"", store: str = "files") -> Ended:
        """Run the command; it must end by itself, small, and without a traceback."""
        started = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-c", _RUN, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=self.root,
            env={
                **os.environ,
                "IMG_STATE": str(self.root / "state"),
                "IMG_STORE": store,
                "HOME": str(self.root),
            },
            timeout=_PATIENCE_S,
            check=False,
        )
        output = (run.stdout + run.stderr).decode("utf-8", "replace")
        assert time.monotonic() - started < _PATIENCE_S
        assert "Traceback" not in output, output[-2000:]
        assert _SECRET not in output
        memory = int(output.rpartition("\nmemory ")[2])
        assert memory < _MOST_MEMORY, output[-2000:]
        return Ended(code=run.returncode, output=output, memory=memory)

    def build(self, *arguments: str | Path, stdin: bytes = b"") -> Ended:
        """Build the context, which must fail."""
        ended = self.img("build", "-o", "type=tar,dest=/dev/null", *arguments, stdin=stdin)
        assert ended.code == 5, ended.output[-2000:]
        return ended

    def build_from_layout(self) -> Ended:
        """Build the context on an image of a layout, which must fail."""
        base = ("--build-context", "base=oci-layout://layout")
        ended = self.img("build", "-o", "type=tar,dest=/dev/null", *base, "context")
        assert ended.code != 0
        return ended


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(root=tmp_path)
    made.context.mkdir()
    made.secret.write_text(f"{_SECRET}\n" * 9)
    (made.context / "file").write_text("FROM scratch\n")
    yield made


def _link_to_secret(path: Path) -> None:
    path.symlink_to("../secret")


def _absolute_link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "secret")


def _link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


_PLANTS = (_link_to_secret, _absolute_link, _link_to_zero, _fifo, _huge)


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        *(("Dockerfile", plant) for plant in _PLANTS),
        (".dockerignore", _link_to_secret),
        (".dockerignore", _link_to_zero),
        ("Dockerfile.dockerignore", _fifo),
    ],
)
def test_a_context_leads_to_no_other_file(
    place: Place, name: str, plant: Callable[[Path], None]
) -> None:
    if name != "Dockerfile":
        (place.context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    plant(place.context / name)

    ended = place.build("context")

    kind = "Dockerfile" if name == "Dockerfile" else ".dockerignore"
    assert f"unable to open {kind} context/{name}: " in ended.error


@pytest.mark.parametrize("plant", [_link_to_secret, _fifo])
def test_neither_does_a_dockerfile_that_the_user_names(
    place: Place, plant: Callable[[Path], None]
) -> None:
    plant(place.context / "other")
    ended = place.build("-f", "context/other", "context")
    assert "unable to open Dockerfile context/other: " in ended.error


def test_neither_does_a_named_context(place: Place) -> None:
    (place.context / "Dockerfile").write_text("FROM scratch\nCOPY --from=more . /\n")
    (place.root / "more").mkdir()
    _link_to_secret(place.root / "more" / ".dockerignore")
    ended = place.build("--build-context", "more=more", "context")
    assert "unable to open .dockerignore" in ended.error


def test_neither_does_an_archive(place: Place) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        planted = tarfile.TarInfo("Dockerfile")
        planted.type, planted.linkname = tarfile.SYMTYPE, str(place.secret)
        tar.addfile(planted)
    assert "unable to open Dockerfile" in place.build("-", stdin=content.getvalue()).error


def _member(name: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        header = tarfile.TarInfo(name)
        header.size = len(content)
        tar.addfile(header, io.BytesIO(content))
    return archive.getvalue().rstrip(b"\0").ljust(512 + (len(content) + 511 & ~511), b"\0")


def _gzipped(start: bytes, zeros: int, then: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(start)
        for _ in range(zeros // _MIB):
            file.write(bytes(_MIB))
        file.write(then)
    return packed.getvalue()


def _zstd_runs(blocks: int) -> bytes:
    """Return a zstd frame of blocks of 4 bytes, each of which stands for 128 KiB of zeros."""
    run = (_BLOCK << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (_BLOCK << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\0" + bytes([23 - 10 << 3]) + run * (blocks - 1) + last


def _header(name: str, size: int, kind: bytes = b"0") -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    return header.tobuf(tarfile.GNU_FORMAT)


_BOMBS: dict[str, Callable[[], bytes]] = {
    "long name": lambda: _gzipped(_header("././@LongLink", 1 << 30, b"L"), 128 * _MIB),
    "long link": lambda: _gzipped(_header("././@LongLink", 1 << 30, b"K"), 128 * _MIB),
    "pax": lambda: _gzipped(_header("././@LongLink", 1 << 30, b"x"), 128 * _MIB),
    "size beyond all": lambda: _header("layer.tar", 1 << 62),
    "zeros, zstd": lambda: _zstd_runs(4096),
    "zeros, xz": lambda: lzma.compress(bytes(32 * _MIB), preset=1),
    "document": lambda: _gzipped(_header("manifest.json", 1 << 30), 128 * _MIB),
    "deep json": lambda: _member("manifest.json", b"[" * 3_000_000),
    "wide json": lambda: _member("manifest.json", b"[" + b"{}," * 1_000_000 + b"{}]"),
    "members": lambda: gzip.compress(_header("d/x", 0, b"5") * 70_000, 1),
}


@pytest.mark.parametrize("bomb", _BOMBS)
def test_an_archive_of_images_takes_little_memory(place: Place, bomb: str) -> None:
    (place.root / "bomb").write_bytes(_BOMBS[bomb]())
    ended = place.img("load", "-i", "bomb")
    assert ended.code == 5, ended.output[-2000:]
    assert "cannot load images from the archive" in ended.error


def test_a_context_from_standard_input_takes_little_memory(place: Place) -> None:
    assert "damaged archive" in place.build("-", stdin=_BOMBS["pax"]()).error


def _layout(root: Path, size: int) -> Path:
    """Write a layout without a config, and return the path of the missing config."""
    config = Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(b"config"), size=size)
    manifest = encode_manifest(Manifest(config=config))
    target = Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(manifest), size=len(manifest)
    )
    (root / "blobs/sha256").mkdir(parents=True)
    (root / "oci-layout").write_bytes(LAYOUT_CONTENT)
    (root / "index.json").write_bytes(encode_index(Index(manifests=(target,))))
    (root / blob_path(target.digest)).write_bytes(manifest)
    return root / blob_path(config.digest)


@pytest.mark.parametrize("plant", [_link_to_secret, _link_to_zero, _fifo])
def test_a_layout_has_regular_files_of_the_size_it_says(
    place: Place, plant: Callable[[Path], None]
) -> None:
    (place.context / "Dockerfile").write_text("FROM base\n")
    config = _layout(place.root / "layout", 6)
    plant(config)
    ended = place.build_from_layout()
    assert "oci-layout " in ended.error


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
@pytest.mark.parametrize("plant", [_link_to_zero, _fifo])
def test_neither_are_a_layouts_documents_read_from_elsewhere(
    place: Place, plant: Callable[[Path], None], name: str
) -> None:
    (place.context / "Dockerfile").write_text("FROM base\n")
    _layout(place.root / "layout", 6)
    (place.root / "layout" / name).unlink()
    plant(place.root / "layout" / name)
    assert "not a regular file" in place.build_from_layout().error


def test_a_store_that_is_a_layout_opens_no_fifo(place: Place) -> None:
    _layout(place.root / "state" / "layout", 6)
    index = place.root / "state" / "layout" / "index.json"
    index.unlink()
    _fifo(index)
    ended = place.img("ls", store="oci-layout")
    assert ended.code == 8
    assert "a FIFO, not a regular file" in ended.error


def test_a_secret_is_read_from_a_fifo_that_is_written_to_and_from_no_endless_device(
    tmp_path: Path,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    specs = [SecretSpec(id="fifo", path=str(fifo)), SecretSpec(id="zero", path="/dev/zero")]
    secrets = LocalSecrets(specs, [])
    writer = threading.Thread(target=fifo.write_bytes, args=(b"from a program",))
    writer.start()
    assert secrets.secret("fifo") == b"from a program"
    writer.join()
    with pytest.raises(ContextError, match="larger than 512000 bytes"):
        secrets.secret("zero")

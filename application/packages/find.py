"""Finding of packages in a stack of layers; nothing is unpacked."""

import contextlib
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, BinaryIO

from img.application.layers.trees import Trees
from img.application.packages.java_archives import JavaRecords
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.layer_archive import InvalidLayer
from img.domain.dataclass import dataclass
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.paths import printable
from img.domain.filesystem.tree import FileTree
from img.domain.json_text import InvalidJson
from img.domain.oci.chain import Layer
from img.domain.packages.apk import apk_packages
from img.domain.packages.dpkg import dpkg_packages
from img.domain.packages.java import java_packages
from img.domain.packages.metadata_files import (
    composer_packages,
    gem_package,
    npm_package,
    python_package,
)
from img.domain.packages.package import Distribution, Package, distribution_of
from img.domain.packages.programs import ProgramScanner, go_packages, rust_packages
from img.domain.packages.records import RecordKind, most_bytes, record_kind
from img.domain.packages.rpm import BadDatabase, rpm_packages
from img.domain.packages.rpm_ndb import ndb_headers
from img.domain.packages.sqlite_table import SqliteTables

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable

_CHUNK = 1 << 20  # bytes
_MOST_RUST_TEXT = 32 << 20  # bytes, also of the compressed section
_MOST_DATABASES = 512 << 20  # bytes of rpm's databases, which are kept to the end
_MOST_PACKAGES = 100_000  # of an image; the largest have 20,000
_TOO_MANY = f"the image has more than {_MOST_PACKAGES:,} packages"
_LOG_SUFFIX = "-wal"
_BDB = "the Berkeley DB format of old versions of rpm is not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRecord:
    """A record of packages that could not be read."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPackages:
    """The packages of an image, sorted, and the records that are not part of them."""

    packages: Sequence[Package]
    distribution: Distribution
    unread: Sequence[UnreadRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPackages:
    """A reader of all records in the merged tree of an image, one pass for each layer."""

    trees: Trees

    def __call__(self, layers: Sequence[Layer]) -> FoundPackages:
        """Return the packages. Raises InvalidLayer, BlobNotFound, RegistryError."""
        tree = self.trees.of(layers)
        found = _Found(tree)
        for number, records in _by_layer(tree).items():
            self._read(layers[number], records, found)
        found.read_databases()
        return found.result()

    def _read(
        self, layer: Layer, records: Sequence[tuple[Entry, RecordKind]], found: "_Found"
    ) -> None:
        left: dict[int, list[tuple[Entry, RecordKind]]] = defaultdict(list)
        for entry, kind in records:
            left[entry.offset].append((entry, kind))
        members = self.trees.members_of(layer)
        if members is not None:
            # The table may be wrong, and the blob sound.
            with contextlib.suppress(BlobDamaged, InvalidLayer):
                self._take(layer, left, found, members)
        self._take(layer, left, found, None)
        self._take_crates(layer, found)

    def _take(
        self,
        layer: Layer,
        left: dict[int, list[tuple[Entry, RecordKind]]],
        found: "_Found",
        members: "MemberTable | None",
    ) -> None:
        """Take the records from ``left``, by their offsets. Raises BlobDamaged, InvalidLayer."""
        if not left:
            return
        wanted = {offset: same[0][0].size for offset, same in left.items()}
        with self.trees.layers.open(layer) as blob:
            for offset, content in self.trees.archive.contents(blob, wanted, members):
                # A table that is wrong leads to other bytes of a sound blob.
                digest = left[offset][0][0].digest if members is not None else ""
                found.take(left[offset], _chunks(content, digest, layer))
                del left[offset]

    def _take_crates(self, layer: Layer, found: "_Found") -> None:
        """Read the sections of Rust programs, the places of which are known after one pass."""
        sections, found.sections = found.sections, {}
        if not sections:
            return
        wanted = {offset: size for offset, (size, _) in sections.items()}
        with self.trees.layers.open(layer) as blob:
            for offset, content in self.trees.archive.contents(blob, wanted):
                found.take_crates(sections[offset][1], content.read())


def _chunks(content: BinaryIO, digest: str, layer: Layer) -> Iterator[bytes]:
    """Yield a content. Raises BlobDamaged at its end if it has another SHA-256 than ``digest``."""
    found = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        if digest:
            found.update(chunk)
        yield chunk
    if digest and found.hexdigest() != digest:
        raise BlobDamaged(layer.descriptor.digest)


def _by_layer(tree: FileTree) -> Mapping[int, list[tuple[Entry, RecordKind]]]:
    records: dict[int, list[tuple[Entry, RecordKind]]] = defaultdict(list)
    for entry in tree.walk(""):
        kind = record_kind(entry)
        if kind is not None:
            records[tree.layer_of(entry.path)].append((entry, kind))
    return records


@dataclass(slots=True)
class _Found:
    """The packages found so far."""

    tree: FileTree
    packages: list[Package] = field(default_factory=list)
    unread: list[UnreadRecord] = field(default_factory=list)
    systems: dict[str, str] = field(default_factory=dict)
    databases: dict[str, bytes] = field(default_factory=dict)  # of rpm, with their logs
    sections: dict[int, tuple[int, list[str]]] = field(default_factory=dict)  # size, programs
    is_full: bool = False

    def take(self, records: Sequence[tuple[Entry, RecordKind]], chunks: Iterator[bytes]) -> None:
        """Read one file to its end; it has several records if it has several names."""
        first, kind = records[0]
        if kind == "program":
            self._take_program([entry for entry, _ in records], chunks)
        elif first.size > (most := most_bytes(kind)):
            self._refuse(first.path, f"it is larger than {most >> 20} MiB")
        else:
            data = b"".join(chunks)
            for entry, each in records:
                if each == "os-release":
                    self.systems[entry.path] = _decoded(data)
                    continue
                self._read(entry.path, self._packages(each, entry.path, data))

    def take_crates(self, programs: Sequence[str], section: bytes) -> None:
        """Read the section of Rust programs that are one file."""
        for path in programs:
            self._read(path, _crates(section, path))

    def read_databases(self) -> None:
        """Read the databases of rpm, each with the log of what it does not hold yet."""
        for path, data in self.databases.items():
            if path.endswith(_LOG_SUFFIX):
                continue
            log = self.databases.get(path + _LOG_SUFFIX, b"")
            self._read(path, rpm_packages(_headers(data, log), path))

    def result(self) -> FoundPackages:
        """Return all of it, sorted."""
        text = self.systems.get("etc/os-release") or self.systems.get("usr/lib/os-release", "")
        # Several records may say the same; documents have an ID for each package.
        different = {package.sort_key: package for package in reversed(self.packages)}
        packages = [different[key] for key in sorted(different)]
        return FoundPackages(
            packages=packages, distribution=distribution_of(text), unread=self.unread
        )

    def _read(self, path: str, packages: Iterator[Package]) -> None:
        try:
            # Before the record is read: a file with many names would be read as often.
            if self.is_full:
                raise BadDatabase(_TOO_MANY)
            found = self._with_layers(packages, path)
        except (BadDatabase, InvalidJson) as error:
            self._refuse(path, str(error))
            return
        self.packages += found

    def _with_layers(self, packages: Iterator[Package], record: str) -> list[Package]:
        """Return the packages of a record of the image, with the layer that brought each."""
        found: list[Package] = []
        for package in packages:
            self.is_full = len(self.packages) + len(found) >= _MOST_PACKAGES
            if self.is_full:
                raise BadDatabase(_TOO_MANY)
            if package.name and not package.name.endswith("/"):
                layer = self._layer_of(package, record)
                place = printable(package.location)
                found.append(replace(package, layer=layer, location=place))
        return found

    def _refuse(self, path: str, reason: str) -> None:
        self.unread.append(UnreadRecord(path=path, reason=reason))

    def _layer_of(self, package: Package, record: str) -> int:
        """Return the layer that brought a package: dpkg's database is rewritten by each layer."""
        if package.kind == "deb":
            info = f"var/lib/dpkg/info/{package.name}"
            for path in (f"{info}.list", f"{info}:{package.architecture}.list"):
                if self.tree.get(path) is not None:
                    return self.tree.layer_of(path)
        return self.tree.layer_of(record)

    def _packages(self, kind: RecordKind, path: str, data: bytes) -> Iterator[Package]:
        match kind:
            case "rpm-sqlite" | "rpm-log" | "rpm-ndb":
                self.databases[path] = data
                if sum(map(len, self.databases.values())) > _MOST_DATABASES:
                    del self.databases[path]
                    raise BadDatabase("the image has too many databases of rpm")
            case "rpm-bdb":
                raise BadDatabase(_BDB)
            case "dpkg":
                yield from dpkg_packages(_decoded(data), path)
            case "apk":
                yield from apk_packages(_decoded(data), path)
            case "python":
                yield from python_package(_decoded(data), path)
            case "npm":
                yield from npm_package(data, path)
            case "gem":
                yield from gem_package(_decoded(data), path)
            case "composer":
                yield from composer_packages(data, path)
            case "java":
                for place, found in JavaRecords(refuse=self._refuse)(data, path):
                    yield from java_packages(found, place)

    def _take_program(self, entries: Sequence[Entry], chunks: Iterator[bytes]) -> None:
        scanner = ProgramScanner()
        for chunk in chunks:
            scanner.feed(chunk)
        if not scanner.is_program:
            return
        text = scanner.go_text()
        for entry in entries if text else ():
            self._read(entry.path, go_packages(text, entry.path))
        section = scanner.rust_section()
        if section is None:
            return
        offset, size = section
        if offset + size <= entries[0].size and size <= _MOST_RUST_TEXT:
            self.sections[entries[0].offset + offset] = size, [entry.path for entry in entries]


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _crates(section: bytes, path: str) -> Iterator[Package]:
    try:
        text = zlib.decompressobj().decompress(section, _MOST_RUST_TEXT)
    except zlib.error as error:
        raise BadDatabase(f"a damaged list of crates: {error}") from None
    yield from rust_packages(text, path)


def _headers(database: bytes, log: bytes) -> Iterator[bytes]:
    if database[:4] == b"RpmP":
        yield from ndb_headers(database)
        return
    for row in SqliteTables(database, log).rows("Packages"):
        header = row[1] if len(row) > 1 else None
        if isinstance(header, bytes):
            yield header

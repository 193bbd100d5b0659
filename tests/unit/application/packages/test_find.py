"""Packages of whole images, and the documents that list them."""

import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from img.application.packages import find
from img.application.packages.find import UnreadRecord
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.member_table import MemberTable
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference
from img.domain.sbom.bill import Bill
from img.domain.sbom.cyclonedx import cyclonedx_document
from img.domain.sbom.spdx import spdx_document
from tests.support.images.programs import go_record, rust_program
from tests.support.images.rpm_headers import header_of, ndb_of
from tests.support.in_memory_app import HERE, InMemoryApp

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
STATUS = "Package: {}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"
CRATES = {"packages": [{"name": "serde", "version": "1.0.0", "source": "crates.io"}]}


def jar(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def rpm_database(path: Path) -> tuple[bytes, bytes]:
    """Return a database of rpm in WAL mode, and its log with all packages."""
    file = path / "rpmdb.sqlite"
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    header = header_of("bash", "5.1", "6", epoch=1)
    connection.execute("INSERT INTO Packages (blob) VALUES (?)", (header,))
    made = file.read_bytes(), (path / "rpmdb.sqlite-wal").read_bytes()
    connection.close()
    return made


def listed(app: InMemoryApp, name: str = "app") -> tuple[Bill, Sequence[UnreadRecord]]:
    found: tuple[Bill, Sequence[UnreadRecord]] = app.container.images.list_packages()(
        ImageName.of(ImageReference.parse(name)), HERE, created=NOW, tool_version="1.2"
    )
    return found


def names(bill: Bill) -> list[str]:
    return [f"{each.kind} {each.name} {each.version}" for each in bill.packages]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    database, log = rpm_database(tmp_path)
    inner = jar({"META-INF/maven/a/b/pom.properties": b"groupId=a\nartifactId=b\nversion=2\n"})
    outer = jar({"META-INF/MANIFEST.MF": b"Bundle-Version: 3\n", "BOOT-INF/lib/b.jar": inner})
    return {
        "os-release": b"ID=debian\nVERSION_ID=12\n",
        "status": (STATUS.format("a") + STATUS.format("b")).encode(),
        "rpmdb.sqlite": database,
        "rpmdb.sqlite-wal": log,
        "Packages.db": ndb_of([header_of("zypper", "1", "2")]),
        "installed": b"P:musl\nV:1.2\nU:https://no host\nL:MIT AND strange license\n\n",
        "METADATA": b"Name: six\nVersion: 1.16.0\nLicense: MIT\nHome-page: https://six.example/a?b\n\n",
        "package.json": b'{"name": "app", "version": "1.0.0", "license": "ISC"}',
        "broken.json": b'{"name": "app", ',
        "rake.gemspec": b"# stub: rake 13 ruby lib\n",
        "installed.json": b'[{"name": "a/b", "version": "1"}]',
        "app.war": outer,
        "tool": go_record("go1.22", "dep\tgolang.org/x/sys\tv0.1.0\n"),
        "auditable": rust_program(zlib.compress(json.dumps(CRATES).encode())),
    }


@pytest.fixture
def app(files: dict[str, bytes]) -> InMemoryApp:
    made = InMemoryApp()
    made.build(
        "FROM scratch\n"
        "COPY os-release /usr/lib/os-release\n"
        "COPY status /var/lib/dpkg/status\n"
        "COPY rpmdb.sqlite rpmdb.sqlite-wal /var/lib/rpm/\n"
        "COPY Packages.db /usr/lib/sysimage/rpm/Packages.db\n"
        "COPY installed /lib/apk/db/installed\n"
        "COPY METADATA /venv/six.dist-info/METADATA\n"
        "COPY package.json /app/package.json\n"
        "COPY broken.json /broken/package.json\n"
        "COPY rake.gemspec /gems/specifications/rake.gemspec\n"
        "COPY installed.json /vendor/composer/installed.json\n"
        "COPY app.war /app/app.war\n"
        "COPY --chmod=755 tool auditable /usr/bin/\n",
        files,
    )
    return made


def test_each_kind_of_record_is_read(app: InMemoryApp) -> None:
    bill, unread = listed(app)

    assert names(bill) == [
        "apk musl 1.2",
        "cargo serde 1.0.0",
        "composer a/b 1",
        "deb a 1",
        "deb b 1",
        "gem rake 13",
        "golang golang.org/x/sys v0.1.0",
        "golang stdlib 1.22",
        "maven a:b 2",
        "maven app 3",
        "npm app 1.0.0",
        "pypi six 1.16.0",
        "rpm bash 5.1-6",
        "rpm zypper 1-2",
    ]
    assert [each.path for each in unread] == ["broken/package.json"]
    assert bill.distribution.qualifier == "debian-12"
    locations = {each.name: each.location for each in bill.packages}
    assert locations["a:b"] == "app/app.war!BOOT-INF/lib/b.jar"


def test_packages_are_those_of_the_merged_tree_and_know_their_layer() -> None:
    app = InMemoryApp()
    app.build(
        "FROM scratch\n"
        "COPY one /var/lib/dpkg/status\n"
        "COPY list /var/lib/dpkg/info/a.list\n"
        "COPY two /var/lib/dpkg/status\n"
        "COPY list /var/lib/dpkg/info/b:amd64.list\n",
        {
            "one": (STATUS.format("a") + STATUS.format("removed")).encode(),
            "two": (STATUS.format("a") + STATUS.format("b") + STATUS.format("c")).encode(),
            "list": b"/usr\n",
        },
    )
    bill, _ = listed(app)

    assert [(each.name, each.layer) for each in bill.packages] == [("a", 1), ("b", 3), ("c", 2)]


def test_documents_are_valid_and_equal_in_each_run(app: InMemoryApp, tmp_path: Path) -> None:
    bill, again = listed(app)[0], listed(app)[0]
    spdx, cyclonedx = spdx_document(bill), cyclonedx_document(bill)
    (tmp_path / "x.json").write_text(json.dumps(spdx), encoding="utf-8")
    problems = validate_full_spdx_document(parse_from_file(str(tmp_path / "x.json")))

    assert [each.validation_message for each in problems] == []
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(cyclonedx)) is None
    assert (spdx, cyclonedx) == (spdx_document(again), cyclonedx_document(again))
    assert spdx["name"] == "app:latest"
    assert '"created": "2024-05-06T07:08:09Z"' in json.dumps(spdx)


def test_a_document_has_what_its_readers_look_for(app: InMemoryApp) -> None:
    bill, _ = listed(app)
    document = json.dumps(spdx_document(bill))

    assert "SPDXRef-OperatingSystem-debian-12" in document  # trivy skips packages without it
    assert '"referenceCategory": "PACKAGE-MANAGER"' in document
    assert "pkg:deb/debian/a@1?arch=amd64&distro=debian-12" in document
    assert f"layerID: {bill.layers[1]}" in document
    assert "LicenseRef-MIT-AND-strange-license" in document


def test_an_image_without_packages_has_a_bill(tmp_path: Path) -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY x /\n", {"x": b"1"})
    bill, unread = listed(app)
    (tmp_path / "x.json").write_text(json.dumps(spdx_document(bill)), encoding="utf-8")

    assert (names(bill), unread) == ([], [])
    assert not validate_full_spdx_document(parse_from_file(str(tmp_path / "x.json")))
    document = json.dumps(cyclonedx_document(bill))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


def test_damaged_records_are_named_and_the_others_are_listed(files: dict[str, bytes]) -> None:
    app = InMemoryApp()
    app.build(
        "FROM scratch\n"
        "COPY bad /var/lib/rpm/rpmdb.sqlite\n"
        "COPY bad /usr/share/rpm/Packages.db\n"
        "COPY bad /var/lib/rpm/Packages\n"
        "COPY bad /app/x.jar\n"
        "COPY cut.war /app/\n"
        "COPY METADATA /venv/six.dist-info/METADATA\n"
        "COPY --chmod=755 bad-crates /usr/bin/\n",
        {
            **files,
            "bad": b"bad" * 2000,
            "cut.war": files["app.war"][:-30],
            "bad-crates": rust_program(b"no zlib"),
        },
    )
    bill, unread = listed(app)

    assert names(bill) == ["pypi six 1.16.0"]
    assert sorted(each.path for each in unread) == [
        "app/cut.war",
        "app/x.jar",
        "usr/bin/bad-crates",
        "usr/share/rpm/Packages.db",
        "var/lib/rpm/Packages",
        "var/lib/rpm/rpmdb.sqlite",
    ]


def test_the_difference_of_two_images_names_files_packages_and_settings() -> None:
    app = InMemoryApp()
    base = "FROM scratch\nCOPY same /same\n"
    given = {"same": b"0", "one": b"1", "two": b"22"}
    status = {"s1": STATUS.format("a").encode(), "s2": STATUS.format("b").encode()}
    app.build(
        f"{base}COPY one /f\nCOPY one /gone\nCOPY s1 /var/lib/dpkg/status\nENV A=1 B=1\nUSER u\n",
        {**given, **status},
        tags=("old",),
    )
    app.build(
        f"{base}COPY --chmod=600 two /f\nCOPY s2 /var/lib/dpkg/status\nENV A=2 B=1\nLABEL l=x\n",
        {**given, **status},
        tags=("new",),
    )
    old, new = (ImageName.of(ImageReference.parse(name)) for name in ("old", "new"))
    compared = app.container.images.compare_images()(old, new, HERE)

    alone = app.container.images.compare_images()(old, new, HERE, parts=("files",))
    assert (alone.config, [*alone.packages], alone.files) == ((), [], compared.files)
    assert compared.common_layers == 1
    assert [(each.kind, each.name, *each.details) for each in compared.config] == [
        ("changed", "Env A", "1 → 2"),
        ("added", "Labels l", "x"),
        ("removed", "User", "u"),
    ]
    assert [(each.kind, each.name, *each.details) for each in compared.packages] == [
        ("removed", "deb a", "1"),
        ("added", "deb b", "1"),
    ]
    assert [(each.kind, each.name, each.details, each.growth) for each in compared.files] == [
        ("changed", "/f", ("content", "mode 0644 → 0600"), 1),
        ("removed", "/gone", (), -1),
        ("changed", "/var/lib/dpkg/status", ("content",), 0),
    ]


def test_records_are_read_from_their_members_and_a_wrong_table_changes_nothing() -> None:
    app = InMemoryApp()
    files = {
        f"d{n:02}/node_modules/p/package.json": json.dumps(
            {"name": f"p{n}", "version": "1", "x": f"{n}-" * 300_000}
        ).encode()
        for n in range(40)
    }
    built = app.build("FROM scratch\nCOPY . /\n", files)
    (layer,) = built.images[0].layers
    index = app.indexes.get(layer.diff_id)
    assert index is not None
    table = index.members
    assert table is not None
    rows = table.members
    wrong = (
        [*rows[:-2], rows[-1], rows[-2]],
        [row._replace(stored=row.stored + 1) for row in rows],
        [*rows[:-2], rows[-2]._replace(size=rows[-2].size - 512),
         rows[-1]._replace(size=rows[-1].size + 512)],
    )  # fmt: skip
    found = names(listed(app)[0])

    assert len(found) == 40
    for each in wrong:
        members = MemberTable(layer.descriptor.digest, each)
        app.indexes.put(layer.diff_id, FileIndex(index.columns, members))
        app.container.images.trees()._indexes.clear()
        assert (names(listed(app)[0]), listed(app)[1]) == (found, [])


@pytest.mark.timeout(60)
def test_an_image_with_too_many_packages_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_MOST_PACKAGES", 3)
    app = InMemoryApp()
    many = "".join(STATUS.format(f"p{number}") for number in range(4)).encode()
    module = b'{"name": "n", "version": "1"}'
    files = {"a/package.json": module, "b.dist-info/METADATA": b"Name: x\nVersion: 1\n"}
    app.build("FROM scratch\nCOPY . /\n", {**files, "var/lib/dpkg/status": many})
    bill, unread = listed(app)

    assert names(bill) == ["npm n 1", "pypi x 1"]
    assert [each.path for each in unread] == ["var/lib/dpkg/status"]


def test_the_difference_names_the_records_that_cannot_be_read() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY x /var/lib/rpm/Packages.db\n", {"x": b"1"})
    name = ImageName.of(ImageReference.parse("app"))
    compared = app.container.images.compare_images()(name, name, HERE)

    assert [each.path for each in compared.unread] == ["var/lib/rpm/Packages.db"]


def test_hostile_records_cost_little_and_leave_documents_valid(tmp_path: Path) -> None:
    app = InMemoryApp()
    module = json.dumps({"name": "x\ud800\x1b[2J", "version": "1\x00", "license": "\u202e"})
    properties = b"groupId=g\nartifactId=a\nversion=1\n#".ljust(1 << 20)
    app.build(
        "FROM scratch\nCOPY . /\n",
        {
            "b\udcff/package.json": module.encode(),
            f"b{chr(0xDCFE)}/package.json": module.encode(),
            "specifications/x.gemspec": b"\n" * 10**6,
            "x.dist-info/METADATA": b"Name: n\nVersion: 1\nDescription:" + b" d\n" * 10**6,
            "a!b/twice.jar": jar({f"META-INF/maven/{n}/pom.properties": b"artifactId=a\nversion=1"
                                  for n in range(2)}),
            "records.jar": jar({f"META-INF/maven/{n}/pom.properties": properties
                                for n in range(17)}),
            "nested.war": jar({"bad.jar": b"no jar", "a-1.jar": jar({"x": b""}),
                               f"{'b-1' * 9999}!.jar": jar({"x": b""})}),
            "var/lib/dpkg/status": STATUS.format("../../a").encode(),
        },
    )  # fmt: skip
    bill, unread = listed(app)

    assert names(bill) == [
        "deb ../../a 1", "maven a 1", "maven a 1", "npm x\ufffd\x1b[2J 1\x00",
        "npm x\ufffd\x1b[2J 1\x00", "pypi n 1",
    ]  # fmt: skip
    assert [each.path for each in unread] == ["nested.war!bad.jar", "records.jar"]
    spdx, cyclonedx = spdx_document(bill), cyclonedx_document(bill)
    for document in (spdx, cyclonedx):
        assert "\\\\xff/package.json" in json.dumps(document, ensure_ascii=False).encode().decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(cyclonedx)) is None
    (tmp_path / "x.json").write_text(json.dumps(spdx), encoding="utf-8")
    assert not validate_full_spdx_document(parse_from_file(str(tmp_path / "x.json")))

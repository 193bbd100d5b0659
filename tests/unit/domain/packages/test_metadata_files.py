"""Packages of languages."""

import json

import pytest

from img.domain.filesystem.entry import FILE, SYMLINK, Entry
from img.domain.packages.java import java_packages
from img.domain.packages.metadata_files import (
    composer_packages,
    gem_package,
    npm_package,
    python_package,
)
from img.domain.packages.records import record_kind


def test_a_python_package_has_its_license_expression() -> None:
    text = (
        "Metadata-Version: 2.4\nName: Foo_Bar\nVersion: 1.0\nLicense: MIT License\n more\n"
        "License-Expression: MIT\nAuthor-email: A <a@b>\n\nName: in the description\n"
    )
    (found,) = python_package(text, "x")

    assert (found.name, found.version, found.license) == ("Foo_Bar", "1.0", "MIT")
    assert found.supplier == "A <a@b>"
    assert list(python_package("Name: x\nLicense: UNKNOWN\n", "x")) == []


@pytest.mark.parametrize(
    ("more", "license_", "supplier"),
    [
        ({"license": "MIT", "author": "A <a@b>"}, "MIT", "A <a@b>"),
        ({"license": {"type": "BSD"}, "author": {"name": "A", "email": "a@b"}}, "BSD", "A <a@b>"),
        ({"licenses": [{"type": "MIT"}, {"type": "X"}], "author": ["x"]}, "MIT OR X", ""),
        ({"license": 3, "author": {"name": "A"}}, "", "A"),
    ],
)
def test_an_npm_package_has_its_license_in_any_form(
    more: dict[str, object], license_: str, supplier: str
) -> None:
    (found,) = npm_package(json.dumps({"name": "@a/b", "version": "1", **more}).encode(), "x")

    assert (found.name, found.license, found.supplier) == ("@a/b", license_, supplier)


def test_a_package_json_without_name_or_version_is_no_package() -> None:
    for value in ({"name": "a"}, {"version": "1"}, {"name": 1, "version": "1"}, ["x"], None):
        assert list(npm_package(json.dumps(value).encode(), "x")) == []


def test_a_gemspec_is_read_with_and_without_its_stub() -> None:
    fields = (
        '  s.name = "rake".freeze\n  s.version = "13.0.6"\n  s.licenses = ["MIT".freeze, "X"]\n'
    )
    (plain,) = gem_package(f"Gem::Specification.new do |s|\n{fields}end\n", "x")
    (stub,) = gem_package(f"# -*- encoding: utf-8 -*-\n# stub: rake 13.0.6 ruby lib\n{fields}", "x")

    assert plain == stub
    assert (plain.name, plain.version, plain.license) == ("rake", "13.0.6", "MIT AND X")


def test_both_forms_of_composers_list_are_read() -> None:
    packages = [{"name": "a/b", "version": "1.0", "license": ["MIT", "X"]}, {"name": "no"}, 3]
    for value in (packages, {"packages": packages, "dev": True}):
        (found,) = composer_packages(json.dumps(value).encode(), "x")
        assert (found.name, found.version, found.license) == ("a/b", "1.0", "MIT OR X")


def test_a_java_archive_is_named_by_maven_else_by_its_manifest_else_by_its_file() -> None:
    maven = b"#x\nversion=1.2\ngroupId=org.x\nartifactId=y\n"
    manifest = b"Manifest-Version: 1.0\r\nImplementation-Version: 3.\r\n 4\r\n"

    def names(records: dict[str, bytes], path: str = "lib/thing-9.jar") -> list[tuple[str, str]]:
        return [(each.name, each.version) for each in java_packages(records, path)]

    both = {"META-INF/MANIFEST.MF": manifest, "META-INF/maven/org.x/y/pom.properties": maven}
    assert names(both) == [("org.x:y", "1.2")]
    assert names({"META-INF/MANIFEST.MF": manifest}) == [("thing", "3.4")]
    assert names({}) == [("thing", "9")]
    assert names({}, "lib/thing.jar") == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("var/lib/dpkg/status", "dpkg"),
        ("var/lib/dpkg/status.d/tzdata", "dpkg"),
        ("var/lib/dpkg/status.d/tzdata.md5sums", None),
        ("srv/var/lib/dpkg/status", None),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm-sqlite"),
        ("var/lib/rpm/rpmdb.sqlite-wal", "rpm-log"),
        ("var/lib/rpm/Packages", "rpm-bdb"),
        ("var/lib/rpm/rpmdb.sqlite-shm", None),
        ("usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA", "python"),
        ("usr/lib/python3/dist-packages/six-1.16.0.egg-info", "python"),
        ("x/six.egg-info/PKG-INFO", "python"),
        ("x/site-packages/setuptools/_vendor/six-1.0.dist-info/METADATA", None),
        ("app/package.json", "npm"),
        ("app/node_modules/a/package.json", "npm"),
        ("app/node_modules/@s/a/package.json", "npm"),
        ("app/node_modules/a/node_modules/b/package.json", "npm"),
        ("app/node_modules/a/test/package.json", None),
        ("app/node_modules/@s/package.json", None),
        ("usr/lib/ruby/gems/3.1.0/specifications/rake-13.gemspec", "gem"),
        ("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.gemspec", "gem"),
        ("rake/rake.gemspec", None),
        ("app/vendor/composer/installed.json", "composer"),
        ("app/lib/a.jar", "java"),
        ("app/a.tar", None),
    ],
)
def test_a_record_is_known_by_its_path(path: str, kind: str | None) -> None:
    assert record_kind(Entry(path, FILE, size=9)) == kind


def test_links_empty_files_and_small_programs_are_no_records() -> None:
    assert record_kind(Entry("var/lib/dpkg/status", SYMLINK, link="x")) is None
    assert record_kind(Entry("var/lib/dpkg/status", FILE)) is None
    assert record_kind(Entry("bin/x", FILE, 0o755, size=100)) is None
    assert record_kind(Entry("bin/x", FILE, 0o755, size=1 << 20)) == "program"

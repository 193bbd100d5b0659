"""Packages of one image of many kinds, counted by the tools of each: with IMG_TESTS_ALL."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import program
from tests.support.statements import check_spdx

pytestmark = [
    pytest.mark.userns,
    pytest.mark.any_user,
    pytest.mark.all_tests,
    pytest.mark.timeout(1200),
]

_SPEC = """\
Name: first
Version: 1.2~rc1
Release: 3
Epoch: 4
Summary: a package
License: MIT
BuildArch: noarch
%description
A package.
%package devel
Summary: another package
%description devel
Another package.
%files
%files devel
"""
_GO = """\
package main

import "example.org/old"
import "example.org/lib/v2"

func main() { println(old.Name + lib.Name) }
"""


def _run(*words: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, "HOME": str(cwd), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A directory with packages of each kind, and their names and versions by kind."""

    directory: Path
    listed: Mapping[str, list[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Made:
    place = tmp_path_factory.mktemp("tools")
    files = place / "files"
    files.mkdir()
    listed = {
        "pypi": _pip(place / "venv", files / "venv"),
        "npm": _npm(place, files / "npm"),
        "rpm": _rpm(place, files / "rpm"),
        "golang": _go(place, files / "program"),
    }
    return _Made(directory=files, listed=listed)


def test_each_kind_has_the_packages_that_its_tool_lists(
    img: Img, write_context: WriteContext, small_debian: str, made: _Made
) -> None:
    query = "dpkg-query -W -f 'listed ${Package} ${Version}\\n'"
    context = write_context(
        f"FROM {small_debian}\nRUN {query}\nCOPY venv /venv/site-packages\nCOPY npm /srv/app\n"
        "COPY rpm /var/lib/rpm\nCOPY program /usr/local/bin/\n"
    )
    _run("cp", "-R", f"{made.directory}/.", context, cwd=made.directory)
    _run("chmod", "-R", "a+rX", context, cwd=made.directory)

    built = img("build", "--progress", "plain", "-t", "app", context)

    listed = re.findall(r"(?m)^#\d+ [\d.]+ listed (\S+) (\S+)$", built.stderr)
    deb = sorted(f"{name} {version}" for name, version in listed)
    check_spdx(json.loads(img("sbom", "-f", "spdx-json", "app").stdout))
    document = json.loads(img("sbom", "-f", "cyclonedx-json", "app").stdout)
    found: dict[str, list[str]] = {}
    for component in document["components"]:
        if purl := component.get("purl"):
            kind = purl.partition("/")[0].removeprefix("pkg:")
            name = "/".join(filter(None, (component.get("group"), component["name"])))
            found.setdefault(kind, []).append(f"{name} {component.get('version', '')}".strip())
    assert {kind: sorted(each) for kind, each in found.items()} == {**made.listed, "deb": deb}


def _pip(venv: Path, target: Path) -> list[str]:
    _run(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    (purelib,) = venv.glob("lib/python*/site-packages")
    _run("cp", "-R", purelib, target, cwd=venv.parent)
    listed = _run(venv / "bin/python", "-m", "pip", "list", "--format", "json", cwd=venv)
    return sorted(f"{each['name']} {each['version']}" for each in json.loads(listed))


def _npm(place: Path, target: Path) -> list[str]:
    """Make a project with packages of a scope, nested ones and linked ones."""
    npm = (program("npm"), "--offline", "--no-audit", "--no-fund", "--no-update-notifier")
    nested = {"node_modules/left": {"name": "left", "version": "2.0.0"}}
    bundled = {"dependencies": {"left": "2.0.0"}, "bundleDependencies": ["left"]}
    right = {"name": "right", "version": "1.5.0", **bundled}
    tarballs = [
        _packed(place / "left.tgz", {"": {"name": "left", "version": "1.0.0"}}),
        _packed(place / "scoped.tgz", {"": {"name": "@team/part", "version": "3.1.0-beta.1"}}),
        _packed(place / "right.tgz", {"": right, **nested}),
    ]
    linked = target / "packages/linked"
    linked.mkdir(parents=True)
    (linked / "package.json").write_text('{"name": "linked", "version": "0.1.0"}')
    (target / "package.json").write_text('{"name": "app", "version": "7.0.0"}')
    _run(*npm, "install", *tarballs, "file:packages/linked", cwd=target)

    def names(tree: Mapping[str, Any]) -> Sequence[str]:
        below = [each for child in tree.get("dependencies", {}).values() for each in names(child)]
        return [f"{tree['name']} {tree['version']}", *below]

    tree = json.loads(_run(*npm, "ls", "--all", "--json", "--long", cwd=target))
    found = names(tree)
    assert len(found) == 6
    return sorted(found)


def _packed(path: Path, packages: Mapping[str, Mapping[str, object]]) -> Path:
    """Write a tarball as npm takes it, with a package.json in each directory."""
    with tarfile.open(path, "w:gz") as archive:
        for directory, package in packages.items():
            content = json.dumps(package).encode()
            member = tarfile.TarInfo(f"package/{directory}/package.json".replace("//", "/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _rpm(place: Path, target: Path) -> list[str]:
    """Make a database of two packages."""
    (place / "first.spec").write_text(_SPEC)
    _run(program("rpmbuild"), "-bb", "--define", f"_topdir {place}", "first.spec", cwd=place)
    packages = sorted((place / "RPMS").rglob("*.rpm"))
    rpm = (program("rpm"), "--dbpath", target)
    _run(*rpm, "--install", "--justdb", "--nodeps", *packages, cwd=place)
    assert (target / "rpmdb.sqlite").exists()
    listed = _run(*rpm, "-qa", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n", cwd=place)
    found = sorted(listed.splitlines())
    assert len(found) == 2
    return found


def _go(place: Path, target: Path) -> list[str]:
    """Make a program with two modules, one of which is replaced."""
    proxy, source = place / "proxy", place / "source"
    _module(proxy, "example.org/lib/v2", "v2.3.4", "lib")
    _module(proxy, "example.org/old", "v1.0.0", "old")
    _module(proxy, "example.org/new", "v1.1.0", "old")
    source.mkdir()
    (source / "main.go").write_text(_GO)
    (source / "go.mod").write_text(
        "module example.org/app\n\ngo 1.18\n\n"
        "require (\n\texample.org/lib/v2 v2.3.4\n\texample.org/old v1.0.0\n)\n\n"
        "replace example.org/old => example.org/new v1.1.0\n"
    )
    environment = {
        "GOPROXY": f"file://{proxy}",
        "GOSUMDB": "off",
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOPATH": str(place / "gopath"),
        "GOCACHE": str(place / "gocache"),
        "GOTOOLCHAIN": "local",
    }
    _run(program("go"), "build", "-o", target, ".", cwd=source, **environment)
    first, *lines = _run(program("go"), "version", "-m", target, cwd=source).splitlines()
    found = [f"stdlib {first.rpartition(' go')[2]}"]
    for line in lines:
        match line.split():
            case ["mod" | "dep", name, version, *_]:
                found.append(f"{name} {version}".removesuffix(" (devel)"))
            case ["=>", name, version, *_]:
                found[-1] = f"{name} {version}"
    assert len(found) == 4
    return sorted(found)


def _module(proxy: Path, name: str, version: str, package: str) -> None:
    """Write a module as a proxy serves it (Go Modules Reference, "GOPROXY protocol")."""
    directory = proxy / name / "@v"
    directory.mkdir(parents=True)
    text = f"module {name}\n\ngo 1.18\n"
    (directory / f"{version}.info").write_text(json.dumps({"Version": version}))
    (directory / f"{version}.mod").write_text(text)
    with zipfile.ZipFile(directory / f"{version}.zip", "w") as archive:
        archive.writestr(f"{name}@{version}/go.mod", text)
        archive.writestr(f"{name}@{version}/{package}.go", f"package {package}\nconst Name = 1\n")

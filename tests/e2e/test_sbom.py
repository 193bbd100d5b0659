"""Bills of materials of real images, counted by the package managers themselves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.statements import check_spdx

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_DPKG = "dpkg-query -W -f 'listed ${Package} ${Version}\\n'"


@pytest.mark.any_user
def test_packages_are_those_that_dpkg_and_pip_list(
    img: Img, write_context: WriteContext, small_debian: str, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    (purelib,) = venv.glob("lib/python*/site-packages")
    context = write_context(f"FROM {small_debian}\nRUN {_DPKG}\nCOPY . /venv/site-packages\n")
    subprocess.run(["cp", "-R", f"{purelib}/.", context], check=True)
    built = img("build", "--progress", "plain", "-t", "app", context)

    document = json.loads(img("sbom", "-f", "spdx-json", "app").stdout)
    check_spdx(document)
    found = {package["externalRefs"][0]["referenceLocator"].partition("?")[0]: package
             for package in document["packages"] if "externalRefs" in package}  # fmt: skip

    listed = re.findall(r"(?m)^#\d+ [\d.]+ listed (\S+) (\S+)$", built.stderr)
    deb = sorted(purl for purl in found if purl.startswith("pkg:deb/debian/"))
    assert len(deb) > 50
    assert deb == sorted(_purl(name, version) for name, version in listed)
    pip = [str(venv / "bin/python"), "-m", "pip", "list", "--format", "json"]
    packages = json.loads(subprocess.run(pip, check=True, capture_output=True).stdout)
    assert sorted(purl for purl in found if purl.startswith("pkg:pypi/")) == sorted(
        f"pkg:pypi/{package['name']}@{package['version']}" for package in packages
    )
    layers = {package["comment"] for package in found.values() if "comment" in package}
    assert len(layers) == 2


def _purl(name: str, version: str) -> str:
    return f"pkg:deb/debian/{name}@{version}".replace("+", "%2B")


def test_wrong_requests_are_refused_in_a_line(img: Img, write_context: WriteContext) -> None:
    img("build", "-t", "a", write_context("FROM scratch\nCOPY . /\n"))

    assert "must pass an image" in img("sbom", code=1).error_line
    assert "must pass two images" in img("diff", "a", code=1).error_line
    assert "must be one of config" in img("diff", "--only", "x", "a", "a", code=1).error_line
    assert "must be text or json" in img("diff", "-f", "x", "a", "a", code=1).error_line
    at = img.with_environment(SOURCE_DATE_EPOCH="86400")("sbom", "-f", "spdx-json", "a").stdout
    assert json.loads(at)["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    wrong = img.with_environment(SOURCE_DATE_EPOCH="now")("sbom", "a", code=1)
    assert "SOURCE_DATE_EPOCH=now: not a time" in wrong.error_line
    assert "not found" in img("sbom", "nowhere", code=7).error_line
    assert "files: no differences" in img("diff", "a", "a").stdout
    written = json.loads(img("diff", "-f", "json", "a", "a").stdout)
    assert (written["commonLayers"], written["files"]) == (1, [])

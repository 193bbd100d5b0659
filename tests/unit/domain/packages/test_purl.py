"""Package URLs."""

import pytest

from img.domain.packages.package import Distribution, Package, PackageKind, distribution_of
from img.domain.packages.purl import format_purl, purl_of

DEBIAN = distribution_of('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n# x=1\n')


def package(kind: PackageKind, name: str, version: str, **more: str) -> Package:
    return Package(kind=kind, name=name, version=version, location="x", **more)  # type: ignore[arg-type]


# The forms are those of PURL-TYPES.rst and of 9-attestations.md, section 6.
@pytest.mark.parametrize(
    ("given", "distribution", "purl"),
    [
        (
            package("deb", "libc6", "2.36-9+deb12u9", architecture="amd64", source="glibc"),
            DEBIAN,
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12&upstream=glibc",
        ),
        (
            package("deb", "zlib1g", "1:1", source="zlib", source_version="1:1.2"),
            DEBIAN,
            "pkg:deb/debian/zlib1g@1:1?distro=debian-12&upstream=zlib%401:1.2",
        ),
        (
            package("apk", "musl", "1.2.4-r2", architecture="x86_64", source="musl"),
            Distribution(id="alpine", version_id="3.19.0"),
            "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.0",
        ),
        (
            package("rpm", "bash", "5.1.8-6.el9", epoch="1", source="bash-5.1.8-6.src"),
            Distribution(id="rhel", version_id="9.3"),
            "pkg:rpm/redhat/bash@5.1.8-6.el9?distro=rhel-9.3&epoch=1&upstream=bash-5.1.8-6.src",
        ),
        (package("deb", "a", "1"), Distribution(), "pkg:deb/debian/a@1"),
        (package("pypi", "Zope.Interface_x", "6"), DEBIAN, "pkg:pypi/zope-interface-x@6"),
        (package("npm", "@babel/core", "7.1.0"), DEBIAN, "pkg:npm/%40babel/core@7.1.0"),
        (
            package("golang", "github.com/a/b/v2", "v2.0.0+incompatible"),
            DEBIAN,
            "pkg:golang/github.com/a/b/v2@v2.0.0%2Bincompatible",
        ),
        (package("golang", "stdlib", "1.21.0"), DEBIAN, "pkg:golang/stdlib@1.21.0"),
        (package("maven", "org.x:y", "1"), DEBIAN, "pkg:maven/org.x/y@1"),
        (package("composer", "Vendor/Name", "1"), DEBIAN, "pkg:composer/vendor/name@1"),
        (package("cargo", "serde", "1.0.0"), DEBIAN, "pkg:cargo/serde@1.0.0"),
        (package("gem", "rake", ""), DEBIAN, "pkg:gem/rake"),
        (package("npm", "a?b#c d\udc80", "1"), DEBIAN, "pkg:npm/a%3Fb%23c%20d%3F@1"),
    ],
)
def test_a_purl_is_that_of_its_type(given: Package, distribution: Distribution, purl: str) -> None:
    assert purl_of(given, distribution) == purl


def test_qualifiers_are_sorted_and_empty_ones_left_out() -> None:
    purl = format_purl("oci", "", "app", "", {"tag": "1", "arch": "amd64", "os": ""})

    assert purl == "pkg:oci/app?arch=amd64&tag=1"

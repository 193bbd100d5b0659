"""The databases of system packages: dpkg, apk, rpm."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.packages.apk import apk_packages
from img.domain.packages.dpkg import dpkg_packages
from img.domain.packages.rpm import BadDatabase, rpm_packages
from img.domain.packages.rpm_ndb import ndb_headers
from tests.support.images.rpm_headers import header_of, ndb_of

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+b1
Description: GNU C Library
 Version: 99 is part of the description
 .
Maintainer: GNU Libc Maintainers <libc@example.org>
Homepage: https://www.gnu.org/

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install reinstreq half-installed
Version: 1
\x20
Package: last
Status: hold ok installed
Version: 2
"""


def test_packages_of_dpkg_with_files_are_listed() -> None:
    first, half, last = dpkg_packages(STATUS, "var/lib/dpkg/status")

    assert (first.name, first.version, first.architecture) == ("libc6", "2.36-9+b1", "amd64")
    assert (first.source, first.source_version) == ("glibc", "2.36-9")
    assert first.supplier == "GNU Libc Maintainers <libc@example.org>"
    assert first.homepage == "https://www.gnu.org/"
    assert half.name == "half"
    assert (last.name, last.version, last.source) == ("last", "2", "")


def test_a_file_of_status_d_needs_no_status() -> None:
    (found,) = dpkg_packages(
        "Package: tzdata\r\nVersion: 2024a\r\n", "var/lib/dpkg/status.d/tzdata"
    )

    assert (found.name, found.version) == ("tzdata", "2024a")


def test_packages_of_apk_are_listed_without_their_files() -> None:
    text = (
        "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nm:A <a@b>\nU:https://musl\n"
        "F:lib\nR:V:9\nZ:Q1\n\nC:Q1y=\nP:zlib\nV:1.3\n\nP:no-version\n\n"
    )
    first, second = apk_packages(text, "lib/apk/db/installed")

    assert (first.name, first.version, first.license) == ("musl", "1.2.4-r2", "MIT")
    assert (first.source, first.supplier, first.homepage) == ("musl", "A <a@b>", "https://musl")
    assert (second.name, second.version) == ("zlib", "1.3")


def test_a_header_of_rpm_is_a_package_and_keys_are_none() -> None:
    headers = [
        header_of("bash", "5.1", "6.el9", epoch=3, arch="x86_64", source="bash-5.1-6.el9.src.rpm"),
        header_of("gpg-pubkey", "1", "2"),
        header_of("no-release", "7", ""),
    ]
    bash, other = rpm_packages(iter(headers), "rpmdb")

    assert (bash.version, bash.epoch, bash.architecture) == ("5.1-6.el9", "3", "x86_64")
    assert bash.source == "bash-5.1-6.el9.src.rpm"
    assert (other.name, other.version, other.epoch) == ("no-release", "7", "")


def test_a_database_of_suse_has_its_headers() -> None:
    headers = [header_of("a", "1", "2"), header_of("b" * 500, "1", "2")]

    assert list(ndb_headers(ndb_of(headers))) == headers


@given(st.data())
def test_damaged_headers_and_databases_of_rpm_are_refused(data: st.DataObject) -> None:
    database = bytearray(ndb_of([header_of("bash", "5.1", "6", epoch=3)]))
    used = [at for at, byte in enumerate(database) if byte]
    for _ in range(data.draw(st.integers(1, 4))):
        database[data.draw(st.sampled_from(used))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(database)))

    for damaged in (bytes(database), bytes(database[:cut])):
        try:
            found = list(rpm_packages(ndb_headers(damaged), "x"))
        except BadDatabase:
            continue
        assert len(found) <= 256


def test_a_header_with_numbers_beyond_it_is_refused() -> None:
    for header in (
        b"",
        struct.pack(">II", 1 << 31, 8),
        struct.pack(">II6I", 1, 1, 1000, 6, 5, 1, 0, 0),
    ):
        with pytest.raises(BadDatabase):
            list(rpm_packages(iter([header]), "x"))

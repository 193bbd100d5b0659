"""Modules in Go and Rust programs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.json_text import InvalidJson
from img.domain.packages.programs import ProgramScanner, go_packages, rust_packages
from tests.support.images.programs import MAGIC, go_record, rust_program

SUM = "h1:" + "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # of nothing
MODULES = (
    "path\texample.org/tool\nmod\texample.org/tool\t(devel)\t\n"
    f"dep\tgolang.org/x/sys\tv0.1.0\t{SUM}\ndep\told.org/x\tv1.0.0\n=>\tnew.org/x\tv1.1.0\th1:bad\n"
    "build\t-compiler=gc\n"
)


def scanned(program: bytes, chunk: int) -> ProgramScanner:
    scanner = ProgramScanner()
    for at in range(0, len(program), chunk):
        scanner.feed(program[at : at + chunk])
    return scanner


@pytest.mark.parametrize("chunk", [1, 7, 16, 1000, 1 << 18])
def test_the_modules_of_a_go_program_are_found(chunk: int) -> None:
    # A program that reads such records has the magic twice: aligned as text, and at odd places.
    decoys = b"\x7fELF" + bytes(12) + MAGIC + b"xx" + bytes(500 + 12) + b"abc"
    decoys += MAGIC + bytes([8, 2])
    program = decoys + bytes(-len(decoys) % 16) + go_record("go1.22.1", MODULES) + bytes(5000)

    text = scanned(program, chunk).go_text()
    found = [(each.name, each.version, each.checksums) for each in go_packages(text, "bin/tool")]

    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert found == [
        ("stdlib", "1.22.1", ()),
        ("example.org/tool", "", ()),
        ("golang.org/x/sys", "v0.1.0", (("SHA256", nothing),)),
        ("new.org/x", "v1.1.0", ()),
    ]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_the_section_of_a_rust_program_is_found(wide: bool, big: bool) -> None:
    program = rust_program(b"compressed", wide=wide, big=big)

    found = scanned(program, 1000).rust_section()

    assert found is not None
    offset, size = found
    assert program[offset : offset + size] == b"compressed"


def test_crates_of_the_build_are_left_out() -> None:
    crates = [
        {"name": "a", "version": "1.0.0", "source": "crates.io"},
        {"name": "b", "version": "2.0.0", "kind": "build"},
        {"name": 3, "version": "2.0.0"},
        "c",
    ]
    (found,) = rust_packages(json.dumps({"packages": crates}).encode(), "bin/x")
    assert (found.name, found.version) == ("a", "1.0.0")
    with pytest.raises(InvalidJson):
        list(rust_packages(b"[]", "bin/x"))


@given(st.data())
def test_damaged_programs_are_no_harm(data: st.DataObject) -> None:
    whole = bytearray(rust_program(b"c" * 30) + go_record("go1.22", MODULES))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    program = bytes(whole[: data.draw(st.integers(0, len(whole)))])

    scanner = scanned(program, 512)

    assert all(package.name for package in go_packages(scanner.go_text(), "x"))
    assert scanner.rust_section() is None or len(scanner.rust_section() or ()) == 2

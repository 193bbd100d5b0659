"""ELF files put together by hand, for tests of what a kernel loads."""

import os
import struct

from img.adapters.linux import launcher

_PATH_ONLY = 0o10000000
_OPENAT = {"x86_64": 257, "aarch64": 56, "riscv64": 56}
_PT_INTERP = 3
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")


def interpreter_of(path: str) -> str:
    """Return the PT_INTERP of an ELF file of 64 bits, "" if it has none."""
    with open(path, "rb") as file:
        content = file.read(1 << 16)
    header = _HEADER.unpack_from(content)
    offset, count = header[5], header[10]
    for number in range(count):
        kind, _, at, _, _, size, _, _ = _PROGRAM.unpack_from(content, offset + number * 56)
        if kind == _PT_INTERP:
            return os.fsdecode(content[at : at + size].rstrip(b"\0"))
    return ""


def with_interpreter(interpreter: str) -> bytes:
    """Return a program that the kernel loads ``interpreter`` for."""
    machine = launcher._MACHINES[os.uname().machine]
    text = os.fsencode(interpreter) + b"\0"
    at = _HEADER.size + 2 * _PROGRAM.size
    whole = at + len(text)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    sizes = (_HEADER.size, _PROGRAM.size, 2, 0, 0, 0)
    base = 0x2000_0000
    return (
        _HEADER.pack(ident, 2, machine.number, 1, base, _HEADER.size, 0, 0, *sizes)
        + _PROGRAM.pack(_PT_INTERP, 4, at, base + at, base + at, len(text), len(text), 1)
        + _PROGRAM.pack(1, 5, 0, base, base, whole, whole, 0x1_0000)
        + text
    )


def opening(opened: str, *argv: str) -> bytes:
    """Return a program that opens a path, and executes ``argv`` with that descriptor.

    It is none that closes when a program is executed.
    """
    name = os.uname().machine
    machine = launcher._MACHINES[name]
    base = 0x3000_0000
    at = base + _HEADER.size + _PROGRAM.size
    texts = [os.fsencode(text) + b"\0" for text in (opened, *argv)]
    places = [at + len(b"".join(texts[:number])) for number in range(len(texts))]
    data = b"".join(texts)
    data += bytes(-len(data) % 8)
    array = at + len(data)
    data += struct.pack(f"<{len(argv) + 1}Q", *places[1:], 0)
    code = b"".join(
        (
            machine.load(0, 0) + machine.load(1, places[0]) + machine.load(2, _PATH_ONLY),
            machine.call(_OPENAT[name]),
            machine.load(0, places[1]) + machine.load(1, array),
            machine.load(2, array + 8 * len(argv)) + machine.call(machine.execve),
            machine.load(0, 126) + machine.call(machine.exit_group),
        )
    )
    whole = at - base + len(data) + len(code)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    sizes = (_HEADER.size, _PROGRAM.size, 1, 0, 0, 0)
    header = _HEADER.pack(ident, 2, machine.number, 1, at + len(data), _HEADER.size, 0, 0, *sizes)
    load = _PROGRAM.pack(1, 5, 0, base, base, whole, whole, 0x1_0000)
    return header + load + data + code

"""Programs that make one system call and end with its error number, 0 where it succeeded.

For what busybox has no command for; and of 32 bits, where no compiler for those is.
"""

import struct
from collections.abc import Sequence

_BASE = 0x0040_0000

Call = tuple[int, Sequence[int | bytes]]
"""A number and arguments, bytes for what is pointed to."""


def program_that_calls(number: int, arguments: Sequence[int] = (), *, text: bytes = b"") -> bytes:
    """Return an x86-64 program; an argument of -1 is where ``text`` is, with a zero after it."""
    loads = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")
    head = 64 + 56
    code_size = 5 + 10 * len(arguments) + 2 + 2 + 2 + 5 + 2
    place = _BASE + head + code_size
    code = b"\xb8" + struct.pack("<I", number)
    for load, value in zip(loads, arguments, strict=False):
        code += load + struct.pack("<Q", place if value == -1 else value)
    code += b"\x0f\x05" + b"\xf7\xd8" + b"\x89\xc7"  # syscall; neg eax; mov edi, eax
    code += b"\xb8\x3c\x00\x00\x00" + b"\x0f\x05"  # exit
    return _elf_64(code + text + b"\0")


def program_that_calls_all(calls: Sequence[Call]) -> bytes:
    """Return an x86-64 program of several calls; bytes among the arguments are pointed to.

    It ends with the error number of the first that fails.
    """
    loads = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")
    head = 64 + 56
    # test eax, eax; jns to the next call; neg eax; mov edi, eax; exit
    check = b"\x85\xc0\x79\x0b\xf7\xd8\x89\xc7\xb8\x3c\x00\x00\x00\x0f\x05"
    end = b"\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05"
    size = sum(5 + 10 * len(arguments) + 2 + len(check) for _, arguments in calls) + len(end)
    code, texts = b"", b""
    for call, arguments in calls:
        code += b"\xb8" + struct.pack("<I", call)
        for load, value in zip(loads, arguments, strict=False):
            place = _BASE + head + size + len(texts)
            texts += value if isinstance(value, bytes) else b""
            number = place if isinstance(value, bytes) else value
            code += load + struct.pack("<Q", number % (1 << 64))
        code += b"\x0f\x05" + check
    content = code + end + texts
    return _elf_64(content)


def _elf_64(content: bytes) -> bytes:
    head = 64 + 56
    size = head + len(content)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, 2, 62, 1, _BASE + head, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return elf + struct.pack("<IIQQQQQQ", 1, 7, 0, _BASE, _BASE, size, size, 4096) + content


def program_of_32_bits_that_calls(number: int, arguments: Sequence[int] = ()) -> bytes:
    """Return an i386 program."""
    head = 52 + 32
    code = b"\xb8" + struct.pack("<I", number)
    for load, value in zip((b"\xbb", b"\xb9", b"\xba", b"\xbe", b"\xbf"), arguments, strict=False):
        code += load + struct.pack("<I", value)
    code += b"\xcd\x80" + b"\xf7\xd8" + b"\x89\xc3"  # int 0x80; neg eax; mov ebx, eax
    code += b"\xb8\x01\x00\x00\x00" + b"\xcd\x80"  # exit
    size = head + len(code)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    elf = struct.pack(
        "<16sHHIIIIIHHHHHH", ident, 2, 3, 1, _BASE + head, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    return elf + struct.pack("<IIIIIIII", 1, 0, _BASE, _BASE, size, size, 7, 4096) + code

"""Programs of Go and Rust that name their modules, written by the formats of these records."""

import struct

MAGIC = b"\xff Go buildinf:"


def varint(number: int) -> bytes:
    """Return a number as encoding/binary of Go writes it."""
    made = b""
    while number > 0x7F:
        made += bytes([number & 0x7F | 0x80])
        number >>= 7
    return made + bytes([number])


def go_record(version: str, modules: str) -> bytes:
    """Return an ELF file with the record of a Go program on a multiple of 16 bytes."""
    text = b"0" * 16 + modules.encode() + b"1" * 16
    head = b"\x7fELF" + bytes(4092) + MAGIC + bytes([8, 2]) + bytes(16)
    return head + varint(len(version)) + version.encode() + varint(len(text)) + text


def rust_program(section: bytes, *, wide: bool = True, big: bool = False) -> bytes:
    """Return an ELF file with ``section`` as .dep-v0, of 64 or 32 bits in either byte order."""
    order = ">" if big else "<"
    names = b"\0.text\0.dep-v0\0.shstrtab\0"
    head_size = 64 if wide else 52
    padding = bytes(5000)
    at_names = head_size + len(padding) + len(section)
    table = at_names + len(names)

    def entry(name: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}IIQQQQIIQQ", name, 1, 0, 0, offset, size, 0, 0, 0, 0)
        return struct.pack(f"{order}10I", name, 1, 0, 0, offset, size, 0, 0, 0, 0)

    sections = [entry(0, 0, 0), entry(7, head_size + len(padding), len(section))]
    sections.append(entry(15, at_names, len(names)))
    kind = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    if wide:
        fields = struct.pack(f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    else:
        fields = struct.pack(f"{order}HHIIIIIHHHHHH", 2, 3, 1, 0, 0, table, 0, 52, 0, 0, 40, 3, 2)
    return kind + fields + padding + section + names + b"".join(sections)

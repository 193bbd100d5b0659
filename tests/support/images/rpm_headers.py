"""Package headers and databases of rpm, written by its formats."""

import struct
from collections.abc import Sequence


def header_of(
    name: str,
    version: str,
    release: str,
    *,
    epoch: int | None = None,
    arch: str = "",
    source: str = "",
) -> bytes:
    """Return the header of a package as rpm's databases hold it: without magic."""
    texts = {1000: name, 1001: version, 1002: release, 1022: arch, 1044: source}
    entries, data = b"", b""
    count = 0
    if epoch is not None:
        entries += struct.pack(">4I", 1003, 4, 0, 1)
        data += struct.pack(">I", epoch)
        count += 1
    for tag, text in texts.items():
        if text:
            entries += struct.pack(">4I", tag, 6, len(data), 1)
            data += text.encode() + b"\0"
            count += 1
    return struct.pack(">2I", count, len(data)) + entries + data


def ndb_of(headers: Sequence[bytes]) -> bytes:
    """Return a database of rpm's own format with one page of slots."""
    slots = struct.pack(
        "<8I", int.from_bytes(b"RpmP", "little"), 0, 1, 1, len(headers) + 1, 0, 0, 0
    )
    blobs = b""
    for number, header in enumerate(headers, 1):
        offset = (4096 + len(blobs)) // 16
        blob = struct.pack("<4sIII", b"BlbS", number, 1, len(header)) + header
        blob += b"\0" * (-len(blob) % 16)
        slots += struct.pack("<4sIII", b"Slot", number, offset, len(blob) // 16)
        blobs += blob
    free = struct.pack("<4sIII", b"Slot", 0, 0, 0)
    return slots + free * ((4096 - len(slots)) // 16) + blobs

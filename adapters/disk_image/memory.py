"""Disk images for tests: a line of JSON for each file."""

import json
from collections.abc import Iterable
from typing import BinaryIO

from img.application.ports.disk_image import DiskImage, DiskImageForm
from img.application.ports.layer_archive import PackedEntry


class MemoryDiskImage(DiskImage):
    """A format that any test can read."""

    def write(self, entries: Iterable[PackedEntry], output: BinaryIO, form: DiskImageForm) -> None:
        for entry, open_content in entries:
            content = b""
            if open_content is not None and entry.size:
                with open_content() as source:
                    content = source.read()
            line = json.dumps([entry.path, entry.kind, entry.mode, entry.link, content.hex()])
            output.write(line.encode() + b"\n")

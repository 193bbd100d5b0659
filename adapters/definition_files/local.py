"""Definition files on this machine."""

import os
import stat
import sys
from contextlib import suppress
from typing import BinaryIO, Literal

from img.adapters.linux.regular_files import open_regular, read_at_most
from img.application.ports.definition_files import LARGEST_DEFINITION, DefinitionFiles
from img.domain.bake.errors import BakeError

_STDIN = "-"
_KEY_BYTES = 1 << 20
_DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # as shells give for <(command)


class LocalDefinitionFiles(DefinitionFiles):
    """Files below the working directory of this process."""

    def __init__(self) -> None:
        self._read: dict[str, bytes] = {}  # standard input can be read once

    def kind(self, path: str) -> Literal["file", "directory", ""]:
        if os.path.isdir(path):
            return "directory"
        return "file" if _lexists(path) else ""

    def is_private_key(self, path: str) -> bool:
        with suppress(OSError, ValueError), _opened(path) as file:
            return b"PRIVATE KEY" in file.read(_KEY_BYTES)
        return False

    def is_socket(self, path: str) -> bool:
        with suppress(OSError, ValueError):
            return stat.S_ISSOCK(os.stat(path).st_mode)
        return False

    def read(self, path: str) -> bytes | None:
        if path not in self._read:
            content = self._content(path)
            if content is None:
                return None
            self._read[path] = content
        return self._read[path]

    def is_inside(self, path: str, directory: str) -> bool:
        try:
            root, found = os.path.realpath(directory), os.path.realpath(path)
        except (OSError, ValueError):
            return False
        return root in ("/", found) or found.startswith(f"{root}/")

    def _content(self, path: str) -> bytes | None:
        try:
            if path == _STDIN:
                return read_at_most(sys.stdin.fileno(), LARGEST_DEFINITION)
            with _opened(path) as file:
                return read_at_most(file.fileno(), LARGEST_DEFINITION)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            raise BakeError(f"read {path}: is a directory") from None
        except OSError as error:
            raise BakeError(f"open {path}: {(error.strerror or str(error)).lower()}") from None
        except ValueError:  # a NUL in the name
            return None


def _opened(path: str) -> BinaryIO:
    """Open a regular file, or a descriptor of this process: a FIFO could block without end."""
    if path.startswith(_DESCRIPTORS):
        return open(path, "rb")
    return os.fdopen(open_regular(path), "rb")


def _lexists(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:
        return False

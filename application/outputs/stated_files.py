"""Files with statements, in outputs that are files."""

import io
from collections.abc import Sequence
from functools import partial

from img.application.layers.trees import Trees
from img.application.outputs.solved import Solved
from img.application.ports.layer_archive import PackedEntry
from img.domain.attestations.statement import Statement, Subject
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.rootfs import files_in
from img.domain.outputs import FilesOutput

_SECOND = 10**9
_MODE = 0o600


class StatementOverlaps(ImgError):
    """The image has a file with the name of a statement."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"cannot write the attestation {path}: the image has a file of that name",
            hint="use attestation-prefix=PREFIX in the output",
        )
        self.path = path


def with_statements(
    trees: Trees,
    output: FilesOutput,
    built: Solved,
    folder: str,
    statements: Sequence[Statement],
) -> tuple[PackedEntry, ...]:
    """Return a file for each of ``statements``, in ``folder``, about all files of the image.

    Raises StatementOverlaps.
    """
    tree = trees.of(built.stack.layers)
    subjects = [
        Subject(entry.path, _digest(entry))
        for entry in files_in(tree)
        if entry.kind == FILE and (entry.digest or not entry.size)
    ]
    made = []
    for statement in statements:
        name = _name(output, built, folder, statement.filename)
        if tree.get(name) is not None:
            raise StatementOverlaps(name)
        content = statement.indented(subjects)
        entry = Entry(
            f"{folder}/{name}" if folder else name,
            FILE,
            _MODE,
            size=len(content),
            mtime=_seconds(output, built) * _SECOND,
        )
        made.append(PackedEntry(entry=entry, open=partial(io.BytesIO, content)))
    return tuple(made)


def _name(output: FilesOutput, built: Solved, folder: str, filename: str) -> str:
    """Return the name of the file; without folders, that of the platform is in it."""
    if output.platform_split is False and not folder:
        stem, dot, ending = filename.rpartition(".")
        platform = str(built.platform).replace("/", "_")
        filename = f"{stem or ending}.{platform}{dot if stem else ''}{ending if stem else ''}"
    return FileName(f"{output.attestation_prefix}{filename}")


def _digest(entry: Entry) -> Digest:
    return Digest("sha256", entry.digest) if entry.digest else Digest.of(b"")


def _seconds(output: FilesOutput, built: Solved) -> int:
    epoch = built.epoch if output.epoch is None else output.epoch
    if epoch is not None:
        return epoch
    assert built.attested is not None
    return int(built.attested.account.finished.timestamp())

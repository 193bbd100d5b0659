"""Contract suite of writers of OCI image layouts."""

import io
from dataclasses import dataclass

import pytest

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.image_layout import ImageLayouts, LayoutError, LayoutWriter
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A writer, a path where no layout is yet, and a reader that finds what was written."""

    writer: LayoutWriter
    reader: ImageLayouts
    path: str

    def digest_of(self, tag: str) -> Digest:
        """Return the digest that ``tag`` stands for."""
        return self.reader.find(self.path, tag, None)[0].digest

    def content_of(self, blob: Descriptor) -> bytes:
        """Return the content of a blob."""
        with self.reader.open(self.path, blob) as content:
            return content.read()


def _a_blob(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(content), size=len(content)
    )


ONE, TWO = _a_blob(b"{}"), _a_blob(b"[]")


def write_two(writer: LayoutWriter, path: str) -> None:
    """Write the blobs ONE, named ``one``, and TWO, without a name."""
    writer.add(path, ONE, io.BytesIO(b"{}"))
    writer.name(path, "one", ONE)
    writer.add(path, TWO, io.BytesIO(b"[]"))


class LayoutWriterContract:
    """Promises of every LayoutWriter.

    Fixtures: ``written``, a Written.
    """

    def test_what_was_added_and_named_is_found(self, written: Written) -> None:
        write_two(written.writer, written.path)
        written.writer.name(written.path, "two", TWO)

        assert written.digest_of("one") == ONE.digest
        assert written.digest_of("two") == TWO.digest
        assert written.content_of(TWO) == b"[]"

    def test_a_name_comes_to_stand_for_something_else(self, written: Written) -> None:
        write_two(written.writer, written.path)
        written.writer.name(written.path, "one", TWO)

        assert written.digest_of("one") == TWO.digest

    def test_manifests_without_a_name_are_listed_once(self, written: Written) -> None:
        write_two(written.writer, written.path)
        written.writer.add_unnamed(written.path, [TWO])
        written.writer.add_unnamed(written.path, [TWO, ONE])

        entries = written.reader.entries(written.path)
        assert [each.digest for each in entries] == [ONE.digest, TWO.digest]
        assert written.digest_of("one") == ONE.digest

    def test_only_what_is_wanted_stays(self, written: Written) -> None:
        write_two(written.writer, written.path)
        written.writer.name(written.path, "two", TWO, only={TWO.digest})

        assert written.digest_of("") == TWO.digest  # the only one
        with pytest.raises(LayoutError):
            written.content_of(ONE)

    def test_bytes_that_are_not_those_promised_are_refused(self, written: Written) -> None:
        with pytest.raises(BlobMismatch):
            written.writer.add(written.path, ONE, io.BytesIO(b"no"))
        with pytest.raises(LayoutError):
            written.content_of(ONE)

    def test_a_blob_that_is_there_is_not_read_again(self, written: Written) -> None:
        write_two(written.writer, written.path)

        written.writer.add(written.path, ONE, io.BytesIO(b"not looked at"))

        assert written.content_of(ONE) == b"{}"

"""Contract suite of views of build contexts."""

from functools import partial
from hashlib import sha256
from io import BytesIO

import pytest

from img.application.ports.build_context import ContextFileChanged
from img.application.ports.context_views import ContextViews
from img.application.ports.layer_archive import PackedEntry
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry, EntryKind

SECOND = 10**9


def a_file(path: str, content: bytes, mode: int = 0o644, mtime: int = SECOND) -> PackedEntry:
    digest = sha256(content).hexdigest()
    entry = Entry(path, FILE, mode, size=len(content), mtime=mtime, digest=digest)
    return PackedEntry(entry=entry, open=partial(BytesIO, content))


def an_entry(
    path: str, kind: EntryKind = DIRECTORY, mode: int = 0o755, link: str = ""
) -> PackedEntry:
    return PackedEntry(entry=Entry(path, kind, mode, mtime=2 * SECOND, link=link))


def _refuse() -> BytesIO:
    raise ContextFileChanged("f")


class ContextViewsContract:
    """Promises of every ContextViews.

    Fixtures: ``views``, which have shown nothing.
    """

    def test_a_view_is_a_directory_of_its_own_path(self, views: ContextViews) -> None:
        for enter in (views.shared, views.private):
            with enter([an_entry("d"), a_file("d/f", b"1")]) as root:
                assert root.path

        assert not any(kept.in_use for kept in views.kept())

    def test_errors_of_opening_a_file_are_raised(self, views: ContextViews) -> None:
        changed = PackedEntry(entry=a_file("f", b"1").entry, open=_refuse)

        for enter in (views.shared, views.private):
            with pytest.raises(ContextFileChanged), enter([changed]):
                pass

        assert not any(kept.in_use for kept in views.kept())

    def test_a_view_that_does_not_exist_is_not_removed(self, views: ContextViews) -> None:
        assert not views.remove("none")

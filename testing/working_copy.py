"""Contract suite of working copies."""

from img.application.ports.working_copy import WorkingCopies


class WorkingCopiesContract:
    """Promises of every WorkingCopies.

    Fixtures: ``copies``; ``clean``, ``changed`` and ``outside``, directories: a working copy with
    one commit, one with a further file, and none. The remote of the first is
    https://example.com/a.git; ``inside`` is its directory ``part``.
    """

    def test_an_unchanged_copy_is_its_commit(self, copies: WorkingCopies, clean: str) -> None:
        found = copies.find(clean)

        assert found is not None and not found.is_changed
        assert len(found.revision) == 40
        assert (found.remote, found.directory) == ("https://example.com/a.git", ".")

    def test_another_file_is_a_change(self, copies: WorkingCopies, changed: str) -> None:
        found = copies.find(changed)

        assert found is not None and found.is_changed

    def test_a_directory_inside_has_a_path(self, copies: WorkingCopies, inside: str) -> None:
        found = copies.find(inside)

        assert found is not None and found.directory == "part"

    def test_other_directories_are_in_none(self, copies: WorkingCopies, outside: str) -> None:
        assert copies.find(outside) is None

"""Contract suite of terminals."""

import pytest

from img.application.ports.terminal import Terminal


class TerminalContract:
    """Promises of every Terminal.

    Fixtures: ``terminal``, at which "key" is typed, and then nothing more.
    """

    def test_it_is_present_and_has_a_size(self, terminal: Terminal) -> None:
        size = terminal.size()

        assert terminal.is_present()
        assert min(size.rows, size.columns) > 0

    def test_keys_are_read_in_raw_mode_without_a_line_end(self, terminal: Terminal) -> None:
        with terminal.raw(lambda: None):
            assert terminal.read() == b"key"

    def test_raw_mode_ends_with_errors_and_can_begin_again(self, terminal: Terminal) -> None:
        with pytest.raises(KeyboardInterrupt), terminal.raw(lambda: None):
            raise KeyboardInterrupt

        with terminal.raw(lambda: None):
            assert terminal.read() == b"key"

    def test_everything_that_is_written_is_taken(self, terminal: Terminal) -> None:
        with terminal.raw(lambda: None):
            terminal.write(b"one\ntwo")
            terminal.write(b"")

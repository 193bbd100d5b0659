"""Contract suite of scratch space."""

import io
from concurrent.futures import ThreadPoolExecutor

from img.application.ports.scratch_space import ScratchSpace


class ScratchSpaceContract:
    """Promises of every ScratchSpace.

    Fixtures: ``space``.
    """

    def test_a_new_file_is_empty(self, space: ScratchSpace) -> None:
        with space.new() as file:
            assert file.read() == b""
            assert file.tell() == 0

    def test_a_file_can_be_written_sought_and_read(self, space: ScratchSpace) -> None:
        with space.new() as file:
            file.write(b"0123456789")
            file.seek(2)
            file.write(b"xy")

            assert file.seek(0, io.SEEK_END) == 10
            file.seek(0)
            assert file.read() == b"01xy456789"

    def test_files_do_not_share_content(self, space: ScratchSpace) -> None:
        with space.new() as one, space.new() as two:
            one.write(b"one")
            two.seek(0)

            assert two.read() == b""

    def test_several_threads_may_make_files_at_once(self, space: ScratchSpace) -> None:
        def there_and_back(number: int) -> bytes:
            with space.new() as file:
                file.write(bytes([number]) * 10_000)
                file.seek(0)
                return file.read()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(there_and_back, range(16)))

        assert found == [bytes([number]) * 10_000 for number in range(16)]

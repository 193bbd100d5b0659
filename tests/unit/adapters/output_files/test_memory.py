"""Outputs in memory."""

from img.adapters.output_files.memory import MemoryOutputFiles


def test_a_relative_directory_ends_at_the_working_directory() -> None:
    outputs = MemoryOutputFiles()

    outputs.check_directory("a/b")

    assert outputs.files == {}

"""The screen of ``img explore``, by Textual's pilot."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static, Tree

from img.application.usecases.explore_image import ExploredImage, ExploredLayer
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.layer_story import story_of
from img.domain.image_name import ImageName
from img.entrypoints.cli.explorer import Explorer
from tests.support.in_memory_app import HERE, InMemoryApp

LAYERS = [
    [
        Entry("bin", DIRECTORY, 0o755),
        Entry("bin/sh", FILE, size=2048, digest="x"),
        Entry("bin/[red]b\x1b[2J", SYMLINK, link="sh\x1b]0;t\x07"),
        Entry("old", FILE, size=1024, digest="y"),
    ],
    [
        Entry("bin", DIRECTORY, 0o755),
        Entry("bin/copy", FILE, size=2048, digest="x"),
        Entry(".wh.old", FILE),
    ],
]


def an_image() -> ExploredImage:
    digest = Digest.of(b"")
    layers = (
        ExploredLayer("ADD rootfs.tar / # [b]base\x1b[31m", digest, 3000),
        ExploredLayer("", digest, 2000),
    )
    return ExploredImage(layers, story_of([FileIndex.of(each) for each in LAYERS]))


def explored(look: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Explorer("app\x1b[2J", an_image()).run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            await look(pilot)

    asyncio.run(run())


def title(pilot: Pilot[None]) -> str:
    return str(pilot.app.query_one("#title", Static).render())


def shown_files(pilot: Pilot[None]) -> list[str]:
    """Return the lines of the tree below its root."""
    files = pilot.app.query_one("#files", Tree)
    lines = [files.get_node_at_line(number) for number in range(1, files.last_line + 1)]
    return [str(node.label) for node in lines if node]


def rows(pilot: Pilot[None], table: str) -> list[list[str]]:
    found = pilot.app.query_one(table, DataTable)
    return [[str(cell) for cell in found.get_row_at(at)] for at in range(found.row_count)]


def test_it_begins_with_the_layers_and_all_files() -> None:
    async def look(pilot: Pilot[None]) -> None:
        assert rows(pilot, "#layers") == [
            ["1", "2.93KiB", "4", "0", "0", "ADD rootfs.tar / # [b]base\\x1b[31m"],
            ["2", "1.953KiB", "1", "0", "1", "(unknown)"],
        ]
        summary = str(pilot.app.query_one("#summary", Static).render())
        assert summary == "app\\x1b[2J: 2 layers, 4.883KiB; 3KiB of the files wasted"
        assert shown_files(pilot) == ["bin/"]

    explored(look)


def test_a_layer_shows_its_changes_and_a_directory_opens() -> None:
    async def look(pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        await pilot.pause()
        assert title(pilot) == "layer 2: (unknown)"
        assert shown_files(pilot) == ["bin/", "- old  1KiB"]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert shown_files(pilot) == ["bin/", "+ copy  2KiB", "- old  1KiB"]
        await pilot.press("escape", "l")
        await pilot.pause()
        assert title(pilot).startswith("layer 2")

    explored(look)


def test_waste_is_listed_largest_first() -> None:
    async def look(pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        assert rows(pilot, "#waste") == [
            ["2KiB", "duplicate", "1", "/bin/copy", "/bin/sh"],
            ["1KiB", "deleted later", "1", "2", "/old"],
        ]
        assert pilot.app.query_one("#waste").display
        assert not pilot.app.query_one("#files").display

    explored(look)


def test_a_search_shows_the_paths_with_a_text_and_no_markup() -> None:
    async def look(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"RED")
        assert pilot.app.query_one("#search", Input).value == "RED"
        await pilot.press("enter")
        await pilot.pause()
        assert title(pilot) == "1 paths with “RED”"
        assert shown_files(pilot) == ["bin/", "[red]b\\x1b[2J → sh\\x1b]0;t\\x07"]
        await pilot.press("slash", *"none", "enter")
        await pilot.pause()
        assert shown_files(pilot) == []
        await pilot.press("escape")
        await pilot.pause()
        assert shown_files(pilot) == ["bin/"]

    explored(look)


@pytest.mark.parametrize("size", [(20, 8), (200, 60)])
def test_it_works_on_small_and_large_terminals(size: tuple[int, int]) -> None:
    async def run() -> None:
        app = Explorer("app", an_image())
        async with app.run_test(size=size) as pilot:
            await pilot.press("w", "f", "l", "q")
        assert app.return_code == 0

    asyncio.run(run())


def test_the_use_case_reads_indexes_alone() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /x\nENV A=1\nCOPY b /x\n", {"a": b"one", "b": b"three"})

    explored_image = app.container.images.explore_image()(ImageName.parse("app"), HERE)

    steps = [layer.step.partition(" #")[0] for layer in explored_image.layers]
    assert steps == ["COPY a /x", "COPY b /x"]
    (waste,) = explored_image.story.waste
    assert (waste.path, waste.size, waste.by) == ("x", 3, 1)

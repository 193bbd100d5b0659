"""The screen of ``img explore`` (Textual, the extra ``tui``).

Names come from images: each is shown as text without control characters, and never as markup.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Input, Static, Tree
from textual.widgets.tree import TreeNode

from img.application.usecases.explore_image import ExploredImage
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, SYMLINK, Entry
from img.domain.filesystem.layer_story import Change, ChangedPath, children_of
from img.domain.shown_text import shown_in_line
from img.entrypoints.cli.tables import bytes_size

_COLOURS = {Change.ADDED: "green", Change.CHANGED: "yellow", Change.REMOVED: "red"}
_MOST_FOUND = 1000  # lines of a search, and of waste


class Explorer(App[None]):
    """Layers, and beside them the files of one, of the whole image, a search, or the waste."""

    CSS = """
    #layers { height: 40%; }
    #title, #summary { height: 1; background: $panel; }
    #search { display: none; }
    #waste { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "files", "All files"),
        Binding("l", "layer", "Files of the layer"),
        Binding("w", "waste", "Waste"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("escape", "leave", "Back", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, name: str, image: ExploredImage) -> None:
        super().__init__()
        self._name = shown_in_line(name)
        self._image = image
        self._children: Mapping[str, list[str]] = {}
        self._entries: Mapping[str, Entry] = {}
        self._changes: Mapping[str, ChangedPath] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="summary", markup=False)
        with Vertical():
            yield DataTable[Text](id="layers", cursor_type="row")
            yield Static(id="title", markup=False)
            with Horizontal():
                yield Tree[str](Text("/"), id="files", data="")
                yield DataTable[Text](id="waste", cursor_type="row")
        yield Input(placeholder="a part of a path", id="search")
        yield Footer()

    def on_mount(self) -> None:
        story = self._image.story
        self.query_one("#summary", Static).update(
            f"{self._name}: {len(self._image.layers)} layers, {bytes_size(self._image.size)}; "
            f"{bytes_size(story.wasted)} of the files wasted"
        )
        layers = self.query_one("#layers", DataTable)
        layers.add_columns("#", "SIZE", "+", "~", "-", "STEP")
        for number, layer in enumerate(self._image.layers):
            counts = [sum(c.change is kind for c in story.changes[number]) for kind in Change]
            cells = [str(number + 1), bytes_size(layer.size), *map(str, counts), _step(layer.step)]
            layers.add_row(*map(_text, cells), key=str(number))
        waste = self.query_one("#waste", DataTable)
        waste.add_columns("SIZE", "WHY", "LAYER", "BY", "PATH")
        for each in story.waste[:_MOST_FOUND]:
            by = f"/{each.original}" if each.original else "" if each.by is None else each.by + 1
            cells = [bytes_size(each.size), each.reason.value, str(each.layer + 1), str(by)]
            waste.add_row(*map(_text, [*cells, f"/{each.path}"]))
        self.action_files()
        layers.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "layers":
            self.action_layer()
            self.query_one("#files", Tree).focus()

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[str]) -> None:
        if not event.node.children:
            self._fill(event.node)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found = [*islice(self._found(event.value), _MOST_FOUND)]
        more = " or more" if len(found) == _MOST_FOUND else ""
        self._show(f"{len(found)}{more} paths with “{shown_in_line(event.value)}”", found)
        files = self.query_one("#files", Tree)
        files.root.expand_all()
        event.input.display = False
        files.focus()

    def action_files(self) -> None:
        """Show the files of the whole image."""
        self._show("all files of the image", self._image.story.files)

    def action_layer(self) -> None:
        """Show the changes of the chosen layer."""
        number = self.query_one("#layers", DataTable).cursor_row
        if not 0 <= number < len(self._image.layers):
            return
        changes = self._image.story.changes[number]
        title = f"layer {number + 1}: {_step(self._image.layers[number].step)}"
        self._show(title, [each.entry for each in changes], changes)

    def action_waste(self) -> None:
        """Show the wasted bytes, largest first."""
        self._title("waste: bytes that the image has for nothing, largest first")
        self.query_one("#files").display = False
        waste = self.query_one("#waste", DataTable)
        waste.display = True
        waste.focus()

    def action_search(self) -> None:
        """Ask for a part of a path."""
        search = self.query_one("#search", Input)
        search.display = True
        search.value = ""
        search.focus()

    def action_leave(self) -> None:
        """Go back to the layers and all files."""
        self.query_one("#search", Input).display = False
        self.action_files()
        self.query_one("#layers", DataTable).focus()

    def _found(self, text: str) -> Iterable[Entry]:
        return self._image.story.search(text) if text else ()

    def _title(self, text: str) -> None:
        self.query_one("#title", Static).update(text)

    def _show(
        self, title: str, entries: Iterable[Entry], changes: Iterable[ChangedPath] = ()
    ) -> None:
        entries = [*entries]
        self._title(title)
        self._children = children_of(entries)
        self._entries = {entry.path: entry for entry in entries}
        self._changes = {each.entry.path: each for each in changes}
        self.query_one("#waste").display = False
        files = self.query_one("#files", Tree)
        files.display = True
        files.clear()
        self._fill(files.root)
        files.root.expand()

    def _fill(self, node: TreeNode[str]) -> None:
        """Add the names of a directory; those below it come when it is opened."""
        for path in self._children.get(node.data or "", ()):
            if path in self._children:
                node.add(self._label(path), data=path)
            else:
                node.add_leaf(self._label(path), data=path)

    def _label(self, path: str) -> Text:
        entry, change = self._entries.get(path), self._changes.get(path)
        text = shown_in_line(paths.name(path))
        if entry is None or entry.kind == DIRECTORY:
            text += "/"
        elif entry.kind == SYMLINK:
            text += f" → {shown_in_line(entry.link)}"
        else:
            text += f"  {bytes_size(entry.size)}"
        if change is None:
            return Text(text)
        return Text(f"{change.change.value} {text}", style=_COLOURS[change.change])


def _text(text: str) -> Text:
    return Text(shown_in_line(text))


def _step(text: str) -> str:
    return shown_in_line(" ".join(text.split())) or "(unknown)"

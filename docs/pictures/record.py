#!/usr/bin/env python3
"""A recorder of terminal pictures: it runs commands and writes their output as an SVG file.

    docs/pictures/record.py OUT.svg COMMAND [COMMAND ...]

Each command is run by /bin/sh on a terminal of 82 columns, one after the other. The picture shows
the screen after the last one. It needs pyte, which the extra `dev` installs.
"""

import argparse
import io
import os
import pty
import re
import sys
from itertools import groupby

import pyte
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 82, 60  # an image ID in full takes 81
# Names of pyte that rich spells another way.
_COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow", "default": None}


def main() -> None:
    """Run the commands that the arguments give, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("commands", nargs="+")
    arguments = parser.parse_args()
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    for command in arguments.commands:
        stream.feed(f"\x1b[1m$ {command}\x1b[0m\r\n".encode())
        code = run_on_terminal(command, stream)
        if code:
            sys.exit(f"{command}: exit status {code}")
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write(svg_of(screen, title="img"))


def run_on_terminal(command: str, stream: pyte.ByteStream) -> int:
    """Return the exit status of ``command``; its output goes to ``stream``."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execv("/bin/sh", ["/bin/sh", "-c", f"stty cols {COLUMNS} rows {ROWS}; exec {command}"])
    while True:
        try:
            output = os.read(terminal, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not output:
            break
        stream.feed(output)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def svg_of(screen: pyte.Screen, title: str) -> str:
    """Return a picture of the lines of the screen that are not empty."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    lines = [_line(screen, row) for row in range(ROWS)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for line in lines:
        console.print(line, no_wrap=True, crop=True, highlight=False)
    # Without the fonts of a web server: readers of the picture should not contact one.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


def _line(screen: pyte.Screen, row: int) -> Text:
    line = Text()
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    for style, run in groupby(cells, _style):
        line.append("".join(cell.data for cell in run), style=style)
    line.rstrip()
    return line


def _style(cell: pyte.screens.Char) -> str:
    colour = _COLOURS.get(cell.fg, cell.fg)
    return " ".join(word for word in ("bold" if cell.bold else "", _rich_colour(colour)) if word)


def _rich_colour(colour: str | None) -> str:
    if not colour:
        return ""
    if len(colour) == 6 and all(digit in "0123456789abcdef" for digit in colour):
        return f"#{colour}"
    return colour.replace("bright", "bright_") if colour.startswith("bright") else colour


if __name__ == "__main__":
    main()

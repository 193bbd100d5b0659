#!/usr/bin/env python3
"""A picture of two parts of a report (docs/reports.md): steps in time, and files.

    docs/pictures/report.py OUT.webp

The report is of a made-up build. It needs Debian's chromium-headless-shell.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from img.adapters.report_writer.html import HtmlReports  # noqa: E402
from tests.support.host.browser import browsing  # noqa: E402
from tests.support.reports import a_record, a_report, an_image, layers_of  # noqa: E402

_WIDTH = 1000


def main() -> None:
    """Write the picture."""
    (out,) = sys.argv[1:] or sys.exit(__doc__)
    report = a_report(a_record(20, stages=4), [an_image(layers_of(400))])
    with tempfile.TemporaryDirectory() as place, browsing(Path(place)) as browser:
        page = Path(place) / "report.html"
        with page.open("wb") as file:
            HtmlReports().write(report, file)
        browser.look(width=_WIDTH)
        browser.open(page)
        browser.value(
            "document.querySelectorAll('header, #parts, #graph, #image, #waste, #logs')"
            ".forEach((part) => { part.hidden = true; })"
        )
        height = browser.value("document.body.scrollHeight")
        browser.look(width=_WIDTH, height=height)
        Path(out).write_bytes(browser.small_picture())


if __name__ == "__main__":
    main()

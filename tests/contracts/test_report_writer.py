"""Contract tests of reports."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable

import pytest

from img.adapters.report_writer.html import HtmlReports
from img.adapters.report_writer.memory import MemoryReports
from img.application.ports.report_writer import ReportWriter
from tests.support.reports import a_hostile_report, a_record, a_report, an_image, layers_of


@pytest.mark.parametrize("make", [HtmlReports, MemoryReports])
def test_equal_reports_give_equal_bytes_and_the_output_stays_open(
    make: Callable[[], ReportWriter],
) -> None:
    report = a_report(a_record(10), [an_image(layers_of(100))])
    first, second = io.BytesIO(), io.BytesIO()

    make().write(report, first)
    make().write(report, second)

    assert first.getvalue() == second.getvalue() != b""


def page(report: object) -> str:
    output = io.BytesIO()
    HtmlReports().write(report, output)  # type: ignore[arg-type]
    return output.getvalue().decode()


def test_a_page_allows_its_own_script_and_style_and_names_nothing_to_load() -> None:
    text = page(a_report(a_record(3), [an_image(layers_of(50))]))

    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    for name in ("script", "style"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"""\b(?:src|href)=|url\(|@import|\bon\w+=|style=""", text)
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]


def test_no_text_of_a_report_becomes_markup() -> None:
    report = a_hostile_report()

    text = page(report)

    assert len(re.findall(r"<script|</script", text)) == 4  # the data and the program
    assert "<img" not in text
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', text)
    document = json.loads(data)
    assert document["name"] == report.name
    assert document["steps"][1]["name"] == report.steps[1].name
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u2028]", text)

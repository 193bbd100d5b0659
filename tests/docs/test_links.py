"""Links of the documents lead to files and headings that exist."""

import re
from pathlib import Path

import pytest

from tests.support.host.machine import REPOSITORY

_DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    text = _CODE.sub("", document.read_text())
    broken = [link for link in _LINK.findall(text) if not _leads_somewhere(document, link)]

    assert broken == []


def test_a_link_to_a_heading_that_does_not_exist_is_noticed() -> None:
    readme = REPOSITORY / "README.md"

    assert _leads_somewhere(readme, "docs/registry.md#where-a-registry-may-lead")
    assert not _leads_somewhere(readme, "docs/registry.md#no-such-heading")
    assert not _leads_somewhere(readme, "docs/no-such-page.md")


def _leads_somewhere(document: Path, link: str) -> bool:
    if re.match(r"https?:|mailto:", link):
        return True
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        for heading in headings
    }

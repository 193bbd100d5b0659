"""The files in examples/ci, and the shell scripts in them."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.host.machine import REPOSITORY

EXAMPLES = sorted((REPOSITORY / "examples/ci").iterdir())
_KEYS = ("run", "script", "before_script", "args")
_JENKINS_STEP = re.compile(r"\bsh '([^']*)'")
_JENKINS_POD = re.compile(r"yaml: '''(.*?)'''", re.DOTALL)
_BUILDER = re.compile(r"\b(img|executor) ")


def documents_in(text: str, *, jenkins: bool) -> list[Any]:
    """Return the YAML documents of a file; in a Jenkinsfile, those of its pods."""
    texts = _JENKINS_POD.findall(text) if jenkins else [text]
    return [document for each in texts for document in yaml.safe_load_all(each)]


def scripts_in(text: str, *, jenkins: bool) -> list[str]:
    """Return the scripts of a file that run img, in their order."""
    found = _JENKINS_STEP.findall(text) if jenkins else []
    for document in documents_in(text, jenkins=jenkins):
        found += _scripts_below(document)
    return [script for script in found if _BUILDER.search(script)]


def _scripts_below(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _scripts_below(below, str(name))
    elif isinstance(value, list):
        for below in value:
            yield from _scripts_below(below, key)
    elif isinstance(value, str) and key in _KEYS:
        yield value

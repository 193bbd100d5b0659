"""``img build --check`` and ``--call``: answers about a Dockerfile, as docker prints them.

Sources: BuildKit frontend/subrequests/{lint,outline,targets,describe.go}; buildx
commands/build.go.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Protocol

from img.application.ports.build_context import DockerfileText
from img.application.usecases.check import (
    CheckDockerfile,
    CheckedDockerfile,
    ListedTargets,
    ListTargets,
    OutlinedDockerfile,
    OutlineDockerfile,
)
from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.excerpt import render_excerpt
from img.domain.dockerfile.outline import OutlinedArgument, OutlinedMount
from img.domain.dockerfile.rules.options import LintViolation
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.targets import BuildTarget
from img.domain.errors import SourceError, UsageError
from img.domain.options.call import Call
from img.entrypoints.cli.output import say, say_json, say_text

_FOUND = 1  # exit code of a check that has something to say

Document = Mapping[str, object]


class Questions(Protocol):
    """The part of the Dockerfiles container that ``--call`` needs."""

    def check_dockerfile(self) -> CheckDockerfile:
        """Return the use case of ``--call=check``."""

    def outline_dockerfile(self) -> OutlineDockerfile:
        """Return the use case of ``--call=outline``."""

    def list_targets(self) -> ListTargets:
        """Return the use case of ``--call=targets``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a call, as text and as a document; for a check also its findings."""

    text: str
    document: Document | Sequence[Document]
    checked: CheckedDockerfile | None = None

    def status(self, asked: Call) -> int:
        """Print the reason why a build would fail, if there is one, and return the exit code."""
        return _check_status(self.checked, asked) if self.checked else 0


def run_call(
    dockerfiles: Questions, call: str, request: BuildRequest, location: str, file: str | None
) -> int:
    """Answer ``call``, such as ``check`` or ``outline,format=json``; return the exit code.

    Raises UsageError, ContextError, DockerfileError, BaseUnavailable.
    """
    asked = Call.parse(call)
    if asked is None:
        raise UsageError(f"--call={call} asks for a build")
    answer = answer_call(dockerfiles, asked, request, location, file)
    if asked.json:
        say_json(answer.document, indent=2)
    else:
        say_text(answer.text)
    return answer.status(asked)


def answer_call(
    dockerfiles: Questions, asked: Call, request: BuildRequest, location: str, file: str | None
) -> Answer:
    """Return the answer. Raises UsageError, ContextError, DockerfileError, BaseUnavailable."""
    match asked.method:
        case "outline":
            outlined = dockerfiles.outline_dockerfile()(request, location=location, file=file)
            return Answer(text=outline_text(outlined), document=outline_document(outlined))
        case "subrequests.describe":
            return Answer(text=methods_text(), document=methods_document())
        case "targets":
            listed = dockerfiles.list_targets()(location=location, file=file)
            return Answer(text=targets_text(listed), document=targets_document(listed))
        case _:
            checked = dockerfiles.check_dockerfile()(request, location=location, file=file)
            return Answer(
                text=check_text(checked), document=check_document(checked), checked=checked
            )


# --- check


def _check_status(checked: CheckedDockerfile, asked: Call) -> int:
    """Print the reason why a build would fail, if there is one, and return the exit code."""
    if checked.error:
        if checked.warnings and not asked.json:
            say()
        say_text(f"{_error_text(checked.error)}\n", error=True)
        return _FOUND if isinstance(checked.error, LintViolation) else checked.error.exit_code
    return _FOUND if checked.warnings and not asked.ignore_status else 0


def check_text(checked: CheckedDockerfile) -> str:
    """Return the warnings with their excerpts; nothing if there is only an error."""
    if not checked.warnings:
        return "" if checked.error else "Check complete, no warnings found.\n"
    count = len(checked.warnings)
    found = "1 warning has" if count == 1 else f"{count} warnings have"
    shown = (_warning_text(each, checked.source) for each in checked.warnings)
    return "\n".join([f"Check complete, {found} been found!\n", *shown])


def _warning_text(warning: LintWarning, source: DockerfileText) -> str:
    text = source.content.decode("utf-8", "replace")
    page = f" - {warning.url}" if warning.url else ""
    excerpt = render_excerpt(source.name, text, warning.lines)
    return f"WARNING: {warning.rule}{page}\n{warning.detail}\n{excerpt}\n"


def _error_text(error: SourceError) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return "\n".join([f"ERROR: {error.message}{hint}", *([error.excerpt] if error.excerpt else [])])


def check_document(checked: CheckedDockerfile) -> Document:
    """Return the document for ``format=json``."""
    document: dict[str, object] = {
        "warnings": [_warning_document(each) for each in checked.warnings],
        "sources": [
            {
                "filename": checked.source.name,
                "data": _encoded(checked.source),
                "language": "Dockerfile",
            }
        ],
    }
    if checked.error:
        lines = checked.error.lines
        where = _location(lines) if lines else {}
        document["buildError"] = {"message": checked.error.message, "location": where}
    return document


def _warning_document(warning: LintWarning) -> Document:
    return _without_empty(
        ruleName=warning.rule,
        description=warning.description,
        url=warning.url,
        detail=warning.detail,
        location=_location(warning.lines),
    )


# --- outline


def outline_text(outlined: OutlinedDockerfile) -> str:
    """Return a table for each kind of parameter of the target."""
    outline = outlined.outline
    target = [("TARGET:", outline.name or "(default)")]
    if outline.description:
        target.append(("DESCRIPTION:", outline.description))
    arguments = [(each.name, each.value, each.description) for each in outline.arguments]
    tables = [
        _columns(target, 1) if outline.name or outline.description else "",
        _columns([("BUILD ARG", "VALUE", "DESCRIPTION"), *arguments], 3) if arguments else "",
        _mounts_text("SECRET", outline.secrets),
        _mounts_text("SSH", outline.agents),
    ]
    return "".join(f"{table}\n" for table in tables if table)


def _mounts_text(title: str, mounts: Sequence[OutlinedMount]) -> str:
    rows = [(each.name, "true" if each.required else "") for each in mounts]
    return _columns([(title, "REQUIRED"), *rows], 3) if rows else ""


def outline_document(outlined: OutlinedDockerfile) -> Document:
    """Return the document for ``format=json``."""
    outline = outlined.outline
    return _without_empty(
        name=outline.name,
        description=outline.description,
        args=[_argument_document(each) for each in outline.arguments],
        secrets=[_mount_document(each) for each in outline.secrets],
        ssh=[_mount_document(each) for each in outline.agents],
        sources=[_encoded(outlined.source)],
    )


def _argument_document(argument: OutlinedArgument) -> Document:
    return _without_empty(
        name=argument.name,
        description=argument.description,
        value=argument.value,
        location=_location(argument.lines),
    )


def _mount_document(mount: OutlinedMount) -> Document:
    return _without_empty(name=mount.name, required=mount.required, location=_location(mount.lines))


# --- targets


def targets_text(listed: ListedTargets) -> str:
    """Return one line for each stage."""
    rows = [(_target_name(each), each.description) for each in listed.targets]
    return _columns([("TARGET", "DESCRIPTION"), *rows], 1)


def _target_name(target: BuildTarget) -> str:
    return " ".join(filter(None, (target.name, "(default)" if target.is_default else "")))


def targets_document(listed: ListedTargets) -> Document:
    """Return the document for ``format=json``."""
    return {
        "targets": [
            _without_empty(
                name=each.name,
                default=each.is_default,
                description=each.description,
                base=each.base,
                platform=each.platform,
                location=_location(each.lines),
            )
            for each in listed.targets
        ],
        "sources": [_encoded(listed.source)],
    }


# --- subrequests.describe: the methods, as BuildKit's Dockerfile frontend describes them

_METHODS = (
    ("frontend.outline", "List all parameters current build target supports"),
    ("frontend.targets", "List all targets current build supports"),
    ("frontend.subrequests.describe", "List available subrequest types"),
)
_VERSION = "1.0.0"  # of each, as of this list


def methods_text() -> str:
    """Return one line for each method."""
    rows = [(name.removeprefix("frontend."), _VERSION, says) for name, says in _METHODS]
    return _columns([("NAME", "VERSION", "DESCRIPTION"), *rows], 1)


def methods_document() -> Sequence[Document]:
    """Return the document for ``format=json``."""
    results = [_named("result.json"), _named("result.txt")]
    options: dict[str, list[Document] | None] = {
        "frontend.outline": [_named("target", "Target build stage")],
        "frontend.targets": [],
    }
    return [
        {
            "name": name,
            "version": _VERSION,
            "type": "rpc",
            "description": says,
            "opts": options.get(name),
            "inputs": None,
            "metadata": results,
            "refs": None,
        }
        for name, says in _METHODS
    ]


def _named(name: str, description: str = "") -> Document:
    return {"name": name, "description": description}


# --- shared


def _columns(rows: Sequence[Sequence[str]], padding: int) -> str:
    """Return ``rows`` as Go's tabwriter aligns them with blanks; last cells are in no column."""
    widths = [max(map(len, column)) + padding for column in list(zip(*rows, strict=True))[:-1]]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) + "\n"
        for row in rows
    )


def _location(lines: tuple[int, int]) -> Document:
    start, end = ({"line": line} for line in lines)
    return {"ranges": [{"start": start, "end": end}]}


def _encoded(source: DockerfileText) -> str:
    return base64.b64encode(source.content).decode("ascii")


def _without_empty(**fields: object) -> Document:
    """Return the document without the fields that Go's encoder omits with ``omitempty``."""
    return {name: value for name, value in fields.items() if value}

r"""Logs of CI systems: lines that open and close sections, and lines that mark source files.

GitHub (docs.github.com, "Workflow commands for GitHub Actions") and Gitea read "::group::TITLE" and
"::error file=F,line=N::TEXT". GitLab (docs.gitlab.com, "Custom collapsible sections") reads
"\e[0Ksection_start:TIME:NAME\r\e[0KTITLE".
"""

from collections.abc import Mapping
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError

VARIABLE = "IMG_CI"
_ERASE = "\x1b[0K"


class CiSystem(Enum):
    """A CI system with commands in logs."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True)
class Mark:
    """A message about lines of a file, for GitHub to show beside them."""

    kind: str  # error or warning
    message: str
    file: str = ""  # relative to the repository; "" marks the run alone
    lines: tuple[int, int] | None = None  # 1-based, first and last

    @property
    def command(self) -> str:
        """The workflow command."""
        place = {"title": "img build"}
        if self.file:
            place["file"] = self.file
            if self.lines:
                place |= {"line": str(self.lines[0]), "endLine": str(self.lines[1])}
        values = ",".join(f"{name}={_value(text)}" for name, text in place.items())
        return f"::{self.kind} {values}::{_data(self.message)}"


def ci_system(environment: Mapping[str, str]) -> CiSystem | None:
    """Return the system that reads this log: what IMG_CI says, else the one that set variables.

    Raises UsageError.
    """
    choice = environment.get(VARIABLE, "auto") or "auto"
    if choice == "auto":
        if environment.get("GITHUB_ACTIONS") == "true":
            return CiSystem.GITHUB
        return CiSystem.GITLAB if environment.get("GITLAB_CI") == "true" else None
    if choice == "none":
        return None
    try:
        return CiSystem(choice)
    except ValueError:
        known = ", ".join(("auto", *(each.value for each in CiSystem), "none"))
        raise UsageError(
            f'{VARIABLE}: "{choice}" is no CI system', hint=f"known: {known}"
        ) from None


def place_in(workspace: str, path: str) -> str:
    """Return the absolute ``path`` relative to the directory ``workspace``, "" if not in it."""
    root = workspace.rstrip("/") + "/"
    return path.removeprefix(root) if workspace and path.startswith(root) else ""


def section_start(system: CiSystem, number: int, title: str, now: int) -> str:
    """Return the line that opens section ``number`` of a log, at ``now`` (seconds since 1970).

    ``title`` is one line without control characters.
    """
    if system is CiSystem.GITHUB:
        return f"::group::{_data(title)}"
    name = f"img_{number}"
    return f"{_ERASE}section_start:{now}:{name}[collapsed=true]\r{_ERASE}{title}"


def section_end(system: CiSystem, number: int, now: int) -> str:
    """Return the line that closes the section."""
    if system is CiSystem.GITHUB:
        return "::endgroup::"
    return f"{_ERASE}section_end:{now}:img_{number}\r{_ERASE}"


def _data(text: str) -> str:
    """Return ``text`` escaped as GitHub's runner expects it (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

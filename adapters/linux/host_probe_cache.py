"""What this machine allowed or refused before, so that nobody has to try it in every build."""

import contextlib
import json
import os
from collections.abc import Mapping


class Refusals:
    """A file of a state: what failed and why, or worked, and under which circumstances.

    It counts as long as the machine runs, the state is on the same file system, and this process
    is confined as it was. Whoever finds that it works after all has it forgotten.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def reason(self, what: str) -> str | None:
        """Return why ``what`` was refused, None where it is not known to be."""
        return self._known(what) or None

    def is_allowed(self, what: str) -> bool:
        """Tell whether ``what`` is known to have worked."""
        return self._known(what) == ""

    def add(self, what: str, reason: str) -> None:
        """Remember that ``what`` was refused."""
        self._remember(what, reason)

    def allow(self, what: str) -> None:
        """Remember that ``what`` worked."""
        self._remember(what, "")

    def forget(self, what: str) -> None:
        """Let ``what`` be tried again."""
        records = dict(self._records())
        if records.pop(what, None) is not None:
            self._write(records)

    def _known(self, what: str) -> str | None:
        record = self._records().get(what)
        if not isinstance(record, dict) or record.get("where") != self._where():
            return None
        return str(record.get("reason", ""))

    def _remember(self, what: str, reason: str) -> None:
        self._write({**self._records(), what: {"where": self._where(), "reason": reason}})

    def _records(self) -> Mapping[str, object]:
        with contextlib.suppress(OSError, ValueError), open(self._path, encoding="utf-8") as file:
            records = json.load(file)
            if isinstance(records, dict):
                return records
        return {}

    def _write(self, records: Mapping[str, object]) -> None:
        # Where it cannot be written, or is read half, things are tried again.
        with contextlib.suppress(OSError), open(self._path, "w", encoding="utf-8") as file:
            json.dump(records, file, indent=1)

    def _where(self) -> list[str]:
        return [
            _line_of("/proc/sys/kernel/random/boot_id"),
            str(os.stat(os.path.dirname(self._path)).st_dev),
            str(os.stat("/").st_dev),
            *_confinement(),
        ]


def _confinement() -> list[str]:
    keys = ("CapBnd:", "NoNewPrivs:", "Seccomp:")
    with open("/proc/self/status", encoding="utf-8", errors="replace") as lines:
        return ["".join(line.split()) for line in lines if line.startswith(keys)]


def _line_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""

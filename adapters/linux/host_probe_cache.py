"""Results of earlier probes of this machine, so that builds need not repeat the probes."""

import contextlib
import json
import os
from collections.abc import Mapping


class HostProbeCache:
    """A file in the state with the results of earlier probes and their conditions.

    A result is valid until the machine reboots, the state moves to another file system, or the
    confinement of the process changes. Code that finds a refused feature working calls ``forget``.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def reason(self, what: str) -> str | None:
        """Return why the feature ``what`` was refused, None without a record of a refusal."""
        return self._known(what) or None

    def is_allowed(self, what: str) -> bool:
        """Tell whether there is a record that the feature ``what`` worked."""
        return self._known(what) == ""

    def record_refusal(self, what: str, reason: str) -> None:
        """Record that the feature ``what`` was refused."""
        self._remember(what, reason)

    def record_success(self, what: str) -> None:
        """Record that the feature ``what`` worked."""
        self._remember(what, "")

    def forget(self, what: str) -> None:
        """Delete the record of the feature ``what``, so that it is probed again."""
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
        # If the file cannot be written, or is read incomplete, the probes are only repeated.
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

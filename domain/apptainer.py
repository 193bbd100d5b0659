"""Files that Apptainer and Singularity expect in an image (Apptainer, "The Singularity Image").

They run the image as docker does: with its ENV, ENTRYPOINT and CMD. Its USER and WORKDIR do not
count there: a container has the user and the directory of its caller.
"""

import json
import re
from collections.abc import Iterator

from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.oci.config import RunConfig

FOLDER = ".singularity.d"
_ENVIRONMENT = f"{FOLDER}/env/10-docker2singularity.sh"  # Apptainer's name
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Apptainer mounts or writes these, and a small image may lack them.
_PLACES = ("dev", "etc", "home", "proc", "root", "sys", "tmp", "var", "var/tmp")
_FILES = ("etc/hosts", "etc/resolv.conf")


def runtime_files(run: RunConfig) -> Iterator[tuple[Entry, bytes]]:
    """Yield the files below FOLDER for an image, parents first and sorted, and their contents."""
    yield Entry(FOLDER, DIRECTORY, 0o755), b""
    yield Entry(f"{FOLDER}/env", DIRECTORY, 0o755), b""
    labels = json.dumps(dict(sorted(run.labels.items())), indent="\t", ensure_ascii=False)
    for path, mode, text in (
        (_ENVIRONMENT, 0o755, _environment(run)),
        (f"{FOLDER}/labels.json", 0o644, f"{labels}\n"),
        (f"{FOLDER}/runscript", 0o755, _program(run)),
    ):
        content = text.encode("utf-8", "surrogateescape")
        yield Entry(path, FILE, mode, size=len(content)), content


def missing_places(paths: frozenset[str]) -> Iterator[Entry]:
    """Yield directories and empty files for mounts that are not among ``paths``."""
    for path in _PLACES:
        if path not in paths:
            yield Entry(path, DIRECTORY, 0o1777 if path.endswith("tmp") else 0o755)
    for path in _FILES:
        if path not in paths:
            yield Entry(path, FILE, 0o644)


def _environment(run: RunConfig) -> str:
    """Return a script that sets each variable that the caller has not set; PATH always."""
    lines = ["#!/bin/sh"]
    for name, value in run.env:
        if name == "PATH":
            lines.append(f"export PATH={_quoted(value)}")
        elif _NAME.fullmatch(name):
            lines.append(f'if [ -z "${{{name}-}}" ]; then export {name}={_quoted(value)}; fi')
    return "".join(f"{line}\n" for line in lines)


def _program(run: RunConfig) -> str:
    """Return a script with the entry point; arguments replace the command."""
    command = " ".join(map(_quoted, run.cmd or ()))
    entry_point = " ".join(map(_quoted, run.entrypoint or ()))
    return (
        "#!/bin/sh\n"
        f'if [ "$#" -eq 0 ]; then set -- {command}; fi\n'
        f'set -- {entry_point} "$@"\n'
        'if [ "$#" -eq 0 ]; then set -- /bin/sh; fi\n'
        'exec "$@"\n'
    )


def _quoted(text: str) -> str:
    # Not '\'': the interpreter of Apptainer 1.4, which reads the variables, keeps that backslash.
    return "'" + text.replace("'", "'\"'\"'") + "'"

"""The small languages inside of Dockerfiles against BuildKit's answers, one table a test.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

from collections.abc import Callable

import pytest

from img.domain.dockerfile.directives import (
    DuplicateDirective,
    detect_syntax,
    find_directive,
    read_directives,
)
from img.domain.dockerfile.file_mode import parse_file_mode
from img.domain.dockerfile.ignore import IgnoreMatcher, read_ignore_patterns
from img.domain.dockerfile.mounts import parse_mount
from img.domain.dockerfile.ports import parse_ports
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.dockerfile.variables import ExpansionFailed, Quoting, expand
from img.domain.dockerfile.words import parse_json_form
from img.domain.errors import ImgError
from img.domain.go.quantities import parse_byte_size, parse_duration
from tests.support.conformance_tables import Row, is_there, table_rows

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


def rows(table: str) -> tuple[Row, ...]:
    found = table_rows(table)
    assert found, f"{table} is empty"
    return found


def answers(row: Row, answer: Callable[[Row], object]) -> str | None:
    """Return the fault of img's answer to ``row``, None if it is right."""
    try:
        got = answer(row)
    except (ImgError, ValueError) as error:
        return None if "error" in row else f"{row['id']}: refused: {error}"
    if "error" in row:
        return f"{row['id']}: {got!r}, but it must be refused"
    return None if got == row["expect"] else f"{row['id']}: {got!r}, not {row['expect']!r}"


def wrong_answers(table: str, answer: Callable[[Row], object]) -> list[str]:
    return [wrong for row in rows(table) if (wrong := answers(row, answer))]


def test_words_expand_as_in_buildkit() -> None:
    def expanded(row: Row) -> Row:
        quoting = Quoting(
            skip_unset=row.get("skip_unset", False), raw_quotes=row.get("raw_quotes", False)
        )
        try:
            got = expand(row["word"], row["env"], row["escape"], quoting=quoting)
        except ExpansionFailed:
            return {"word_error": True, "words_error": True}
        return {
            "word": got.text,
            "words": list(got.words),
            "matched": sorted(got.matched),
            "unmatched": sorted(got.unmatched),
        }

    wrong: list[str] = []
    for row in rows("shell_expansion"):
        want = row["expect"]
        if "word_error" in want:
            want = dict.fromkeys(("word_error", "words_error"), True)
        else:
            want = {**want, "words": want["words"] or []}
            want = {**want, **{key: sorted(want[key]) for key in ("matched", "unmatched")}}
        got = expanded(row)
        if got != want:
            wrong.append(f"{row['id']}: {got!r}, not {want!r}")
    assert not wrong


def test_json_form_is_what_go_decodes() -> None:
    def words(row: Row) -> list[str]:
        found = parse_json_form(row["text"])
        if found is None:
            raise ValueError(row["text"])
        return list(found)

    assert not wrong_answers("json_form", words)


def test_directives_are_found() -> None:
    def directives(text: str) -> object:
        try:
            found = read_directives(text.split("\n"))
        except DuplicateDirective as error:
            return {"error": error.message}
        return [
            {"lines": [[each.line, each.line]], "name": each.name, "value": each.value}
            for each in found
        ]

    def syntax(text: str) -> Row:
        found = detect_syntax(text)
        if not found:
            return {"ok": False}
        lines = [[found.line, found.line]]
        return {"cmdline": found.command_line, "lines": lines, "ok": True, "ref": found.reference}

    def check(text: str) -> Row:
        found = find_directive("check", text)
        if not found:
            return {"ok": False}
        lines = [[found.line, found.line]]
        return {"cmdline": found.value, "lines": lines, "ok": True, "value": found.first_word}

    for row in rows("directives"):
        assert directives(row["text"]) == row["directives"], row["id"]
        assert syntax(row["text"]) == row["syntax"], row["id"]
        assert check(row["text"]) == row["check"], row["id"]


def test_the_nearest_name_is_suggested() -> None:
    def suggested(row: Row) -> str:
        return "E" + did_you_mean(
            row["value"], row["options"], case_sensitive=row["case_sensitive"]
        )

    assert not wrong_answers("suggestions", suggested)


def test_durations_are_nanoseconds() -> None:
    assert not wrong_answers("durations", lambda row: parse_duration(row["text"]))


def test_sizes_are_bytes() -> None:
    assert not wrong_answers("byte_sizes", lambda row: parse_byte_size(row["text"]))


def test_symbolic_modes_change_what_they_say() -> None:
    def changed(row: Row) -> str:
        mode = parse_file_mode(row["expr"]).apply(int(row["mode"], 8), row["dir"])
        return f"{mode:04o}"

    assert not wrong_answers("chmod_symbolic", changed)


def test_expose_names_ports() -> None:
    assert not wrong_answers("expose_ports", lambda row: list(parse_ports(row["words"])))


def test_mounts_are_understood() -> None:
    def mount(row: Row) -> Row:
        got = parse_mount(row["value"])
        read_only = got.read_only
        if read_only is None:
            read_only = got.type in ("bind", "secret", "ssh")
        fields = {
            "Type": got.type,
            "From": got.from_,
            "Source": got.source,
            "Target": got.target,
            "ReadOnly": read_only,
            "SizeLimit": got.size,
            "CacheID": got.id,
            "CacheSharing": got.sharing,
            "Required": got.required,
            "Env": got.env,
            "Mode": got.mode,
            "UID": got.uid,
            "GID": got.gid,
        }
        return {name: value for name, value in fields.items() if value}

    assert not wrong_answers("run_mount_flags", mount)


def test_ignore_files_are_read() -> None:
    assert not wrong_answers(
        "dockerignore_file", lambda row: list(read_ignore_patterns(row["text"]))
    )


def test_ignored_paths_are_those_of_moby() -> None:
    assert not wrong_answers(
        "dockerignore_match", lambda row: IgnoreMatcher(row["patterns"]).excludes(row["path"])
    )

"""Values of options against the answers of docker's and BuildKit's own parsers."""

from collections.abc import Callable, Iterable

import pytest

from img.domain.errors import ImgError
from img.domain.oci.annotations import Annotation
from img.domain.options.annotations import parse_annotation, parse_annotation_attribute
from img.domain.options.call import Call
from img.domain.options.contexts import parse_named_context
from img.domain.options.limits import parse_ulimit
from img.domain.options.network import parse_host
from img.domain.options.outputs import OutputOptions, parse_outputs
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.outputs import (
    ArchiveOutput,
    CacheOnly,
    DiskImageOutput,
    FilesOutput,
    ImageOutput,
    Output,
)
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.conformance_tables import Row, is_there, table_rows

HOST = Platform("linux", "amd64")

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


def rows(table: str) -> tuple[Row, ...]:
    found = table_rows(table)
    assert found
    return found


def disagreements(table: Iterable[Row], answer: Callable[[Row], object]) -> list[str]:
    """Return the faults of img's answers; a row with an error must be refused."""
    wrong = []
    for row in table:
        try:
            got = answer(row)
        except ImgError as error:
            if "error" not in row:
                wrong.append(f"{row}: refused: {error.message}")
            continue
        if "error" in row or got != row["expect"]:
            wrong.append(f"{row}: {got}")
    return wrong


def of_flag(flag: str) -> list[Row]:
    found = [row for row in rows("docker_build_flags") if row["flag"] == flag]
    assert found
    return found


def test_ulimits_are_read_as_docker_reads_them() -> None:
    def answer(row: Row) -> object:
        limit = parse_ulimit(row["text"])
        return {"name": limit.name, "soft": limit.soft, "hard": limit.hard}

    assert disagreements(rows("ulimits"), answer) == []


def test_secrets_are_read_as_buildctl_reads_them() -> None:
    def answer(row: Row) -> object:
        spec = SecretSpec.parse(row["value"])
        return {"ID": spec.id, "FilePath": spec.path, "Env": spec.env}

    assert disagreements(rows("secret_specs"), answer) == []


def test_secrets_are_read_as_docker_reads_them() -> None:
    def answer(row: Row) -> object:
        specs = [SecretSpec.parse(value) for value in row["values"]]
        return [
            {k: v for k, v in (("id", s.id), ("src", s.path), ("env", s.env)) if v} for s in specs
        ]

    assert disagreements(of_flag("--secret"), answer) == []


def test_agents_are_read_as_buildctl_reads_them() -> None:
    def answer(row: Row) -> object:
        specs = [AgentSpec.parse(value) for value in row["values"]]
        return [{"ID": s.id, "Paths": list(s.paths) or None, "Raw": s.raw} for s in specs]

    assert disagreements(rows("ssh_specs"), answer) == []


def test_named_contexts_are_read_as_docker_reads_them() -> None:
    def answer(row: Row) -> object:
        return dict(parse_named_context(value) for value in row["values"])

    assert disagreements(of_flag("--build-context"), answer) == []


def test_calls_are_read_as_docker_reads_them() -> None:
    # Where docker leaves an unknown method to the frontend, we refuse it at once.
    def method_of(row: Row) -> str:
        return str((row.get("expect") or {"Name": "build"})["Name"])

    known = [row for row in of_flag("--call") if method_of(row) not in {"", "bogus"}]

    def answer(row: Row) -> object:
        call = Call.parse(row["values"][-1])
        if call is None:
            return None
        name = "lint" if call.method == "check" else call.method
        shown = "json" if call.json else ""
        return {"Name": name, "Format": shown, "IgnoreStatus": call.ignore_status}

    assert disagreements(known, answer) == []


def test_an_added_host_needs_a_name_and_an_address() -> None:
    assert parse_host("db:10.0.0.7") == ("db", "10.0.0.7")
    assert parse_host("db=fe80::1") == ("db", "fe80::1")
    assert parse_host("db:[fe80::1]") == ("db", "fe80::1")
    assert parse_host("me:host-gateway") == ("me", "127.0.0.1")
    for text in ("db", "db:", "db:nowhere", ":1.2.3.4"):
        with pytest.raises(ImgError):
            parse_host(text)


def test_outputs_are_read_as_buildx_reads_them() -> None:
    # What buildx takes apart and refuses later, img refuses at once.
    refused_later = {("type=local",), ("type=bogus,dest=x",)}

    def answer(row: Row) -> object:
        asked = OutputOptions(outputs=row["values"])
        return [told(output) for output in parse_outputs(asked, HOST)]

    def told(output: Output) -> dict[str, str]:
        match output:
            case FilesOutput():
                return {"type": "tar" if output.tar else "local", "dest": output.destination}
            case ArchiveOutput():
                return {"type": output.format, "dest": output.destination}
            case DiskImageOutput():
                return {"type": output.format, "dest": output.destination}
            case CacheOnly():
                return {"type": "cacheonly"}
            case ImageOutput():
                kind = "image" if output.store else "registry"
                push = {"push": "true"} if output.push and output.store else {}
                marks = {f"annotation.{each.key}": each.value for each in output.form.annotations}
                names = {"name": ",".join(map(str, output.names))} if output.names else {}
                return {"type": kind, **names, **push, **marks}

    def in_full(row: Row) -> Row:
        expected = [dict(each) for each in row.get("expect", ())]
        for each in expected:
            if "name" in each:
                names = each["name"].split(",")
                each["name"] = ",".join(str(ImageReference.parse(name)) for name in names)
        return {**row, **({"expect": expected} if expected else {})}

    table = [
        in_full(row) for row in of_flag("--output") if tuple(row["values"]) not in refused_later
    ]
    assert table
    assert not disagreements(table, answer)


def test_annotations_are_read_as_buildx_reads_them() -> None:
    def answer(row: Row) -> object:
        found = [each for text in row["values"] for each in parse_annotation(text, HOST)]
        return sorted((told(each) for each in found), key=str)

    def told(each: Annotation) -> tuple[str, ...]:
        return (each.key, each.value, each.place.value, str(each.platform or ""))

    def in_full(row: Row) -> Row:
        expected = [
            (each["key"], each["value"], each["type"] or "manifest", each["platform"])
            for each in row.get("expect", ())
        ]
        return {**row, **({"expect": sorted(expected, key=str)} if expected else {})}

    assert not disagreements([in_full(row) for row in of_flag("--annotation")], answer)


def test_attributes_that_are_annotations_are_read_as_buildkit_reads_them() -> None:
    def answer(row: Row) -> object:
        found = parse_annotation_attribute(row["key"], "x", HOST)
        if found is None:
            return {"ok": False}
        platform = str(found.platform or "")
        return {"ok": True, "key": found.key, "type": found.place.value, "platform": platform}

    assert not disagreements(rows("annotation_keys"), answer)

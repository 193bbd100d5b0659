"""Our plans against those of BuildKit's dockerfile2llb: table build_plan.jsonl.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.digest import Digest
from img.domain.dockerfile.interpret import interpret
from img.domain.errors import DockerfileError, ImgError
from img.domain.graph.lower import lower
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    ExecMount,
    FetchGit,
    FetchUrl,
    InlineFile,
    MakeDirectory,
    Operation,
    PullBase,
    ReadContext,
    Scratch,
)
from img.domain.graph.stage_plan import plan_stages
from img.domain.graph.vertex import Plan, Vertex
from img.domain.oci.chain import DiffID
from img.domain.oci.config import Health, History, ImageConfig, RunConfig
from img.domain.platform import Platform
from img.domain.process import Network
from tests.support.conformance_tables import Row, is_there, table_rows
from tests.support.host.machine import CONFORMANCE
from tests.support.plans import missing_in

HOST = Platform("linux", "amd64")

Op = dict[str, Any]

ROWS = table_rows("build_plan")

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "expect" in row], ids=lambda row: str(row["id"])
)
def test_a_dockerfile_gives_the_plan_of_buildkit(row: Row) -> None:
    assert described(planned(row)) == without_empty(row["expect"])


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "error" in row], ids=lambda row: str(row["id"])
)
def test_what_buildkit_refuses_is_refused_at_its_line(row: Row) -> None:
    with pytest.raises(ImgError) as refusal:
        planned(row)
    if isinstance(refusal.value, DockerfileError) and refusal.value.lines and row["lines"]:
        first = refusal.value.lines[0]
        assert any(start <= first <= end for start, end in row["lines"]), refusal.value.lines


def planned(row: Row) -> Plan:
    dockerfile = interpret(DockerfileParseParser().parse(row["dockerfile"].encode()))
    platform = Platform.parse(row["platform"], HOST) if "platform" in row else HOST
    request = BuildRequest(
        platform=platform,
        build_platform=HOST,
        implicit_platform="platform" not in row,
        build_args=row.get("build_args") or {},
        target=row.get("target") or "",
        labels=row.get("labels") or {},
    )
    bases: dict[BaseName, BaseImage] = {}
    while missing := missing_in(stages := plan_stages(dockerfile, request, bases), bases):
        bases |= {name: base_image(name) for name in missing}
    return lower(stages, request, bases)


# The images of the table


@cache
def images() -> Mapping[str, Row]:
    document = json.loads((CONFORMANCE / "tables" / "build_plan_images.json").read_text("utf-8"))
    found: Mapping[str, Row] = document["images"]
    return found


def base_image(name: BaseName) -> BaseImage:
    short = name.text.removeprefix("docker.io/library/")
    config = images().get(short, images()["busybox:latest"])
    return BaseImage(
        reference=name.text,
        manifest=Digest.of(str(name).encode()),
        config=ImageConfig(
            platform=name.platform,
            run=run_config(config),
            history=(History(created_by="base"),),
            diff_ids=(DiffID(Digest.of(b"base")),),
        ),
    )


def run_config(config: Row) -> RunConfig:
    health = config.get("Healthcheck")
    pairs = (text.partition("=") for text in config.get("Env", ()))
    return RunConfig(
        user=config.get("User", ""),
        exposed_ports=tuple(config.get("ExposedPorts", ())),
        env=tuple((name, value) for name, _, value in pairs),
        entrypoint=tuple(config["Entrypoint"]) if "Entrypoint" in config else None,
        cmd=tuple(config["Cmd"]) if "Cmd" in config else None,
        volumes=tuple(config.get("Volumes", ())),
        working_dir=config.get("WorkingDir", ""),
        labels=config.get("Labels", {}),
        stop_signal=config.get("StopSignal", ""),
        shell=tuple(config.get("Shell", ())),
        healthcheck=Health(test=tuple(health["Test"]), interval=health["Interval"])
        if health
        else None,
        on_build=tuple(config.get("OnBuild", ())),
    )


# A plan in the table's words


def described(plan: Plan) -> Row:
    config = plan.config
    ops = each_file_once(
        [op for position in in_dependency_order(plan) for op in ops_of(plan, position)]
    )
    document: Row = without_empty(
        {
            "architecture": config.platform.architecture,
            "os": config.platform.os,
            "variant": config.platform.variant,
            "author": config.author,
            "config": config_document(config.run),
            "history": [
                {"created_by": item.created_by, "empty_layer": item.empty_layer}
                for item in config.history
            ]
            + [
                {"created_by": item.created_by, "empty_layer": item.vertex is None}
                for item in plan.history
            ],
            "ops": ops,
        }
    )
    return document


def config_document(run: RunConfig) -> Row:
    health = run.healthcheck
    return {
        "User": run.user,
        "ExposedPorts": {port: {} for port in run.exposed_ports},
        "Env": [f"{name}={value}" for name, value in run.env],
        "Entrypoint": list(run.entrypoint or ()),
        "Cmd": list(run.cmd or ()),
        "Volumes": {path: {} for path in run.volumes},
        "WorkingDir": run.working_dir,
        "Labels": dict(run.labels),
        "StopSignal": run.stop_signal,
        "Shell": list(run.shell),
        "OnBuild": list(run.on_build),
        "Healthcheck": {
            "Test": list(health.test),
            "Interval": health.interval,
            "Timeout": health.timeout,
            "StartPeriod": health.start_period,
            "StartInterval": health.start_interval,
            "Retries": health.retries,
        }
        if health
        else {},
    }


def without_empty(value: Any, key: str = "") -> Any:
    """Drop what is empty, as the table does; but sets are objects with empty values."""
    if isinstance(value, list):
        return [without_empty(each) for each in value]
    if not isinstance(value, dict):
        return value
    if key in {"ExposedPorts", "Volumes", "Labels", "secret", "ssh"}:
        return dict(value)
    cleaned = {name: without_empty(each, name) for name, each in value.items()}
    # The host's network is what every step of ours has unless it asks for none.
    if cleaned.get("op") == "exec" and cleaned.get("network") == "HOST":
        del cleaned["network"]
    return {name: each for name, each in cleaned.items() if each not in ("", [], {}, False, None)}


def in_dependency_order(plan: Plan) -> list[int]:
    done: dict[int, None] = {}

    def visit(position: int) -> None:
        if position in done:
            return
        for each in inputs_in_llb_order(plan.graph.vertices[position]):
            visit(each)
        done[position] = None

    visit(plan.target)
    return list(done)


def inputs_in_llb_order(vertex: Vertex) -> list[int]:
    """Mounts of a RUN are sorted by their targets there."""
    if not isinstance(vertex.operation, Exec):
        return list(vertex.inputs)
    mounts = sorted(vertex.operation.mounts, key=lambda mount: mount.target)
    shown = [vertex.inputs[mount.input] for mount in mounts if mount.input is not None]
    return [vertex.inputs[0], *shown]


def each_file_once(ops: list[Op]) -> list[Op]:
    """Leave out the vertices of heredocs and cache directories, which LLB merges if equal."""
    return [
        op
        for at, op in enumerate(ops)
        if not (op["op"] == "mkfile" or op.get("path") == "/cache") or op not in ops[:at]
    ]


def ops_of(plan: Plan, position: int) -> Iterator[Op]:
    vertex = plan.graph.vertices[position]
    match vertex.operation:
        case Scratch():
            return
        case CopyFiles() as copy:
            yield from copy_ops(plan, vertex, copy)
        case MakeDirectory() as make:
            op: Op = {"op": "mkdir", "path": make.path, "mode": "0755"}
            yield op | owner(make.owner)
        case Exec() as run:
            yield from exec_ops(run)
        case operation:
            yield source_op(operation)


def source_op(operation: Operation) -> Op:
    match operation:
        case PullBase():
            return {"op": "source", "id": f"docker-image://{operation.reference}"}
        case ReadContext():
            return {"op": "source", "id": f"local://{operation.name or 'context'}"}
        case FetchUrl():
            return {
                "op": "source",
                "id": operation.url,
                "http.filename": operation.filename,
                "http.checksum": str(operation.checksum or ""),
            }
        case FetchGit():
            address = re.sub("^(https?://|git@)", "", operation.remote).replace(".com:", ".com/")
            subdir = f":{operation.subdir}" if operation.subdir else ""
            fragment = f"#{operation.ref}{subdir}" if operation.ref or subdir else ""
            return {
                "op": "source",
                "id": f"git://{address}{fragment}",
                "git.fullurl": operation.remote,
            }
    raise AssertionError(operation)


def copy_ops(plan: Plan, vertex: Vertex, copy: CopyFiles) -> Iterator[Op]:
    common: Op = {"op": "copy", "dest": copy.destination, "exclude": list(copy.exclude)}
    common |= owner(copy.chown) | mode(copy.chmod)
    yield from (mkfile(file) for file in reversed(copy.inline))
    for at, source in enumerate(copy.sources):
        number = copy.source_inputs[at] if copy.source_inputs else 1
        operation = plan.graph.vertices[vertex.inputs[number]].operation
        if isinstance(operation, FetchUrl | FetchGit):
            unpack = copy.unpack_fetched and isinstance(operation, FetchUrl)
            yield common | {"src": f"/{source}", "unpack": unpack}
        else:
            yield common | selection(copy, source) | {"wildcard": True, "unpack": copy.unpack}
    yield from (common | {"src": f"/{file.name}"} for file in copy.inline)


def selection(copy: CopyFiles, source: str) -> Op:
    if not copy.parents:
        return {"src": f"/{source}"}
    base, pivot, rest = source.partition("/./")
    if not pivot:
        return {"src": "/", "include": [source]}
    return {"src": f"/{base}".removesuffix("."), "include": [rest]}


def mkfile(file: InlineFile) -> Op:
    return {
        "op": "mkfile",
        "path": f"/{file.name}",
        "data": file.content,
        "mode": f"{file.mode:04o}",
    }


def owner(text: str) -> Op:
    if not text:
        return {}
    user, colon, group = text.partition(":")
    return {"owner": [name_or_number(user), name_or_number(group or "0") if colon else None]}


def name_or_number(text: str) -> str | int:
    if text == "root":
        return 0
    return int(text) if text.isdecimal() else text


def mode(text: str) -> Op:
    if not text:
        return {}
    if text.isdecimal():
        return {"mode": f"{int(text, 8):04o}"}
    return {"mode": "0000", "mode_str": text}


def exec_ops(run: Exec) -> Iterator[Op]:
    yield from (mkfile(file) for file in run.files)
    mounts = sorted(run.mounts, key=lambda mount: mount.target)
    plain = [mount for mount in mounts if mount.type in {"bind", "cache", "tmpfs"}]
    special = [mount for mount in run.mounts if mount.type in {"secret", "ssh"}]
    for mount in plain:
        if has_made_directory(mount):
            permissions = 0o755 if mount.mode is None else mount.mode
            owners = [mount.uid, mount.gid]
            directory: Op = {"op": "mkdir", "path": "/cache", "owner": owners}
            yield directory | {"mode": f"{permissions:04o}"}
    scripts = [
        {"type": "BIND", "dest": "/dev/pipes/", "readonly": True, "selector": "/"}
        for _ in run.files
    ]
    shown = [mount_document(mount) for mount in (*plain, *special) if mount.target]
    yield {
        "op": "exec",
        "args": list(run.argv),
        "env": [f"{name}={value}" for name, value in run.env],
        "cwd": run.cwd,
        "user": run.user,
        "network": "NONE" if run.network is Network.NONE else "",
        "mounts": scripts + shown,
        "secret_env": [
            {"id": mount.id, "name": mount.env, "optional": not mount.required}
            for mount in special
            if mount.env
        ],
    }


def has_made_directory(mount: ExecMount) -> bool:
    asked = mount.mode is not None or mount.uid or mount.gid
    return mount.type == "cache" and mount.source == "/" and bool(asked)


def mount_document(mount: ExecMount) -> Op:
    document: Op = {"type": mount.type.upper(), "dest": mount.target, "size": mount.size}
    match mount.type:
        case "bind" | "cache":
            selector = "/cache" if has_made_directory(mount) else mount.source
            document["selector"] = "" if selector == "/" else selector
            document["readonly"] = mount.read_only
            if mount.type == "cache":
                document["cache"] = {"id": mount.id, "sharing": mount.sharing.upper()}
        case "secret" | "ssh":
            document[mount.type] = {
                "id": "" if (mount.type, mount.id) == ("ssh", "default") else mount.id,
                "mode": f"{mount.mode:04o}",
                "uid": mount.uid,
                "gid": mount.gid,
                "optional": not mount.required,
            }
    return document

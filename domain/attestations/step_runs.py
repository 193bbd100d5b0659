"""Steps that run a command, as BuildKit's provenance lists them."""

from collections.abc import Collection, Iterator, Sequence

from img.domain.attestations.secrets import shown_argument
from img.domain.attestations.step_files import (
    SCRATCH,
    Lines,
    Step,
    file_step,
    platform_object,
)
from img.domain.graph.operations import SANDBOX_HOSTNAME, Exec, ExecMount
from img.domain.process import Network
from img.domain.url import redact_urls

_SCRIPTS = "/dev/pipes"
_NETWORKS = {Network.NONE: 2}
_SHARINGS = {"private": 1, "locked": 2}
_SECRET, _SSH, _CACHE, _TMPFS = 1, 2, 3, 4

Json = dict[str, object]


def run_steps(
    operation: Exec,
    arguments: Collection[str],
    inputs: Sequence[int],
    lines: Lines,
    first: int,
) -> Iterator[Step]:
    """Yield the steps of RUN; those before the last one make the scripts of heredocs."""
    taken = list(dict.fromkeys(each for each in inputs if each != SCRATCH))
    mounts = [_root(inputs[0])]
    plain = [each for each in operation.mounts if each.type not in ("secret", "ssh")]
    mounts += [_mount(each, inputs, taken) for each in sorted(plain, key=lambda m: m.target)]
    for file in operation.files:
        yield file_step(file, operation.epoch)
        taken.append(first)
        place: Json = {"input": len(taken) - 1, "selector": f"/{file.name}"}
        mounts.append({**place, "dest": f"{_SCRIPTS}/{file.name}", "output": -1})
        first += 1
    secrets = [each for each in operation.mounts if each.type == "secret"]
    mounts += [_secret(each) for each in secrets if each.target]
    mounts += [_agent(each) for each in operation.mounts if each.type == "ssh"]
    made: Json = {"meta": _meta(operation, arguments), "mounts": mounts}
    if operation.network in _NETWORKS:
        made["network"] = _NETWORKS[operation.network]
    if operation.insecure:
        made["security"] = 1
    variables = [_secret_variable(each) for each in secrets if each.env]
    if variables:
        made["secretenv"] = variables
    platform = None if operation.platform is None else platform_object(operation.platform)
    yield Step(op={"exec": made}, inputs=tuple(taken), platform=platform, lines=lines)


def _meta(operation: Exec, arguments: Collection[str]) -> Json:
    made: Json = {
        "args": [redact_urls(word) for word in operation.argv],
        "env": [
            f"{name}={shown_argument(name, value) if name in arguments else redact_urls(value)}"
            for name, value in operation.env
        ],
        "cwd": operation.cwd,
    }
    if operation.user:
        made["user"] = operation.user
    if operation.hostname != SANDBOX_HOSTNAME:
        made["hostname"] = operation.hostname
    if operation.hosts:
        made["extraHosts"] = [{"Host": name, "IP": address} for name, address in operation.hosts]
    made["removeMountStubsRecursive"] = True
    return made


def _root(root: int) -> Json:
    return {"input": -1, "dest": "/"} if root == SCRATCH else {"dest": "/"}


def _mount(mount: ExecMount, inputs: Sequence[int], taken: Sequence[int]) -> Json:
    source = SCRATCH if mount.input is None else inputs[mount.input]
    place = -1 if source == SCRATCH else taken.index(source)
    made: Json = {"input": place} if place else {}
    if mount.source not in ("", "/"):
        made["selector"] = mount.source
    made |= {"dest": mount.target, "output": -1}
    if mount.read_only:
        made["readonly"] = True
    match mount.type:
        case "cache":
            option: Json = {"ID": mount.id}
            if sharing := _SHARINGS.get(mount.sharing):
                option["sharing"] = sharing
            made |= {"mountType": _CACHE, "cacheOpt": option}
        case "tmpfs":
            made |= {"mountType": _TMPFS, "TmpfsOpt": {"size": mount.size} if mount.size else {}}
        case _:
            pass
    return made


def _secret(mount: ExecMount) -> Json:
    option = {"ID": mount.id, **_access(mount)}
    return {"input": -1, "dest": mount.target, "mountType": _SECRET, "secretOpt": option}


def _agent(mount: ExecMount) -> Json:
    option = {"ID": mount.id} if mount.id != "default" else {}
    return {
        "input": -1,
        "dest": mount.target,
        "mountType": _SSH,
        "SSHOpt": {**option, **_access(mount)},
    }


def _access(mount: ExecMount) -> Json:
    made: Json = {}
    if mount.uid:
        made["uid"] = mount.uid
    if mount.gid:
        made["gid"] = mount.gid
    if mount.mode:
        made["mode"] = mount.mode
    if not mount.required:
        made["optional"] = True
    return made


def _secret_variable(mount: ExecMount) -> Json:
    made: Json = {"ID": mount.id, "name": mount.env}
    return made if mount.required else {**made, "optional": True}

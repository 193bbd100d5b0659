"""Steps that make and copy files, as BuildKit's provenance lists them."""

from base64 import b64encode
from collections.abc import Iterator, Sequence

from img.domain.dataclass import dataclass
from img.domain.graph.operations import CopyFiles, InlineFile, MakeDirectory
from img.domain.platform import Platform

SCRATCH = -1
"""The input of a step that begins with no files."""

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operation as JSON, and the steps that it takes files from."""

    op: Json
    inputs: tuple[int, ...] = ()
    platform: Json | None = None
    lines: tuple[tuple[int, int], ...] = ()
    has_constraints: bool = True


Lines = tuple[tuple[int, int], ...]


def platform_object(platform: Platform) -> Json:
    """Return the platform as BuildKit's protocol has it."""
    made: Json = {"Architecture": platform.architecture, "OS": platform.os}
    return {**made, "Variant": platform.variant} if platform.variant else made


def directory_step(operation: MakeDirectory, inputs: Sequence[int], lines: Lines) -> Step:
    """Return the step of WORKDIR."""
    made: Json = {"path": operation.path, "mode": 0o755, "makeParents": True}
    if operation.owner:
        made["owner"] = _owner(operation.owner)
    made["timestamp"] = _timestamp(operation.epoch)
    root = -1 if inputs[0] == SCRATCH else 0
    action = _action(root, -1, 0, {"mkdir": made})
    return Step(op=_file_op([action]), inputs=_real(inputs), lines=lines)


def file_step(file: InlineFile, epoch: int | None) -> Step:
    """Return the step that makes the file of a heredoc."""
    made: Json = {
        "path": f"/{file.name}",
        "mode": file.mode,
        "data": b64encode(file.content.encode("utf-8", "surrogateescape")).decode(),
        "timestamp": _timestamp(epoch),
    }
    return Step(op=_file_op([_action(-1, -1, 0, {"mkfile": made})]))


def copy_steps(
    operation: CopyFiles, inputs: Sequence[int], lines: Lines, first: int, *, fetched: bool
) -> Iterator[Step]:
    """Yield the steps of COPY or ADD; ``first`` is the number of the first of them.

    Those before the last one make the files of heredocs. With --link, the copy is on no files, and
    the last step merges it.
    """
    root, sources = inputs[0], list(inputs[1:])
    base = SCRATCH if operation.link else root
    places = operation.source_inputs or (1,) * len(operation.sources)
    parts = [
        (sources[place - 1], _copied(operation, path, fetched=fetched))
        for place, path in zip(places, operation.sources, strict=True)
    ]
    for file in operation.inline:
        yield file_step(file, operation.epoch)
        parts.append((first, _copied_file(operation, file)))
        first += 1
    taken = [each for each in dict.fromkeys([base, *(part[0] for part in parts)]) if each >= 0]
    actions = []
    for number, (source, made) in enumerate(parts):
        target = taken.index(base) if base != SCRATCH else -1
        if number:
            target = len(taken) + number - 1
        output = 0 if number == len(parts) - 1 else -1
        actions.append(_action(target, taken.index(source), output, {"copy": made}))
    yield Step(op=_file_op(actions), inputs=tuple(taken), lines=lines)
    if operation.link and root != SCRATCH:
        merged: list[Json] = [{"input": 0}, {"input": 1}]
        yield Step(op={"merge": {"inputs": merged}}, inputs=(root, first))


def _copied(operation: CopyFiles, path: str, *, fetched: bool) -> Json:
    made: Json = {"src": f"/{path}", "dest": operation.destination, **_kept(operation)}
    if not fetched:
        made |= {"followSymlink": True, "dirCopyContents": True}
    if (operation.unpack and not fetched) or operation.unpack_fetched:
        made["attemptUnpackDockerCompatibility"] = True
    made["createDestPath"] = True
    if not fetched:
        made |= {"allowWildcard": True, "allowEmptyWildcard": True}
    made["timestamp"] = _timestamp(operation.epoch)
    if operation.exclude:
        made["excludePatterns"] = list(operation.exclude)
    return made


def _copied_file(operation: CopyFiles, file: InlineFile) -> Json:
    return {
        "src": f"/{file.name}",
        "dest": operation.destination,
        **_kept(operation),
        "createDestPath": True,
        "timestamp": _timestamp(operation.epoch),
    }


def _kept(operation: CopyFiles) -> Json:
    """Return owner and mode; the mode -1 is that of the source."""
    made: Json = {}
    if operation.chown:
        made["owner"] = _owner(operation.chown)
    is_octal = operation.chmod and all(each in "01234567" for each in operation.chmod)
    made["mode"] = int(operation.chmod, 8) if is_octal else -1
    if operation.chmod and not is_octal:
        made["modeStr"] = operation.chmod
    return made


def _owner(text: str) -> Json:
    user, colon, group = text.partition(":")
    made: Json = {"user": _user(user)}
    return {**made, "group": _user(group)} if colon else made


def _user(text: str) -> Json:
    if text.isdecimal():
        return {"User": {"byID": int(text)}}
    return {"User": {"byName": {"name": text, "input": 0}}}


def _timestamp(epoch: int | None) -> int:
    """Return nanoseconds since 1970, -1 for the time of the source."""
    return -1 if epoch is None else epoch * 10**9


def _action(target: int, source: int, output: int, made: Json) -> Json:
    return {"input": target, "secondaryInput": source, "output": output, "Action": made}


def _file_op(actions: Sequence[Json]) -> Json:
    return {"file": {"actions": list(actions)}}


def _real(inputs: Sequence[int]) -> tuple[int, ...]:
    return tuple(each for each in inputs if each != SCRATCH)

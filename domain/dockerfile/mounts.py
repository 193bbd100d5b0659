"""``RUN --mount=…`` (BuildKit frontend/dockerfile/instructions/commands_runmount.go)."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from img.domain.dockerfile.instructions import MountType, Run, RunMount
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.errors import DockerfileError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv
from img.domain.go.formatting import quoted
from img.domain.go.quantities import BadQuantity, parse_byte_size, parse_unsigned
from img.domain.kernel_numbers import is_id

_TYPES: tuple[MountType, ...] = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARINGS = ("shared", "private", "locked")
_ALONE = frozenset({"readonly", "ro", "readwrite", "rw", "required"})  # the value may be left out
_KEYS = (
    *("type", "from", "source", "target", "readonly", "id", "sharing", "required", "size"),
    *("mode", "uid", "gid", "src", "dst", "destination", "ro", "rw", "readwrite", "env"),
)

Expander = Callable[[str], str]


def parse_mount(
    text: str, expand: Expander | None = None, lines: tuple[int, int] | None = None
) -> RunMount:
    """Return the mount that ``--mount=text`` asks for, with values expanded by ``expand``.

    Raises DockerfileError.
    """
    try:
        return _checked(_mount(text, expand or _as_is))
    except DockerfileError as error:
        raise DockerfileError(error.message, lines=error.lines or lines) from None


def parse_unexpanded_mount(text: str, lines: tuple[int, int]) -> RunMount:
    """Return the mount as far as it is known before variables are expanded.

    ``from`` may hold no variables, because the stages that a build needs are known before
    expansion. Other errors are found at expansion, so never in a stage that is not needed.
    Raises DockerfileError.
    """
    try:
        fields = _split(text)
    except DockerfileError as error:
        raise _unparsable(error.message, lines) from None
    stage = ""
    for field in fields:
        key, _, value = field.partition("=")
        if key.lower() == "from":
            if value.find("$") not in (-1, len(value) - 1):
                what = "'from' doesn't support variable expansion, define alias stage instead"
                raise _unparsable(what, lines)
            stage = value
    try:
        return parse_mount(text)
    except DockerfileError:
        return RunMount(from_=stage)


def expand_mounts(run: Run, expand: Expander) -> tuple[RunMount, ...]:
    """Return the mounts of ``run`` with their variables expanded. Raises DockerfileError."""
    return tuple(parse_mount(word, expand, run.lines) for word in run.mount_words)


def _unparsable(what: str, lines: tuple[int, int]) -> DockerfileError:
    return DockerfileError(f"dockerfile parse error on line {lines[0]}: {what}", lines=lines)


def _as_is(value: str) -> str:
    return value


def _split(text: str) -> tuple[str, ...]:
    try:
        fields = split_csv(text)
    except BadCsv as error:
        raise DockerfileError(f"failed to parse csv mounts: {error}") from None
    if not fields:
        raise DockerfileError("failed to parse csv mounts: EOF")
    return fields


def _fields(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the value and the text of each field; a key alone has the value ``true``."""
    for field in _split(text):
        key, sign, value = field.partition("=")
        key = key.lower()
        if not sign and key not in _ALONE:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
        yield key, value if sign else "true", field


def _mount(text: str, expand: Expander) -> RunMount:
    mount = RunMount()
    for key, value, field in _fields(text):
        if key not in _KEYS:
            raise DockerfileError(f"unexpected key '{key}' in '{field}'{did_you_mean(key, _KEYS)}")
        mount = _with_field(mount, key, value if key == "from" else expand(value))
    return mount


def _with_field(mount: RunMount, key: str, value: str) -> RunMount:
    match key:
        case "type":
            return replace(mount, type=_type(value))
        case "from":
            return replace(mount, from_=value)
        case "source" | "src":
            return replace(mount, source=value)
        case "target" | "dst" | "destination":
            return replace(mount, target=value)
        case "readonly" | "ro":
            return replace(mount, read_only=_boolean(key, value))
        case "readwrite" | "rw":
            return replace(mount, read_only=not _boolean(key, value))
        case "required":
            _only_for(mount, key, "secret", "ssh")
            return replace(mount, required=_boolean(key, value))
        case "size":
            _only_for(mount, key, "tmpfs")
            return replace(mount, size=_size(value))
        case "id":
            return replace(mount, id=value)
        case "sharing":
            _one_of(value, _SHARINGS, f"unsupported sharing value {quoted(value)}")
            return replace(mount, sharing=value.lower())
        case "mode":
            return replace(mount, mode=_number(key, value, 8))
        case "uid":
            return replace(mount, uid=_id(key, value))
        case "gid":
            return replace(mount, gid=_id(key, value))
    return replace(mount, env=value)


def _only_for(mount: RunMount, key: str, *types: str) -> None:
    if mount.type not in types:
        raise DockerfileError(f"unexpected key '{key}' for mount type '{mount.type}'")


def _type(value: str) -> MountType:
    for each in _TYPES:
        if value.lower() == each:
            return each
    problem = f"unsupported mount type {quoted(value)}"
    raise DockerfileError(problem + did_you_mean(value, _TYPES))


def _one_of(value: str, options: tuple[str, ...], message: str) -> None:
    if value.lower() not in options:
        raise DockerfileError(message + did_you_mean(value, options))


def _boolean(key: str, value: str) -> bool:
    boolean = parse_boolean(value)
    if boolean is None:
        raise DockerfileError(f"invalid value for {key}: {value}")
    return boolean


def _size(value: str) -> int:
    try:
        size = parse_byte_size(value)
    except BadQuantity:
        size = -1
    if size < 0:
        raise DockerfileError(f"invalid value for size: {value}")
    return size


def _number(key: str, value: str, base: int) -> int:
    try:
        return parse_unsigned(value, base)
    except BadQuantity:
        raise DockerfileError(f"invalid value {value} for {key}") from None


def _id(key: str, value: str) -> int:
    number = _number(key, value, 10)
    if not is_id(number):
        raise DockerfileError(f"invalid value {value} for {key}")
    return number


def _checked(mount: RunMount) -> RunMount:
    if mount.type in ("bind", "tmpfs"):
        for name in ("mode", "uid", "gid"):
            if getattr(mount, name) is not None:
                raise DockerfileError(f'{name} not allowed for "{mount.type}" type mounts')
    if mount.sharing and mount.type != "cache":
        raise DockerfileError(f"invalid cache sharing set for {mount.type} mount")
    if mount.type == "secret":
        _check_secret(mount)
    return mount


def _check_secret(mount: RunMount) -> None:
    if mount.from_:
        raise DockerfileError("secret mount should not have a from")
    if not (mount.source or mount.target or mount.id):
        raise DockerfileError("invalid secret mount. one of source, target required")
    if mount.source and mount.id:
        raise DockerfileError("both source and id can't be set")

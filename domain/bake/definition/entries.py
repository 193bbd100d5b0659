"""Entries of lists such as ``output``: a line of fields, or an object (util/buildflags)."""

from collections.abc import Mapping

from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

Entry = dict[str, object]


class BadEntry(ValueError):
    """An entry that is not understood."""


def _fields(text: str) -> tuple[str, ...]:
    try:
        return split_csv(text)
    except BadCsv as error:
        raise BadEntry(str(error)) from None


def _split(field: str) -> tuple[str, str]:
    key, equals, value = field.partition("=")
    if not equals:
        raise BadEntry(f"invalid field '{field}' must be a key=value pair")
    return key.strip().lower(), value


def cache_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``cache-from`` or ``cache-to``. Raises BadEntry."""
    if isinstance(form, dict):
        if not form.get("type"):
            raise BadEntry(f'type required for "{_as_json(form)}"')
        return [_by_type(form)]
    if not form:
        return []
    fields = _fields(form)
    if not any("=" in field for field in fields):
        return [{"ref": field, "type": "registry"} for field in fields]
    made: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise BadEntry(f"invalid value {field}")
        made[key.lower()] = value
    if not made.get("type"):
        raise BadEntry(f'type required for "{form}"')
    return [_by_type(made)]


def output_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``output``. Raises BadEntry."""
    if isinstance(form, dict):
        if not form.get("type"):
            raise BadEntry("type is required for output")
        return [_by_type(form)]
    if not form:
        return []
    fields = _fields(form)
    if len(fields) == 1 and fields[0] == form and not form.startswith("type="):
        if form == "-":
            return [{"dest": "-", "type": "tar"}]
        return [{"dest": form, "type": "local"}]
    made: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise BadEntry(f"invalid value {field}")
        made[key.strip().lower()] = value
    if "type" not in made:
        raise BadEntry("type is required for output")
    return [_by_type(made)]


def attest_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``attest``. Raises BadEntry."""
    if isinstance(form, str):
        if not form:
            return []
        made: dict[str, str] = {}
        for field in _fields(form):
            key, value = _split(field)
            made[key] = value
        if not made.get("type"):
            raise BadEntry("attestation type not specified")
    else:
        made = dict(form)
        made.setdefault("type", "")
    entry: Entry = dict(made)
    disabled = str(made.pop("disabled", "false"))
    is_disabled = parse_boolean(disabled)
    if is_disabled is None:
        raise BadEntry(_no_bool(disabled))
    entry.pop("disabled", None)
    if is_disabled:
        entry["disabled"] = True
    return [dict(sorted(entry.items()))]


def secret_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``secret``: id, src, env. Raises BadEntry."""
    pairs = list(form.items()) if isinstance(form, dict) else [_split(f) for f in _fields(form)]
    entry: dict[str, str] = {}
    kind = ""
    for key, value in pairs:
        match key:
            case "type":
                if value not in ("file", "env"):
                    raise BadEntry(f'unsupported secret type "{value}"')
                kind = value
            case "id" | "env":
                entry[key] = value
            case "source" | "src":
                entry["src"] = value
            case _:
                if isinstance(form, str):
                    raise BadEntry(f"unexpected key '{key}' in '{key}={value}'")
    if kind == "env" and not entry.get("env"):
        entry["env"] = entry.pop("src", "")
    ordered: Entry = {key: entry[key] for key in ("id", "src", "env") if entry.get(key)}
    return [ordered] if ordered or isinstance(form, dict) or form else []


def ssh_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``ssh``: an id, and paths. Raises BadEntry."""
    if isinstance(form, dict):
        paths = form.get("paths", "")
        name = form.get("id", "")
    else:
        if not form:
            return []
        name, _, paths = form.partition("=")
    entry: Entry = {"id": name} if name else {}
    if paths:
        entry["paths"] = paths.split(",")
    return [entry]


def policy_entries(form: str | dict[str, str]) -> list[Entry]:
    """Return the fields of an entry of ``policy``. Raises BadEntry."""
    pairs = list(form.items()) if isinstance(form, dict) else [_split(f) for f in _fields(form)]
    entry: Entry = {
        "Files": None,
        "Reset": False,
        "Disabled": False,
        "Strict": None,
        "LogLevel": None,
    }
    for key, value in pairs:
        match key:
            case "filename":
                files = entry["Files"] if isinstance(entry["Files"], list) else []
                entry["Files"] = [*files, {"Filename": value, "Data": None}]
            case "reset" | "disabled" | "strict":
                truth = parse_boolean(value)
                if truth is None:
                    raise BadEntry(f"invalid value {key}={value}: {_no_bool(value)}")
                entry[key.capitalize()] = truth
            case "log-level":
                if value.lower() not in _LEVELS:
                    raise BadEntry(
                        f'invalid value {key}={value}: not a valid logrus Level: "{value}"'
                    )
                entry["LogLevel"] = "warning" if value.lower() == "warn" else value.lower()
            case _:
                raise BadEntry(f"invalid value {key}={value}")
    return [entry]


_LEVELS = frozenset(("panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"))


def _no_bool(text: str) -> str:
    return f'strconv.ParseBool: parsing "{text}": invalid syntax'


def _by_type(form: Mapping[str, str]) -> Entry:
    return dict(sorted(form.items()))


def _as_json(form: Mapping[str, str]) -> str:
    # As Go quotes the JSON of an object in a message.
    inside = ",".join(f'\\"{key}\\":\\"{value}\\"' for key, value in sorted(form.items()))
    return "{" + inside + "}"

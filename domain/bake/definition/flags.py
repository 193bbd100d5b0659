"""Options of the command line that mean overrides of all targets (commands/bake.go)."""

from collections.abc import Iterable
from typing import NamedTuple

from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.errors import BakeError

_METHODS = {"check": "lint"}


class Flags(NamedTuple):
    """Options as they were given; "" is not given."""

    push: bool = False
    load: bool = False
    no_cache: str = ""
    pull: str = ""
    provenance: str = ""
    sbom: str = ""
    call: str = ""


def overrides_of(flags: Flags) -> tuple[str, ...]:
    """Return what the options mean for ``--set``. Raises BakeError."""
    made = [f"*.{name}=true" for name in ("push", "load") if getattr(flags, name)]
    made += [f"*.no-cache={flags.no_cache}"] if flags.no_cache else []
    made += [f"*.pull={flags.pull}"] if flags.pull else []
    for kind, value in (("provenance", flags.provenance), ("sbom", flags.sbom)):
        if value:
            made.append(f"*.attest={_attestation(kind, value)}")
    if method := method_of(flags.call):
        made.append(f"*.call={method}")
    return tuple(made)


def _attestation(kind: str, value: str) -> str:
    try:
        return f"type={kind},disabled={str(not parse_bool(value)).lower()}"
    except BadVariable:
        return f"type={kind},{value}"


def method_of(call: str) -> str:
    """Return the method of ``--call``, "" for a build. Raises BakeError for its fields."""
    method, *fields = call.split(",")
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals or name not in ("format", "ignorestatus"):
            raise BakeError(f"invalid print field: {field}")
        if name == "ignorestatus":
            try:
                parse_bool(value)
            except BadVariable as error:
                raise BakeError(f"invalid ignorestatus print value: {value}: {error}") from None
    return "" if method == "build" else _METHODS.get(method, method)


class Listing(NamedTuple):
    """What ``--list`` asks for."""

    variables: bool
    as_json: bool


def parse_listing(text: str) -> Listing:
    """Return what ``--list=text`` asks for. Raises BakeError."""
    kind, form = text, "table"
    if "," in text or text.startswith("type="):
        kind = ""
        kind, form = _fields(text.split(","), kind, form)
    if kind not in ("targets", "variables"):
        raise BakeError(f'invalid list type "{kind}"')
    if form not in ("table", "json"):
        raise BakeError(f'invalid list format "{form}"')
    return Listing(kind == "variables", form == "json")


def _fields(fields: Iterable[str], kind: str, form: str) -> tuple[str, str]:
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals:
            raise BakeError(f"invalid value {field}")
        match name.strip().lower():
            case "type":
                kind = value
            case "format":
                form = value
            case _:
                raise BakeError(f"unexpected key '{name}' in '{field}'")
    return kind, form

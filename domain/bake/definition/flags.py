"""Options of the command line that mean overrides of all targets (commands/bake.go)."""

from collections.abc import Iterable
from typing import NamedTuple

from img.domain.bake.definition.entries import BadEntry, policy_entries
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.errors import BakeError

_ALLOWED_ALONE = frozenset(
    ("network.host", "security.insecure", "ssh", "device", "buildx.local.delete")
)
_ALLOWED_WITH_VALUE = frozenset(
    ("device", "fs", "fs.read", "fs.write", "image", "image.load", "image.push")
)
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
    policies: tuple[str, ...] = ()


def overrides_of(flags: Flags) -> tuple[str, ...]:
    """Return the options as values of ``--set``. Raises BakeError."""
    made = [f"*.{name}=true" for name in ("push", "load") if getattr(flags, name)]
    made += [f"*.no-cache={flags.no_cache}"] if flags.no_cache else []
    made += [f"*.pull={flags.pull}"] if flags.pull else []
    for kind, value in (("provenance", flags.provenance), ("sbom", flags.sbom)):
        if value:
            made.append(f"*.attest={_attestation(kind, value)}")
    if method := method_of(flags.call):
        made.append(f"*.call={method}")
    return (*made, *_policies(flags.policies))


def _policies(policies: tuple[str, ...]) -> list[str]:
    made = []
    for text in policies:
        try:
            (policy,) = policy_entries(text)
        except BadEntry as error:
            raise BakeError(str(error)) from None
        if policy["Reset"]:
            raise BakeError(
                "--policy does not accept reset; define policy composition in the bake definition"
            )
        if policy["Disabled"] and (len(policies) > 1 or "," in text):
            raise BakeError("disabled policy cannot be combined with other policy flags")
        made.append(f"*.policy{'' if policy['Disabled'] else '+'}={text}")
    return made


def parse_variables(texts: Iterable[str]) -> dict[str, str]:
    """Return the variables of ``--var NAME=VALUE``. Raises BakeError."""
    made = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not text:
            continue
        if not equals:
            raise BakeError(f'invalid variable "{text}", expected key=value')
        if not name:
            raise BakeError(f'invalid variable "{text}", key is empty')
        made[name] = value
    return made


def check_allowed(text: str) -> None:
    """Check an argument of ``--allow``. Raises BakeError."""
    key, equals, value = text.partition("=")
    if key in _ALLOWED_ALONE and not equals:
        return
    if key in _ALLOWED_WITH_VALUE and (value or key == "device"):
        return
    raise BakeError(f'unknown entitlement key "{key}"')


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
    """The list of ``--list``, and its format."""

    variables: bool
    as_json: bool


def parse_listing(text: str) -> Listing:
    """Return the listing of ``--list=text``. Raises BakeError."""
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

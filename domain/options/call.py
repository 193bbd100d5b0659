"""``--call``: questions about a Dockerfile, instead of a build."""

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

_METHODS = ("build", "check", "outline", "targets", "subrequests.describe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A method other than build, the format of its answer, and whether findings are accepted."""

    method: str
    json: bool = False
    ignore_status: bool = False

    @classmethod
    def parse(cls, text: str) -> "Call | None":
        """Return the call in ``method[,format=json][,ignorestatus=…]``, None for a build.

        Raises UsageError (buildx, util/buildflags/callfunc.go).
        """
        method, json, ignore = "", False, False
        for field in _fields(text):
            key, equals, value = field.partition("=")
            match key, bool(equals):
                case "format", True:
                    json = _is_json(value)
                case "ignorestatus", True:
                    ignore = _boolean(value)
                case _, False if method:
                    raise UsageError(f"invalid print value: {text}", hint="name one method")
                case _, False:
                    method = "check" if key == "lint" else key
                case _:
                    raise UsageError(f"invalid print field: {field}")
        if method not in _METHODS:
            raise UsageError(f"invalid --call method {method!r}", hint=", ".join(_METHODS))
        return None if method == "build" else cls(method=method, json=json, ignore_status=ignore)


def _fields(text: str) -> tuple[str, ...]:
    try:
        return split_csv(text)
    except BadCsv as error:
        raise UsageError(f"invalid --call {text!r}: {error}") from None


def _is_json(value: str) -> bool:
    if value not in {"", "json", "text"}:
        raise UsageError(f"invalid print format {value!r}", hint="text or json")
    return value == "json"


def _boolean(value: str) -> bool:
    said = parse_boolean(value)
    if said is None:
        raise UsageError(f"invalid ignorestatus print value: {value}")
    return said

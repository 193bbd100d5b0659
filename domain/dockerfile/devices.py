"""``RUN --device=…`` (BuildKit frontend/dockerfile/instructions/commands_rundevice.go)."""

from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.errors import DockerfileError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

_KEYS = ("name", "required")


def check_device(text: str) -> None:
    """Raise DockerfileError for a ``--device=text`` that names no device, or an unknown option."""
    name = ""
    for field in _fields(text):
        key, sign, value = field.partition("=")
        key = key.lower()
        if key == "required":
            if sign and parse_boolean(value) is None:
                raise DockerfileError(f"invalid value for {key}: {value}")
        elif key == "name" and sign:
            if name:
                raise DockerfileError(f"device name already set to {name}")
            name = value
        elif not name:
            name = field  # names of the Container Device Interface hold a "=": vendor.com/class=id
        elif not sign:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
        else:
            raise DockerfileError(f"unexpected key '{key}' in '{field}'{did_you_mean(key, _KEYS)}")


def _fields(text: str) -> tuple[str, ...]:
    try:
        fields = split_csv(text)
    except BadCsv as error:
        raise DockerfileError(f"failed to parse csv devices: {error}") from None
    if not fields:
        raise DockerfileError("failed to parse csv devices: EOF")
    return fields

"""``--provenance``, ``--sbom`` and ``--attest`` (buildx, util/buildflags/attests.go)."""

from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv


def asks_for_nothing(text: str) -> bool:
    """Return whether ``text``, of ``--provenance`` or ``--sbom``, disables the attestation."""
    return not text or parse_boolean(text) is False or _is_disabled(text)


def asks_for_no_attestation(text: str) -> bool:
    """Return whether ``text``, of ``--attest``, asks for no attestation."""
    return not text or _is_disabled(text)


def _is_disabled(text: str) -> bool:
    try:
        fields = [field.partition("=") for field in split_csv(text)]
    except BadCsv:
        return False
    values = {key.strip().lower(): value for key, _, value in fields}
    return parse_boolean(values.get("disabled", "")) is True

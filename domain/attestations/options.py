"""``--provenance``, ``--sbom`` and ``--attest`` (buildx, util/buildflags/attests.go)."""

from collections.abc import Mapping, Sequence

from img.domain.attestations.wanted import (
    MAX,
    MIN,
    V02,
    V1,
    AttestationsWanted,
    ProvenanceWanted,
    SbomWanted,
)
from img.domain.errors import UsageError
from img.domain.filesystem.file_name import FileName, InvalidFileName
from img.domain.go.booleans import parse_boolean
from img.domain.options.attributes import Attributes

_PROVENANCE = "provenance"
_SBOM = "sbom"
_PLACES = ("index", "referrer")
_IGNORED = ("type", "disabled")
_KNOWN = frozenset(
    {
        *_IGNORED,
        *("mode", "version", "builder-id", "reproducible", "inline-only", "filename"),
        *("capture-usage", "complete-materials"),
    }
)
_FORMER = {"BUILDKIT_ATTEST_PROVENANCE": _PROVENANCE, "BUILDKIT_ATTEST_SBOM": _SBOM}


def parse_attestations(
    attest: Sequence[str],
    provenance: str = "",
    sbom: str = "",
    place: str = "",
    build_args: Mapping[str, str] | None = None,
) -> AttestationsWanted:
    """Return the attestations of ``--attest``, ``--provenance``, ``--sbom``, ``--attest-as``.

    The two short options have precedence over ``--attest``, and all of them over the build args of
    BuildKit. Raises UsageError.
    """
    found: dict[str, Attributes | None] = {}
    for name, kind in _FORMER.items():
        if build_args and name in build_args:
            found[kind] = _switched(kind, name, build_args[name])
    for text in attest:
        read = _fields("--attest", text)
        if not read["type"]:
            raise UsageError("attestation type not specified", hint="type=provenance or type=sbom")
        if read["type"] not in (_PROVENANCE, _SBOM):
            raise UsageError(f'unknown attestation type "{read["type"]}"')
        found[read["type"]] = None if read.flag("disabled") else read
    for kind, text in ((_PROVENANCE, provenance), (_SBOM, sbom)):
        if text:
            found[kind] = _switched(kind, f"--{kind}", text)
    if place and place not in _PLACES:
        raise UsageError(f"invalid value {place!r} of --attest-as", hint="use index or referrer")
    provenance_fields, sbom_fields = found.get(_PROVENANCE), found.get(_SBOM)
    return AttestationsWanted(
        provenance=None if provenance_fields is None else _provenance(provenance_fields),
        sbom=None if sbom_fields is None else _sbom(sbom_fields),
        as_referrers=place == "referrer",
    )


def _switched(kind: str, option: str, text: str) -> Attributes | None:
    """Return the fields in ``text``, which may be a boolean; None if it disables ``kind``."""
    switch = parse_boolean(text)
    if switch is not None:
        return Attributes(option=option, text=text, values={"type": kind}) if switch else None
    read = _fields(option, text)
    return None if read.flag("disabled") else read


def _fields(option: str, text: str) -> Attributes:
    read = Attributes.parse(option, text)
    values = {key.lower(): value for key, value in read.values.items()}
    return Attributes(option=option, text=text, values=values)


def _provenance(fields: Attributes) -> ProvenanceWanted:
    for key in fields.values:
        if key not in _KNOWN:
            fields.refuse(f"img knows no attribute {key!r} of provenance")
    mode = fields["mode"] or MAX
    if mode not in (MIN, MAX, "full"):
        fields.refuse(f'invalid mode "{mode}"', hint="min or max")
    version = fields["version"] or V1
    if version not in (V1, V02):
        fields.refuse(f"invalid provenance SLSA version: {version}", hint="v1 or v0.2")
    if fields.flag("capture-usage"):
        fields.refuse("img measures no use of resources", hint="leave capture-usage out")
    filename = fields["filename"] or "provenance.json"
    try:
        FileName(filename)
    except InvalidFileName as error:
        fields.refuse(error.message)
    return ProvenanceWanted(
        mode=MIN if mode == MIN else MAX,
        version=version,
        builder_id=fields["builder-id"],
        reproducible=fields.flag("reproducible") or False,
        inline_only=fields.flag("inline-only") or False,
        filename=filename,
        complete=fields.flag("complete-materials") or False,
    )


def _sbom(fields: Attributes) -> SbomWanted:
    variables = {
        key: value
        for key, value in fields.values.items()
        if key not in (*_IGNORED, "generator", "inline-only")
    }
    return SbomWanted(generator=fields["generator"], variables=variables)

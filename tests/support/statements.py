"""Checks of attestations by JSON Schemas, which say what their specifications say."""

from typing import Any

_DIGESTS = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"},
}
_RESOURCE = {
    "type": "object",
    "properties": {"uri": {"type": "string", "minLength": 1}, "digest": _DIGESTS},
    "required": ["uri", "digest"],
}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}

# in-toto attestation framework, spec/v1/statement.md and resource_descriptor.md
STATEMENT = {
    "type": "object",
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "predicateType": {"type": "string", "pattern": "^https://"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "digest": _DIGESTS},
                "required": ["name", "digest"],
            },
        },
        "predicate": {"type": "object"},
    },
    "required": ["_type", "predicateType", "subject", "predicate"],
    "additionalProperties": False,
}
# slsa.dev/spec/v1.0/provenance, "Schema"
PROVENANCE_V1 = {
    "type": "object",
    "properties": {
        "buildDefinition": {
            "type": "object",
            "properties": {
                "buildType": {"type": "string", "format": "uri"},
                "externalParameters": {"type": "object"},
                "internalParameters": {"type": "object"},
                "resolvedDependencies": {"type": "array", "items": _RESOURCE},
            },
            "required": ["buildType", "externalParameters"],
            "additionalProperties": False,
        },
        "runDetails": {
            "type": "object",
            "properties": {
                "builder": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}},
                    "required": ["id"],
                },
                "metadata": {
                    "type": "object",
                    "properties": {
                        "invocationId": {"type": "string", "minLength": 1},
                        "startedOn": _TIME,
                        "finishedOn": _TIME,
                    },
                },
            },
            "required": ["builder"],
        },
    },
    "required": ["buildDefinition", "runDetails"],
    "additionalProperties": False,
}
# slsa.dev/spec/v0.2/provenance, "Schema"
PROVENANCE_V02 = {
    "type": "object",
    "properties": {
        "builder": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
        },
        "buildType": {"type": "string", "minLength": 1},
        "invocation": {
            "type": "object",
            "properties": {
                "configSource": {
                    "type": "object",
                    "properties": {
                        "uri": {"type": "string"},
                        "digest": _DIGESTS,
                        "entryPoint": {"type": "string"},
                    },
                    "additionalProperties": False,
                },
                "parameters": {"type": "object"},
                "environment": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "buildConfig": {"type": "object"},
        "metadata": {
            "type": "object",
            "properties": {
                "buildInvocationID": {"type": "string", "minLength": 1},
                "buildStartedOn": _TIME,
                "buildFinishedOn": _TIME,
                "completeness": {
                    "type": "object",
                    "properties": {
                        name: {"type": "boolean"}
                        for name in ("parameters", "environment", "materials")
                    },
                    "additionalProperties": False,
                },
                "reproducible": {"type": "boolean"},
            },
        },
        "materials": {"type": "array", "items": _RESOURCE},
    },
    "required": ["builder", "buildType"],
    "additionalProperties": False,
}


def check_statement(statement: Any) -> None:
    """Raise an error for a statement, or a predicate in it, that a schema does not allow."""
    import jsonschema  # type: ignore[import-untyped]  # takes a second, in each worker

    jsonschema.validate(statement, STATEMENT)
    match statement["predicateType"]:
        case "https://slsa.dev/provenance/v1":
            jsonschema.validate(statement["predicate"], PROVENANCE_V1)
        case "https://slsa.dev/provenance/v0.2":
            jsonschema.validate(statement["predicate"], PROVENANCE_V02)
        case "https://spdx.dev/Document":
            check_spdx(statement["predicate"])
        case kind:
            raise AssertionError(kind)


def check_spdx(document: Any) -> None:
    """Raise an error for a document that is no SPDX 2.3."""
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    parser = JsonLikeDictParser()  # type: ignore[no-untyped-call]
    problems = validate_full_spdx_document(parser.parse(document))
    assert [problem.validation_message for problem in problems] == []

"""Trusted roots and configurations of services (sigstore, protobuf-specs, sigstore_trustroot)."""

import json
from collections.abc import Mapping

from img.application.ports.signing_identities import BadIdentity, Services
from img.domain.json_text import InvalidJson, parse_json

_ROOT = "application/vnd.dev.sigstore.trustedroot"
_TRUST = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_SIGNING = "application/vnd.dev.sigstore.signingconfig.v0.2+json"


def trust_config(services: Services, *, needs_services: bool) -> str:
    """Return the client trust configuration as JSON text. Raises BadIdentity.

    Without ``needs_services`` it may be one for verification alone, without services.
    """
    root = _document(services.trusted_root, "--trusted-root")
    if root.get("mediaType") == _TRUST:
        root = _object(root.get("trustedRoot"), "--trusted-root")
    elif not str(root.get("mediaType")).startswith(_ROOT):
        raise BadIdentity("--trusted-root: this is no trusted root of Sigstore")
    config = signing_config_of(services)
    if needs_services and not (config.get("caUrls") and config.get("rekorTlogUrls")):
        raise BadIdentity(
            "the services to sign with are missing",
            hint="use --fulcio-url and --rekor-url, or --signing-config",
        )
    return json.dumps({"mediaType": _TRUST, "trustedRoot": root, "signingConfig": config})


def signing_config_of(services: Services) -> Mapping[str, object]:
    """Return the signing configuration, with the given URLs in it. Raises BadIdentity."""
    config: dict[str, object] = {"mediaType": _SIGNING}
    if services.signing_config:
        config = dict(_document(services.signing_config, "--signing-config"))
    elif services.trusted_root:
        trusted = _document(services.trusted_root, "--trusted-root")
        if trusted.get("mediaType") == _TRUST:
            config = dict(_object(trusted.get("signingConfig"), "--trusted-root"))
    if services.fulcio:
        config["caUrls"] = [_service(services.fulcio)]
    if services.rekor:
        config["rekorTlogUrls"] = [_service(services.rekor)]
        config.pop("rekorTlogConfig", None)  # it may ask for several logs
    return config


def _service(url: str) -> Mapping[str, object]:
    return {"url": url.rstrip("/"), "majorApiVersion": 1, "operator": "img"}


def _document(content: bytes, option: str) -> Mapping[str, object]:
    try:
        return _object(parse_json(content), option)
    except InvalidJson as error:
        raise BadIdentity(f"{option}: {error.message}") from None


def _object(value: object, option: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadIdentity(f"{option}: this is no configuration of Sigstore")
    return value

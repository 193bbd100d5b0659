"""Signatures and signed statements with one changed byte, which are refused."""

import json
from dataclasses import replace

import pytest

from img.application.usecases.sign_image import Predicate
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest, encode_manifest
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from img.domain.signing.candidate import NotTrusted
from img.domain.signing.places import SIGNATURE, tag_of
from tests.support.images.copying_app import CopyingApp

_NAME = ImageReference.parse("r.example/app:1")
_SPDX = "https://spdx.dev/Document"


@pytest.fixture
def app() -> CopyingApp:
    made = CopyingApp()
    made.publish(str(_NAME), {"a": b"1"})
    return made


def _tagged(app: CopyingApp, suffix: str) -> Manifest:
    name = _NAME.with_tag(tag_of(app.at(str(_NAME)).digest, suffix))
    return decode_manifest(app.registry.manifest(name, app.registry.resolve(name)))


def _retag(app: CopyingApp, manifest: Manifest, suffix: str) -> None:
    name = _NAME.with_tag(tag_of(app.at(str(_NAME)).digest, suffix))
    app.registry.push_manifest(name, encode_manifest(manifest), media_types.OCI_MANIFEST)


def _other(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_each_changed_byte_of_a_signature_is_refused(app: CopyingApp) -> None:
    app.sign(str(_NAME))
    good = _tagged(app, "sig")
    (layer,) = good.layers
    signature = layer.annotations[SIGNATURE]

    def refuse(says: str = "", **changes: object) -> None:
        changed = replace(layer, **changes)  # type: ignore[arg-type]
        _retag(app, replace(good, layers=(changed,)), "sig")
        with pytest.raises(NotTrusted, match=says or None):
            app.verify(str(_NAME))

    for at in range(len(signature)):
        refuse(annotations={SIGNATURE: _other(signature, at)})
    for annotations in ({}, {SIGNATURE: ""}, {SIGNATURE: "A" * 10_000}):
        refuse(annotations=annotations)
    payload = app.registry.open_blob(_NAME, layer).read()
    for at in range(len(payload)):
        changed = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
        refuse(digest=app.registry.add_blob(_NAME, changed))
    refuse("one is too large", size=1 << 30)
    _retag(app, good, "sig")
    assert app.verify(str(_NAME)).signatures


def test_each_changed_byte_of_a_signed_statement_is_refused(app: CopyingApp) -> None:
    app.sign(str(_NAME), predicate=Predicate(type=_SPDX, content=b'{"spdxVersion":"SPDX-2.3"}'))
    good = _tagged(app, "att")
    (layer,) = good.layers
    envelope = json.loads(app.registry.open_blob(_NAME, layer).read())
    (signature,) = envelope["signatures"]

    for changed, field in ((envelope, "payload"), (envelope, "payloadType"), (signature, "sig")):
        text = changed[field]
        for at in range(len(text)):
            changed[field] = _other(text, at)
            content = json.dumps(envelope).encode()
            digest = app.registry.add_blob(_NAME, content)
            new = replace(layer, digest=digest, size=len(content))
            _retag(app, replace(good, layers=(new,)), "att")
            with pytest.raises(NotTrusted):
                app.verify(str(_NAME), predicate_type=_SPDX)
        changed[field] = text
    _retag(app, good, "att")
    assert app.verify(str(_NAME), predicate_type=_SPDX).signatures


def test_a_payload_with_other_bytes_than_its_digest_is_refused(app: CopyingApp) -> None:
    app.sign(str(_NAME))
    (layer,) = _tagged(app, "sig").layers
    app.blobs.remove(layer.digest)
    app.registry.corrupt(layer.digest)

    with pytest.raises(NotTrusted):
        app.verify(str(_NAME))

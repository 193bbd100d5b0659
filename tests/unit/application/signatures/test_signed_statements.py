"""Signed statements: about an image, those of an index, and documents that refer to an image."""

import json

import pytest

from img.application.usecases.sign_image import Predicate
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest, encode_index, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.signing.candidate import NotTrusted
from img.domain.signing.places import SignatureForm, tag_of
from tests.support.images.copying_app import CopyingApp
from tests.support.in_memory_app import HERE

_NAME = "r.example/app:1"
_SPDX = "https://spdx.dev/Document"


@pytest.fixture
def app() -> CopyingApp:
    made = CopyingApp()
    made.publish(_NAME, {"a": b"1"})
    return made


def _statements(app: CopyingApp) -> Manifest:
    name = ImageReference.parse(_NAME).with_tag(tag_of(app.at(_NAME).digest, "att"))
    return decode_manifest(app.registry.manifest(name, app.registry.resolve(name)))


@pytest.mark.parametrize("form", list(SignatureForm))
def test_a_predicate_becomes_a_signed_statement(app: CopyingApp, form: SignatureForm) -> None:
    predicate = Predicate(type=_SPDX, content=b'{"spdxVersion":"SPDX-2.3"}')

    (made,) = app.sign(_NAME, form=form, predicate=predicate)

    assert made.predicate_type == _SPDX
    if form is SignatureForm.TAG:
        app.sign(_NAME, predicate=predicate)  # again
        assert len(_statements(app).layers) == 1
    (found,) = app.verify(_NAME, predicate_type=_SPDX).signatures
    statement = json.loads(found.payload)
    assert statement["predicate"] == {"spdxVersion": "SPDX-2.3"}
    assert statement["subject"][0]["digest"] == {"sha256": app.at(_NAME).digest.encoded}
    with pytest.raises(NotTrusted, match="no signature"):  # of the image itself
        app.verify(_NAME)
    with pytest.raises(NotTrusted, match="no attestation https://other"):
        app.verify(_NAME, predicate_type="https://other")


def test_statements_of_an_index_are_signed(app: CopyingApp) -> None:
    image = app.at(_NAME)
    text = (
        b'{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"%s","subject":[],'
        b'"predicate":{"a":1}}' % _SPDX.encode()
    )
    _with_statement(app, image, text)

    (made,) = app.sign(_NAME, attestations=True)

    assert (made.digest, made.predicate_type) == (image.digest, _SPDX)
    (found,) = app.verify(f"r.example/app@{image.digest}", predicate_type=_SPDX).signatures
    assert json.loads(found.payload)["predicate"] == {"a": 1}
    (found,) = app.verify(_NAME, predicate_type=_SPDX, platform=HERE).signatures
    assert json.loads(found.payload)["predicate"] == {"a": 1}
    with pytest.raises(NotTrusted, match="no attestation") as refused:  # of the index itself
        app.verify(_NAME, predicate_type=_SPDX)
    assert "add --platform" in (refused.value.hint or "")
    app.publish(_NAME, {"a": b"1"})
    with pytest.raises(UsageError, match="no attestations"):
        app.sign(_NAME, attestations=True)


def test_a_document_that_refers_to_an_image_is_signed_as_a_statement(app: CopyingApp) -> None:
    name = ImageReference.parse(_NAME)
    image, text = app.registry.resolve(name), b'{"spdxVersion":"SPDX-2.3"}'
    config = Descriptor(
        media_type=media_types.OCI_EMPTY, digest=app.registry.add_blob(name, b"{}"), size=2
    )
    layer = Descriptor(
        media_type="application/spdx+json",
        digest=app.registry.add_blob(name, text),
        size=len(text),
    )
    content = encode_manifest(Manifest(config=config, layers=(layer,), subject=image))
    app.registry.push_manifest(
        name.with_digest(Digest.of(content)), content, media_types.OCI_MANIFEST
    )

    (made,) = app.sign(_NAME, attestations=True)

    assert (made.digest, made.predicate_type) == (image.digest, _SPDX)
    (found,) = app.verify(_NAME, predicate_type=_SPDX).signatures
    assert json.loads(found.payload)["predicate"] == {"spdxVersion": "SPDX-2.3"}


def _with_statement(app: CopyingApp, image: Descriptor, text: bytes) -> None:
    """Put an index with the image and an attestation manifest, as of BuildKit, at its name."""
    name = ImageReference.parse(_NAME)
    config = Descriptor(
        media_type=media_types.OCI_EMPTY, digest=app.registry.add_blob(name, b"{}"), size=2
    )
    layer = Descriptor(
        media_type="application/vnd.in-toto+json",
        digest=app.registry.add_blob(name, text),
        size=len(text),
        annotations={"in-toto.io/predicate-type": _SPDX},
    )
    content = encode_manifest(Manifest(config=config, layers=(layer,)))
    digest = app.registry.push_manifest(
        name.with_digest(Digest.of(content)), content, media_types.OCI_MANIFEST
    )
    attestation = Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=digest,
        size=len(content),
        platform=Platform("unknown", "unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(image.digest),
        },
    )
    index = encode_index(Index(manifests=(image, attestation)))
    app.registry.push_manifest(name, index, media_types.OCI_INDEX)

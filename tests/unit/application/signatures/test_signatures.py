"""Signatures of images: made, kept in each form, found again, and refused if they do not hold."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, BinaryIO

import pytest

from img.adapters.signing_identities.memory import MemorySigningIdentities
from img.adapters.signing_keys.memory import MemorySigningKeys
from img.application.ports.registry import RegistryError
from img.application.ports.signing_identities import Services
from img.application.ports.signing_keys import Signer, Verifier
from img.application.usecases.sign_image import Predicate, Signed, SigningRequest
from img.application.usecases.verify_image import VerifiedImage
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import parse_image_place
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest, encode_index, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from img.domain.signing.candidate import NotTrusted, by_identity, by_key
from img.domain.signing.identity import Identity, Wanted
from img.domain.signing.places import SignatureForm, tag_of
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

_NAME = "r.example/app:1"
_KEYS = MemorySigningKeys()
_PAIR, _OTHER = _KEYS.generate(b"pw"), _KEYS.generate(b"pw")
_SPDX = "https://spdx.dev/Document"


@pytest.fixture
def app() -> InMemoryApp:
    made = InMemoryApp()
    made.container.registries.contents.override(made.registry)
    made.publish(_NAME, {"a": b"1"})
    return made


def _signer(private: bytes = _PAIR.private) -> Signer:
    return _KEYS.signer(private, lambda: b"pw")


def _verifier(public: bytes = _PAIR.public) -> Verifier:
    return _KEYS.verifier(public)


def _sign(
    app: InMemoryApp, place: str = _NAME, key: Signer | None = None, **request: object
) -> list[Signed]:
    made = SigningRequest(**request)  # type: ignore[arg-type]
    use_case = app.container.images.sign_image()
    return [*use_case(parse_image_place(place), key or _signer(), made)]


def _verify(
    app: InMemoryApp,
    place: str = _NAME,
    key: Verifier | None = None,
    annotations: Mapping[str, str] | None = None,
) -> VerifiedImage:
    return app.container.images.verify_image()(
        parse_image_place(place),
        by_key((key or _verifier()).verifies),
        annotations=annotations or {},
    )


def _digest(app: InMemoryApp, name: str = _NAME) -> Digest:
    return app.registry.resolve(ImageReference.parse(name)).digest


def _tagged(app: InMemoryApp) -> Manifest:
    name = ImageReference.parse(_NAME).with_tag(tag_of(_digest(app), "sig"))
    return decode_manifest(app.registry.manifest(name, app.registry.resolve(name)))


def _retag(app: InMemoryApp, manifest: Manifest) -> None:
    name = ImageReference.parse(_NAME).with_tag(tag_of(_digest(app), "sig"))
    app.registry.push_manifest(name, encode_manifest(manifest), media_types.OCI_MANIFEST)


@pytest.mark.parametrize("form", list(SignatureForm))
def test_each_form_is_found_again(app: InMemoryApp, form: SignatureForm) -> None:
    _sign(app, form=form, annotations={"who": "me"})

    found = _verify(app, annotations={"who": "me"})

    assert (found.digest, len(found.signatures)) == (_digest(app), 1)
    with pytest.raises(NotTrusted, match="lacks the annotation who=you"):
        _verify(app, annotations={"who": "you"})
    with pytest.raises(NotTrusted, match="by another key"):
        _verify(app, key=_verifier(_OTHER.public))


def test_an_image_without_signatures_is_refused(app: InMemoryApp) -> None:
    with pytest.raises(NotTrusted, match="has no signature by this key") as refused:
        _verify(app)
    assert refused.value.exit_code == 10


def test_signatures_by_several_keys_are_kept_together(app: InMemoryApp) -> None:
    _sign(app)
    _sign(app, key=_signer(_OTHER.private))
    _sign(app, annotations={"a": "1"})
    _sign(app)  # again

    assert len(_tagged(app).layers) == 3
    assert len(_verify(app).signatures) == 2
    assert len(_verify(app, key=_verifier(_OTHER.public)).signatures) == 1


def test_a_signature_of_another_image_does_not_count(app: InMemoryApp) -> None:
    _sign(app)
    stolen = _tagged(app)
    app.publish(_NAME, {"a": b"2"})
    _retag(app, stolen)

    with pytest.raises(NotTrusted, match="of another image"):
        _verify(app)


def test_broken_signatures_do_not_hide_a_good_one(app: InMemoryApp) -> None:
    _sign(app)
    good = _tagged(app)
    junk = Descriptor(
        media_type="application/vnd.dsse.envelope.v1+json",
        digest=app.registry.add_blob(ImageReference.parse(_NAME), b"{"),
        size=1,
    )
    _retag(app, replace(good, layers=(junk, *good.layers)))

    assert len(_verify(app).signatures) == 1


def test_what_is_under_the_tag_need_not_be_a_signature(app: InMemoryApp) -> None:
    name = ImageReference.parse(_NAME).with_tag(tag_of(_digest(app), "sig"))
    app.registry.push_manifest(name, encode_index(Index()), media_types.OCI_INDEX)
    with pytest.raises(NotTrusted, match="is no manifest"):
        _verify(app)
    app.registry.push_manifest(name, b'{"schemaVersion":2}', media_types.OCI_MANIFEST)
    with pytest.raises(NotTrusted, match="invalid image manifest"):
        _verify(app)
    manifest = app.registry.manifest(
        ImageReference.parse(_NAME), app.registry.resolve(ImageReference.parse(_NAME))
    )
    app.registry.push_manifest(name, manifest, media_types.OCI_MANIFEST)
    with pytest.raises(UsageError, match="is no signature"):
        _sign(app)


def test_a_registry_that_does_not_answer_is_no_answer(app: InMemoryApp) -> None:
    _sign(app)
    app.registry.lose("r.example")

    with pytest.raises(RegistryError):
        _verify(app)


def test_all_images_of_an_index_are_signed_on_request(app: InMemoryApp) -> None:
    app.publish(_NAME, {"a": b"1"}, platforms=(HERE, ELSEWHERE))
    index = _digest(app)

    assert [each.digest for each in _sign(app)] == [index]
    made = _sign(app, recursive=True)

    assert (len(made), made[-1].digest) == (3, index)
    for each in made:
        assert _verify(app, f"r.example/app@{each.digest}").digest == each.digest


def test_stored_images_have_their_signatures_in_the_store(app: InMemoryApp) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["r.example/local:1"])

    (made,) = _sign(app, "store:r.example/local:1")

    assert _verify(app, "store:r.example/local:1").digest == made.digest
    assert [str(image.name) for image in app.images.list() if "sha256-" in str(image.name)] == [
        f"r.example/local:{tag_of(made.digest, 'sig')}"
    ]
    _sign(app, "store:r.example/local:1")
    assert len(_verify(app, "store:r.example/local:1").signatures) == 1
    for form in (SignatureForm.REFERRER, SignatureForm.BUNDLE):
        _sign(app, "store:r.example/local:1", form=form)
    assert len(app.container.images.stored_referrers().about(made.digest)) == 2
    assert len(_verify(app, "store:r.example/local:1").signatures) == 2  # one payload is the same
    with pytest.raises(UsageError, match="no place for signatures"):
        _sign(app, "oci:somewhere")


@pytest.mark.parametrize("form", list(SignatureForm))
def test_signatures_are_copied_with_their_image(app: InMemoryApp, form: SignatureForm) -> None:
    _sign(app, form=form)
    copy = app.container.images.copy_image()

    def copied(source: str, target: str, *, referrers: bool = True) -> None:
        places = parse_image_place(source), [parse_image_place(target)]
        copy(*places, open_file=_no_file, referrers=referrers)

    copied(_NAME, "b.example/app:2", referrers=False)
    with pytest.raises(NotTrusted):
        _verify(app, "b.example/app:2")
    copied(_NAME, "b.example/app:2")
    assert _verify(app, "b.example/app:2").signatures
    if form is SignatureForm.TAG:
        copied(_NAME, "store:local:2")
        assert _verify(app, "store:local:2").signatures
        copied("store:local:2", "c.example/app:3")
        assert _verify(app, "c.example/app:3").signatures


_IDENTITIES = MemorySigningIdentities()


def _keyless(app: InMemoryApp, place: str, subject: str, **request: object) -> list[Signed]:
    signer = _IDENTITIES.signer(f"{subject} issuer", Services())
    made = SigningRequest(form=SignatureForm.BUNDLE, **request)  # type: ignore[arg-type]
    return [*app.container.images.sign_image()(parse_image_place(place), signer, made)]


def _verify_identity(app: InMemoryApp, place: str, subject: str, **asked: Any) -> VerifiedImage:
    identity = Identity(subject=Wanted(text=subject), issuer=Wanted(text="issuer"))
    return app.container.images.verify_image()(
        parse_image_place(place),
        by_identity(_IDENTITIES.verifier(identity, Services()).problem),
        signer="identity",
        annotations=asked.pop("annotations", {}),
        **asked,
    )


def test_signatures_without_a_key_are_bundles_in_registries_and_the_store(
    app: InMemoryApp,
) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["r.example/local:1"])
    for place in (_NAME, "store:r.example/local:1"):
        _sign(app, place)
        with pytest.raises(NotTrusted, match="no signature by this identity: one is by a key"):
            _verify_identity(app, place, "me")
        _keyless(app, place, "me", annotations={"a": "1"})
        predicate = Predicate(type=_SPDX, content=b'{"spdxVersion":"SPDX-2.3"}')
        _keyless(app, place, "me", predicate=predicate)

        assert len(_verify_identity(app, place, "me", annotations={"a": "1"}).signatures) == 1
        assert len(_verify_identity(app, place, "me", predicate_type=_SPDX).signatures) == 1
        with pytest.raises(NotTrusted, match="one is by me"):
            _verify_identity(app, place, "you")
        with pytest.raises(NotTrusted, match="lacks the annotation a=2"):
            _verify_identity(app, place, "me", annotations={"a": "2"})
        assert len(_verify(app, place).signatures) == 1  # by the key
    with pytest.raises(UsageError, match="only a bundle has room for a certificate"):
        app.container.images.sign_image()(
            parse_image_place(_NAME), _IDENTITIES.signer("me issuer", Services()), SigningRequest()
        )


def _no_file(path: str) -> AbstractContextManager[BinaryIO]:
    raise AssertionError(path)


def test_an_image_without_a_name_has_no_place_for_signatures(app: InMemoryApp) -> None:
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[])

    with pytest.raises(UsageError, match="has no name"):
        _sign(app, f"store:{built.target.digest}")
    with pytest.raises(UsageError, match=r"^oci:layout:1 has no place"):
        _sign(app, "oci:layout:1")

"""Signatures and other artifacts beside an image, on their way between places."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from img.adapters.image_layout.directory import DirectoryLayouts
from img.application.ports.image_layout import LayoutError
from img.application.ports.registry import ManifestUnknown
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import INDEX_FILE, blob_path, name_of
from img.domain.reference import ImageReference
from img.domain.signing.candidate import NotTrusted
from img.domain.signing.places import SignatureForm, tag_of
from tests.support.images.copying_app import OURS, THEIRS, CopyingApp
from tests.support.in_memory_app import ELSEWHERE, HERE

_SOURCE = "one.example/app"
_TARGET = "two.example/app"
_LAYOUT, _ARCHIVE, _UNNAMED = (
    "oci:{0}/layout:v1",
    "oci-archive:{0}/a.tar:a.b/c",
    "oci-archive:{0}/b",
)


@pytest.fixture
def app() -> CopyingApp:
    return CopyingApp()


def _signed(app: CopyingApp) -> Sequence[str]:
    """Publish an image of two platforms; return the names of the artifacts about it."""
    app.publish(_SOURCE, {"a": b"1"}, platforms=(HERE, ELSEWHERE))
    index = app.at(_SOURCE)
    manifests = decode_index(app.registry.manifest(ImageReference.parse(_SOURCE), index)).manifests
    app.sign(_SOURCE, recursive=True)
    of_index, of_part = app.refer_to(index, _SOURCE), app.refer_to(manifests[0], _SOURCE)
    of_referrer = app.refer_to(app.at(f"{_SOURCE}@{of_part}"), _SOURCE)
    tags = [tag_of(each.digest, "sig") for each in (index, *manifests)]
    return [
        *(f"@{each}" for each in (of_index, of_part, of_referrer)),
        *(f":{tag}" for tag in tags),
    ]


@pytest.mark.parametrize(
    "places",
    [
        [_LAYOUT],
        [_ARCHIVE],
        [_UNNAMED],
        ["store:kept:1"],
        ["store:kept:1", _LAYOUT, _UNNAMED, "oci:{0}/other"],
        [_ARCHIVE, "store:kept:1", _UNNAMED, "store:kept:2"],
    ],
)
def test_they_go_along_through_all_places(
    app: CopyingApp, tmp_path: Path, places: Sequence[str]
) -> None:
    artifacts = _signed(app)
    places = [place.format(tmp_path) for place in places]

    for source, target in zip([_SOURCE, *places], [*places, _TARGET], strict=True):
        app.copy(source, target)

    for each in artifacts:
        assert app.at(_TARGET + each).digest == app.at(_SOURCE + each).digest
    assert app.verify(_TARGET).signatures


@pytest.mark.parametrize("place", [_LAYOUT, _ARCHIVE, "store:kept:1"])
def test_they_are_left_out_on_request(app: CopyingApp, tmp_path: Path, place: str) -> None:
    artifacts = _signed(app)
    app.copy(_SOURCE, place.format(tmp_path), referrers=False)
    app.copy(place.format(tmp_path), _TARGET)

    for each in artifacts:
        with pytest.raises(ManifestUnknown):
            app.at(_TARGET + each)


def test_a_layout_lists_them_with_tags_and_types_once(app: CopyingApp, tmp_path: Path) -> None:
    artifacts = _signed(app)
    for _ in range(2):
        app.copy(_SOURCE, f"oci:{tmp_path}:v1")

    entries = DirectoryLayouts().entries(str(tmp_path))
    tags = [each[1:] for each in artifacts if each.startswith(":")]
    assert {name_of(each) for each in entries if name_of(each)} == {"v1", *tags}
    unnamed = [(f"@{each.digest}", each.artifact_type) for each in entries if not name_of(each)]
    assert sorted(unnamed) == sorted((each, "application/x-signature") for each in artifacts[:3])


def test_an_image_of_one_platform_has_those_about_it(app: CopyingApp, tmp_path: Path) -> None:
    of_index, of_part, of_referrer, *_ = _signed(app)
    app.copy(_SOURCE, f"oci:{tmp_path}:v1", platform=HERE)
    app.copy(f"oci:{tmp_path}:v1", _TARGET)

    assert app.verify(_TARGET).signatures
    for each in (of_part, of_referrer):
        assert app.at(_TARGET + each)
    with pytest.raises(ManifestUnknown):
        app.at(_TARGET + of_index)


@pytest.mark.parametrize("form", list(SignatureForm))
def test_a_push_sends_those_of_the_store(app: CopyingApp, form: SignatureForm) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["one.example/app:1"])
    app.sign("store:one.example/app:1", form=form)
    other = ImageReference.parse("two.example/app:2")
    app.container.images.tag_image()(ImageName.parse("one.example/app:1"), other)

    app.container.images.push_image()(ImageName.parse("one.example/app:1"), ImageName.of(other))

    assert app.verify("one.example/app:1").signatures
    assert app.verify("two.example/app:2").signatures


def test_an_archive_has_those_of_the_store(app: CopyingApp) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["app:1"])
    app.sign("store:app:1")
    app.sign("store:app:1", THEIRS.private, form=SignatureForm.REFERRER)
    archive = io.BytesIO()
    save = app.container.images.save_image()

    assert save([ImageName.parse("app:1")], archive, archive_format="oci") == []
    other = CopyingApp()
    other.container.images.load_image()(io.BytesIO(archive.getvalue()))
    assert other.verify("store:app:1").signatures
    assert other.verify("store:app:1", THEIRS.public).signatures
    (less,) = save([ImageName.parse("app:1")], io.BytesIO(), archive_format="docker")
    assert less.text == "app:1"


def test_a_docker_archive_says_that_it_has_none(app: CopyingApp, tmp_path: Path) -> None:
    place = f"docker-archive:{tmp_path}/a.tar"
    app.publish(_SOURCE, {"a": b"1"})
    assert not app.copies(_SOURCE, place)[0].has_less
    _signed(app)

    assert [each.has_less for each in app.copies(_SOURCE, place, f"oci:{tmp_path}/l")] == [
        True,
        False,
    ]
    assert app.copies(_SOURCE, place)[0].has_less
    assert not app.copies(_SOURCE, place, referrers=False)[0].has_less


@pytest.mark.parametrize("target", [f"{_TARGET}:1", "store:two.example/app:1"])
def test_signatures_of_others_at_the_target_stay(app: CopyingApp, target: str) -> None:
    app.publish(_SOURCE, {"a": b"1"})
    app.sign(_SOURCE)
    app.copy(_SOURCE, target)
    app.sign(target, THEIRS.private)

    app.copy(_SOURCE, target)  # which has them already
    app.sign(_SOURCE, annotations={"a": "1"})
    app.copy(_SOURCE, target)

    assert len(app.verify(target).signatures) == 2
    assert len(app.verify(target, THEIRS.public).signatures) == 1


def test_a_tag_at_the_target_that_is_no_signature_is_replaced(app: CopyingApp) -> None:
    app.publish(_SOURCE, {"a": b"1"})
    app.sign(_SOURCE)
    tag = ImageReference.parse(_TARGET).with_tag(tag_of(app.at(_SOURCE).digest, "sig"))
    for content, kind in (
        (encode_index(Index()), media_types.OCI_INDEX),
        (b'{"schemaVersion":2}', media_types.OCI_MANIFEST),
    ):
        app.registry.push_manifest(tag, content, kind)
        app.copy(_SOURCE, _TARGET)
        assert app.verify(_TARGET).signatures


def test_a_tag_takes_no_more_signatures_than_are_read(
    app: CopyingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img.application.transfer.keep_companions.MOST", 1)
    app.publish(_SOURCE, {"a": b"1"})
    app.copy(_SOURCE, _TARGET)
    app.sign(_SOURCE)
    app.sign(_TARGET, THEIRS.private)

    with pytest.raises(UsageError, match="has 1 signatures already"):
        app.copy(_SOURCE, _TARGET)
    assert app.verify(_TARGET, THEIRS.public).signatures


def test_the_store_keeps_referrers_of_referrers_as_long_as_their_image(app: CopyingApp) -> None:
    _, of_part, of_referrer, *_ = _signed(app)
    app.copy(_SOURCE, "store:kept:1")
    app.build("FROM scratch\nCOPY a /\n", {"a": b"2"}, tags=["gone"])

    app.container.housekeeping.remove_image()(ImageName.parse("gone"))
    assert {f"@{each.name}" for each in app.images.list()} >= {of_part, of_referrer}
    app.container.housekeeping.remove_image()(ImageName.parse("kept:1"))
    assert not {f"@{each.name}" for each in app.images.list()} & {of_part, of_referrer}


def test_a_layout_of_another_program_has_full_names_and_other_entries(
    app: CopyingApp, tmp_path: Path
) -> None:
    _signed(app)
    app.copy(_SOURCE, f"oci:{tmp_path}:v1")
    index = decode_index((tmp_path / INDEX_FILE).read_bytes())
    junk = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"junk"), size=4)
    missing = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"none"), size=4)
    changed = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"{-}"), size=3)
    other = Descriptor(media_type="text/plain", digest=Digest.of(b"text"), size=4)
    for digest, content in ((junk.digest, b"junk"), (changed.digest, b"{+}")):
        (tmp_path / blob_path(digest)).write_bytes(content)
    more = (junk, missing, changed, other)
    (tmp_path / INDEX_FILE).write_bytes(encode_index(Index(manifests=(*more, *index.manifests))))

    app.copy(f"oci:{tmp_path}:v1", _TARGET)

    assert app.verify(_TARGET).signatures
    many = [
        Descriptor(media_type="text/plain", digest=Digest.of(b"%d" % count), size=1)
        for count in range(1000)
    ]
    (tmp_path / INDEX_FILE).write_bytes(encode_index(Index(manifests=(*many, *index.manifests))))
    with pytest.raises(LayoutError, match="has 1007 entries") as refused:
        app.copy(f"oci:{tmp_path}:v1", _TARGET)
    assert refused.value.hint == "leave them out with --no-referrers"


def test_a_changed_signature_in_a_layout_is_refused(app: CopyingApp, tmp_path: Path) -> None:
    app.publish(_SOURCE, {"a": b"1"})
    app.sign(_SOURCE)
    app.copy(_SOURCE, f"oci:{tmp_path}:v1")
    tag = ImageReference.parse(_SOURCE).with_tag(tag_of(app.at(_SOURCE).digest, "sig"))
    manifest = decode_manifest(app.registry.manifest(tag, app.at(str(tag))))
    blob = tmp_path / blob_path(manifest.layers[0].digest)
    blob.chmod(0o600)
    blob.write_bytes(bytes(len(blob.read_bytes())))
    other = CopyingApp()

    with pytest.raises(LayoutError, match="is damaged"):
        other.copy(f"oci:{tmp_path}:v1", _TARGET)
    with pytest.raises(NotTrusted):
        other.copy(f"oci:{tmp_path}:v1", _TARGET, referrers=False)
        other.verify(_TARGET, OURS.public)

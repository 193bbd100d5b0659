"""Contract suite of lists of what registries hold."""

import io
import json
from dataclasses import dataclass

import pytest

from img.application.ports.registry import ManifestUnknown, Registry, RegistryContents
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_CONFIG = Descriptor(media_type=media_types.OCI_CONFIG, digest=Digest.of(b"{}"), size=2)
_SIGNATURE = "application/vnd.test.signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A registry that deletes images, the lists of its contents, and its host and port."""

    registry: Registry
    contents: RegistryContents
    server: str

    def push(
        self, name: ImageReference, note: str = "", subject: Descriptor | None = None
    ) -> Descriptor:
        """Push a small image, or what refers to ``subject``."""
        self.registry.push_blob(name, _CONFIG, io.BytesIO(b"{}"))
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": _object(_CONFIG),
            "layers": [],
            "annotations": {"note": note},
        }
        if subject is not None:
            document |= {"subject": _object(subject), "artifactType": _SIGNATURE}
        content = json.dumps(document).encode()
        if subject is not None:
            name = name.with_digest(Digest.of(content))
        digest = self.registry.push_manifest(name, content, media_types.OCI_MANIFEST)
        return Descriptor(media_type=media_types.OCI_MANIFEST, digest=digest, size=len(content))


def _object(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }


class RegistryContentsContract:
    """Promises of every RegistryContents.

    Fixtures: ``place``, a Place.
    """

    @pytest.fixture
    def name(self, place: Place, request: pytest.FixtureRequest) -> ImageReference:
        """Return the name of a repository that no other test uses."""
        path = "".join(c for c in request.node.name.lower() if c.isalnum())
        return ImageReference(domain=place.server, path=f"team/{path[:60]}", tag="v1")

    def test_all_tags_of_a_repository_are_listed(self, place: Place, name: ImageReference) -> None:
        for tag in ("v1", "v2", "latest"):
            place.push(name.with_tag(tag))
        place.push(ImageReference(domain=name.domain, path=f"{name.path}/other", tag="v3"))

        assert sorted(place.contents.tags(name)) == ["latest", "v1", "v2"]

    def test_the_tags_of_nothing_are_unknown(self, place: Place, name: ImageReference) -> None:
        with pytest.raises(ManifestUnknown, match=f"^{name.repository}: not found$"):
            list(place.contents.tags(name))

    def test_a_registry_lists_its_repositories(self, place: Place, name: ImageReference) -> None:
        place.push(name)

        assert name.path in list(place.contents.repositories(place.server))

    def test_an_image_is_deleted_with_its_tags(self, place: Place, name: ImageReference) -> None:
        pushed = place.push(name)
        other = place.push(name.with_tag("v2"), note="other")

        place.contents.delete(name.with_digest(pushed.digest))

        with pytest.raises(ManifestUnknown):
            place.registry.resolve(name)
        assert place.registry.resolve(name.with_tag("v2")) == other

    def test_nothing_cannot_be_deleted(self, place: Place, name: ImageReference) -> None:
        place.push(name)

        with pytest.raises(ManifestUnknown):
            place.contents.delete(name.with_digest(Digest.of(b"nothing")))

    def test_what_refers_to_an_image_is_found(self, place: Place, name: ImageReference) -> None:
        image = place.push(name)
        signatures = [place.push(name, note=str(i), subject=image) for i in range(2)]
        place.push(name, subject=signatures[0])  # a signature of a signature

        found = list(place.contents.referrers(name, image.digest))

        assert {(one.digest, one.size) for one in found} == {(s.digest, s.size) for s in signatures}
        assert {one.artifact_type for one in found} == {_SIGNATURE}
        assert {one.annotations["note"] for one in found} == {"0", "1"}

    def test_referrers_are_filtered_by_their_type(self, place: Place, name: ImageReference) -> None:
        image = place.push(name)
        place.push(name, subject=image)

        assert len(list(place.contents.referrers(name, image.digest, _SIGNATURE))) == 1
        assert not list(place.contents.referrers(name, image.digest, "application/other"))

    def test_to_most_images_nothing_refers(self, place: Place, name: ImageReference) -> None:
        image = place.push(name)

        assert not list(place.contents.referrers(name, image.digest))

    def test_what_is_pushed_again_refers_once(self, place: Place, name: ImageReference) -> None:
        image = place.push(name)
        for _ in range(2):
            place.push(name, subject=image)

        assert len(list(place.contents.referrers(name, image.digest))) == 1

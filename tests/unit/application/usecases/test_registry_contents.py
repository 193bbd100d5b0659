"""Lists of a registry's contents."""

import json

import pytest

from img.adapters.registry.memory import MemoryRegistry
from img.application.ports.registry import ManifestUnknown
from img.application.usecases.registry_contents import ListReferrers, ListRepositories, ListTags
from img.application.usecases.remove_remote import RemoveRemoteImage
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import encode_descriptor
from img.domain.reference import ImageReference

APP = ImageReference.parse("registry.example/app:1")


def manifest(**more: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": [], **more}).encode()


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    registry.push_manifest(APP, manifest(), media_types.OCI_MANIFEST)
    return registry


def signed(registry: MemoryRegistry) -> Digest:
    """Push a manifest that refers to the image, and return its digest."""
    subject = json.loads(encode_descriptor(registry.resolve(APP)))
    content = manifest(subject=subject, artifactType="application/signature")
    reference = ImageReference.parse(f"registry.example/app@{Digest.of(content)}")
    return registry.push_manifest(reference, content, media_types.OCI_MANIFEST)


def test_tags_and_repositories_are_listed(registry: MemoryRegistry) -> None:
    assert list(ListTags(contents=registry)(APP)) == ["1"]
    assert list(ListRepositories(contents=registry)("registry.example")) == ["app"]


def test_referrers_of_a_tag_are_those_of_its_digest(registry: MemoryRegistry) -> None:
    digest = signed(registry)
    referrers = ListReferrers(registry=registry, contents=registry)
    by_digest = ImageReference.parse(f"registry.example/app@{registry.resolve(APP).digest}")

    assert [one.digest for one in referrers(APP)] == [digest]
    assert [one.digest for one in referrers(by_digest)] == [digest]
    assert not list(referrers(APP, "application/other"))


def test_referrers_of_an_unknown_tag_are_refused(registry: MemoryRegistry) -> None:
    referrers = ListReferrers(registry=registry, contents=registry)

    with pytest.raises(ManifestUnknown):
        list(referrers(ImageReference.parse("registry.example/app:2")))


def test_an_image_is_removed_from_its_registry(registry: MemoryRegistry) -> None:
    RemoveRemoteImage(contents=registry)(APP)

    with pytest.raises(ManifestUnknown):
        registry.resolve(APP)

"""Images copied between registries, layouts and archives, and lists of images."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from oras.provider import Registry

from img.testing.loopback_registry import LoopbackRegistry
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.registry, pytest.mark.peers]


@pytest.fixture
def img(img_for: ImgFor) -> Img:
    return img_for("user")


def _raw(place: str) -> tuple[str, Any]:
    """Return the digest and the manifest that skopeo sees at ``place``."""
    skopeo = (program("skopeo"), "inspect", "--tls-verify=false")
    raw = subprocess.run([*skopeo, "--raw", place], check=True, capture_output=True).stdout
    digest = subprocess.run(
        [program("skopeo"), "manifest-digest", "/dev/stdin"],
        input=raw,
        check=True,
        capture_output=True,
    ).stdout
    return digest.decode().strip(), json.loads(raw)


def test_an_image_of_two_platforms_travels_unchanged(
    img: Img, registry: RegistryServer, write_context: WriteContext, workplace: Path
) -> None:
    context = write_context("FROM scratch\nCOPY Dockerfile /\n")
    source = f"{registry.address}/copied/source"
    img("build", "-t", source, "--push", "--platform", "linux/amd64,linux/arm64", context)
    layout, archive = img.home / "layout", img.home / "image.tar"

    with RegistryServer() as other:
        img("copy", source, f"{registry.address}/copied/here", f"{other.address}/there:v1")
        img("copy", source, f"oci:{layout}:v2", f"oci-archive:{archive}:{source}")
        img("copy", f"oci-archive:{archive}", f"{other.address}/from-archive")
        seen = {
            _raw(f"docker://{registry.address}/copied/here")[0],
            _raw(f"docker://{other.address}/there:v1")[0],
            _raw(f"docker://{other.address}/from-archive")[0],
            _raw(f"oci:{layout}:v2")[0],
        }

    assert seen == {_raw(f"docker://{source}")[0]}


def test_signatures_and_attestations_travel_through_files(
    img: Img, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCOPY Dockerfile /\n")
    layout, archive = img.home / "layout", img.home / "image.tar"
    img("generate-key-pair", cwd=img.home)
    with LoopbackRegistry() as first, LoopbackRegistry() as second:
        source, target = first.name("team/app:1"), second.name("moved/app:1")
        platforms = ("--platform", "linux/amd64,linux/arm64")
        attested = ("--provenance=true", "--attest-as", "referrer")
        img("build", "-q", "-t", source, "--push", *platforms, *attested, context)
        for form in ("tag", "referrer"):
            img("sign", "--key", img.home / "cosign.key", "--as", form, "--recursive", source)
        img("copy", source, f"oci:{layout}:v1")
        skopeo = (program("skopeo"), "copy", "--all", f"oci:{layout}:v1", f"oci:{layout}-copy:v1")
        subprocess.run(skopeo, check=True, capture_output=True)
        assert _raw(f"oci:{layout}-copy:v1") == _raw(f"oci:{layout}:v1")

        img("copy", f"oci:{layout}:v1", f"oci-archive:{archive}")
        img("copy", f"oci-archive:{archive}", target)

        public = img.home / "cosign.pub"
        for platform in ((), ("--platform", "linux/arm64")):
            (verified,) = json.loads(img("verify", "--key", public, *platform, target).stdout)
            assert verified["critical"]["type"] == "cosign container image signature"
        assert img("attestations", f"docker://{target}").stdout.count("slsa.dev") == 2
        client = Registry(insecure=True)  # of oras-py
        counts = []
        for digest in (first.tags("team/app")["1"], *_digests(layout)):
            url = f"http://{second.address}/v2/moved/app/referrers/{digest}"
            found = client.do_request(url).json()["manifests"]
            for each in found:
                manifest = client.get_manifest(f"{second.address}/moved/app@{each['digest']}")
                assert manifest["subject"]["digest"] == digest
            counts.append(len(found))
        assert counts == [1, 2, 2]  # the index is signed; its images are signed and attested

        less = img("copy", source, f"docker-archive:{archive}").stderr
        assert f"signatures and attestations are left out of docker-archive:{archive}" in less


def _digests(layout: Path) -> list[str]:
    """Return the digests of the images of the index in a layout."""
    return [each["digest"] for each in _raw(f"oci:{layout}:v1")[1]["manifests"]]


def test_a_list_of_images_is_made_and_pushed(
    img: Img, registry: RegistryServer, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCOPY Dockerfile /\n")
    name = f"{registry.address}/listed"
    for platform in ("amd64", "arm64"):
        tag = f"{name}:{platform}"
        img("build", "-t", tag, "--push", "--platform", f"linux/{platform}", context)

    other = img.with_state(img.home / "other")
    other("manifest", "create", name, f"{name}:amd64")
    other("manifest", "add", name, f"{name}:arm64")
    other("manifest", "push", name)

    _, index = _raw(f"docker://{name}")
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    taken = other("manifest", "create", name, code=1)
    assert "listed:latest exists already (use --amend, or remove it" in taken.error_line


def test_places_that_are_none_are_refused_in_one_line(img: Img, workplace: Path) -> None:
    assert "must pass a source and a target" in img("copy", "a", code=1).error_line
    gone = img("copy", f"oci-archive:{workplace}/gone", "store:x", code=5)
    assert f"cannot read {workplace}/gone: no such file" in gone.error_line
    other = img("copy", "dir:/x", "store:x", code=1)
    assert "dir:/x: unknown place of images (use docker://NAME" in other.error_line
    assert "must pass a name for the list" in img("manifest", "create", code=1).error_line

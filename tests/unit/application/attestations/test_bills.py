"""Bills of materials as attestations."""

import json
from typing import Any

import pytest

from img.application.outputs.solved import BuiltImage
from img.application.planning.resolve import BaseUnavailable
from img.domain.attestations.options import parse_attestations
from img.domain.attestations.statement import SPDX_TYPE
from img.domain.digest import Digest
from img.domain.outputs import ImageForm, ImageOutput
from img.domain.reference import ImageReference
from tests.support.in_memory_app import InMemoryApp, a_request
from tests.support.statements import check_statement

STATUS = b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\n"
SYSTEM = b"ID=debian\nVERSION_ID=12\n"
DOCKERFILE = """\
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM base AS build
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY package.json /app/package.json
FROM base AS other
COPY other /other
FROM base
COPY --from=build /app/package.json /x
COPY --from=other /other /y
"""
FILES = {"package.json": b'{"name": "left-pad", "version": "1.3.0"}', "other": b"1"}


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", {"var/lib/dpkg/status": STATUS, "etc/os-release": SYSTEM})
    return app


def built(app: InMemoryApp, options: str = "true", **more: Any) -> BuiltImage:
    app.contexts.text = DOCKERFILE
    app.contexts.context = type(app.contexts.context)(FILES)
    image = app.container.building.build_image()(
        a_request(**more),
        location=".",
        outputs=[ImageOutput(names=(ImageReference.parse("quay.io/team/app:1"),))],
        attestations=parse_attestations([], "mode=min", options),
    )
    assert image is not None
    return image


def document(app: InMemoryApp, digest: str) -> Any:
    with app.blobs.open(Digest.parse(digest)) as blob:
        return json.loads(blob.read())


def statements(app: InMemoryApp, image: BuiltImage) -> list[Any]:
    entry = document(app, str(image.target.digest))["manifests"][-1]
    layers = document(app, entry["digest"])["layers"]
    return [document(app, layer["digest"]) for layer in layers]


def packages(statement: Any) -> set[str]:
    return {
        each["name"]
        for each in statement["predicate"]["packages"]
        if each["SPDXID"].startswith("SPDXRef-Package")
    }


def test_the_image_is_first_then_stages_and_contexts_and_provenance_last() -> None:
    app = an_app()

    core, build, context, provenance = statements(app, built(app))

    for each in (core, build, context, provenance):
        check_statement(each)
    assert [each["predicateType"] for each in (core, build, context)] == [SPDX_TYPE] * 3
    assert provenance["predicateType"].startswith("https://slsa.dev/provenance")
    assert core["predicate"]["name"] == "quay.io/team/app:1"
    assert [each["predicate"]["name"] for each in (build, context)] == [
        "sbom-build",
        "sbom-context",
    ]
    assert (packages(core), packages(build)) == ({"bash"}, {"bash", "left-pad"})
    assert packages(context) == {"left-pad"}


def test_a_stage_is_scanned_also_if_all_is_cached() -> None:
    app = an_app()
    built(app)

    again = statements(app, built(app))

    assert len(again) == 4 and packages(again[1]) == {"bash", "left-pad"}


def test_the_argument_lists_stages() -> None:
    app = an_app()

    made = statements(app, built(app, build_args={"BUILDKIT_SBOM_SCAN_STAGE": "other,none"}))

    assert [each["predicate"].get("name") for each in made[1:3]] == ["sbom-context", "sbom-other"]


def test_equal_builds_with_an_epoch_have_equal_attestations() -> None:
    images = [built(an_app(), build_args={"SOURCE_DATE_EPOCH": "7"}) for _ in range(2)]

    assert images[0].target == images[1].target


def test_the_image_does_not_depend_on_attestations() -> None:
    app = an_app()
    plain = app.build(DOCKERFILE, FILES, tags=("quay.io/team/app:1",))

    attested = built(app)

    assert attested.images[0].target == plain.target
    found = app.catalog.image(attested.target, a_request().platform)
    assert found.target.digest == plain.target.digest


def test_referrers_are_beside_a_plain_manifest() -> None:
    app = an_app()
    app.contexts.text = DOCKERFILE
    app.contexts.context = type(app.contexts.context)(FILES)
    name = ImageReference.parse("quay.io/team/app:1")

    image = app.container.building.build_image()(
        a_request(),
        location=".",
        outputs=[ImageOutput(names=(name,), push=True, form=ImageForm(oci_types=False))],
        attestations=parse_attestations([], "true", "true", "referrer"),
    )

    assert image is not None and image.target == image.images[0].target
    types = [each.artifact_type for each in image.referrers]
    assert types == [*["application/spdx+json"] * 3, "application/vnd.in-toto+json"]
    pushed = [app.registry.resolve(name.with_digest(each.digest)) for each in image.referrers]
    assert [each.digest for each in pushed] == [each.digest for each in image.referrers]
    subjects = [document(app, str(each.digest))["subject"] for each in image.referrers]
    assert {each["digest"] for each in subjects} == {str(image.target.digest)}


def test_a_build_without_its_scanner_fails_before_its_steps() -> None:
    app = an_app()

    with pytest.raises(BaseUnavailable, match="nowhere"):
        built(app, "generator=nowhere")

    assert app.steps_done == ["[internal] load metadata for docker.io/library/nowhere:latest"]

"""Looking at images."""

import json

import pytest

from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.domain.image_name import ImageName
from img.domain.oci.config import RunConfig
from img.domain.reference import ImageReference
from tests.unit.application.workshop import ELSEWHERE, HERE, Workshop, image_of

APP = ImageReference.parse("app")


def test_the_config_comes_as_it_is_stored() -> None:
    workshop = Workshop()
    built = image_of(workshop.build('FROM scratch\nCOPY a /\nCMD ["/a"]\n', {"a": b"1"}))

    config = workshop.container.inspect_image()(ImageName.of(APP), HERE)

    assert config == workshop.catalog.read(built.manifest.config)
    assert json.loads(config)["config"]["Cmd"] == ["/a"]


def test_of_many_platforms_it_is_the_one_that_was_asked_for() -> None:
    workshop = Workshop()
    workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    config = json.loads(workshop.container.inspect_image()(ImageName.of(APP), ELSEWHERE))

    assert config["architecture"] == ELSEWHERE.architecture


def test_what_a_pulled_config_says_beyond_our_knowledge_is_kept() -> None:
    workshop = Workshop()
    base = workshop.publish("base", {"a": b"1"}, run=RunConfig(unknown={"OnSomeDay": "later"}))
    workshop.container.pull_image()(base, HERE)

    assert json.loads(workshop.container.inspect_image()(ImageName.of(base), HERE))["config"][
        "OnSomeDay"
    ]


def test_an_image_that_is_not_here_is_said() -> None:
    with pytest.raises(ImageNotFound):
        Workshop().container.inspect_image()(ImageName.of(APP), HERE)


def test_a_config_that_is_gone_is_said() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))
    workshop.blobs.remove(built.manifest.config.digest)

    with pytest.raises(BlobNotFound) as missing:
        workshop.container.inspect_image()(ImageName.of(APP), HERE)

    assert missing.value.exit_code == 7

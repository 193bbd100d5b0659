"""Looking at images."""

import json

import pytest

from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.domain.go.template.render import Template
from img.domain.go.template.values import plain
from img.domain.image_name import ImageName
from img.domain.oci.config import RunConfig
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of

APP = ImageReference.parse("app")


def test_the_config_comes_as_it_is_stored() -> None:
    app = InMemoryApp()
    built = image_of(app.build('FROM scratch\nCOPY a /\nCMD ["/a"]\n', {"a": b"1"}))

    config = app.container.images.inspect_image().config(ImageName.of(APP), HERE)

    assert config == app.catalog.read(built.manifest.config)
    assert json.loads(config)["config"]["Cmd"] == ["/a"]


def test_of_many_platforms_it_is_the_one_that_was_asked_for() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    config = json.loads(app.container.images.inspect_image().config(ImageName.of(APP), ELSEWHERE))

    assert config["architecture"] == ELSEWHERE.architecture


def test_what_a_pulled_config_says_beyond_our_knowledge_is_kept() -> None:
    app = InMemoryApp()
    base = app.publish("base", {"a": b"1"}, run=RunConfig(unknown={"OnSomeDay": "later"}))
    app.container.images.pull_image()(base, HERE)

    assert json.loads(app.container.images.inspect_image().config(ImageName.of(base), HERE))[
        "config"
    ]["OnSomeDay"]


def test_an_image_that_is_not_here_is_said() -> None:
    with pytest.raises(ImageNotFound):
        InMemoryApp().container.images.inspect_image().config(ImageName.of(APP), HERE)


def test_a_config_that_is_gone_is_said() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}))
    app.blobs.remove(built.manifest.config.digest)

    with pytest.raises(BlobNotFound) as missing:
        app.container.images.inspect_image().config(ImageName.of(APP), HERE)

    assert missing.value.exit_code == 7


DOCKERFILE = """FROM scratch
LABEL a.b=c
COPY a b /
ENV A=1
USER 7
EXPOSE 80
CMD ["x"]
COPY a /c
"""


def test_the_document_is_dockers() -> None:
    app = InMemoryApp()
    built = image_of(
        app.build(DOCKERFILE, {"a": b"1", "b": b"22"}, tags=["app:1", "app:2", "quay.io/x"])
    )
    inspect = app.container.images.inspect_image()

    document = plain(inspect(ImageName.parse("quay.io/x"), HERE))

    digest = built.target.digest
    assert document["Id"] == str(built.manifest.config.digest)
    assert document["RepoTags"] == ["app:1", "app:2", "quay.io/x:latest"]
    assert document["RepoDigests"] == [f"app@{digest}", f"quay.io/x@{digest}"]
    assert document["Size"] == built.size
    assert document["Os"] == HERE.os and document["Architecture"] == HERE.architecture
    assert document["RootFS"]["Layers"] == [str(layer.diff_id) for layer in built.layers]
    assert document["Created"] == built.config.created
    assert document["Descriptor"]["digest"] == str(digest)
    assert document["Config"] == {
        "User": "7",
        "ExposedPorts": {"80/tcp": {}},
        "Env": [f"{name}={value}" for name, value in built.config.run.env],
        "Cmd": ["x"],
        "Volumes": None,
        "WorkingDir": "/",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {"a.b": "c"},
        "ArgsEscaped": True,
    }
    for text in (built.manifest.config.digest.encoded[:12], f"app@{digest}"):
        assert plain(inspect(ImageName.parse(text), HERE)) == document


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Config.Healthcheck}}{{.Config.StopSignal}}{{.Config.Shell}}", "<no value>[]"),
        ('{{index .Config.Labels "a.b"}}', "c"),
        ("{{json .Config.Entrypoint}}{{.Config.Entrypoint}}", "null[]"),
        ("{{.Architecture}}{{.Variant}}", f"{HERE.architecture}{HERE.variant}"),
        ("{{len .RootFS.Layers}}", "2"),
        ("{{range .Config.Cmd}}{{println .}}{{end}}", "x\n"),
    ],
)
def test_templates_find_what_dockers_find(template: str, text: str) -> None:
    app = InMemoryApp()
    app.build(DOCKERFILE, {"a": b"1", "b": b"22"})

    document = app.container.images.inspect_image()(ImageName.of(APP), HERE)

    assert Template(template).render(document) == text


def test_an_image_without_a_name_has_a_document_too() -> None:
    app = InMemoryApp()
    built = image_of(app.build(DOCKERFILE, {"a": b"1", "b": b"22"}, tags=[]))

    document = app.container.images.inspect_image()(
        ImageName.parse(str(built.manifest.config.digest)), HERE
    )

    assert document["RepoTags"] == document["RepoDigests"] == []
    assert document["Metadata"] == {"LastTagTime": "0001-01-01T00:00:00Z"}


def test_the_history_says_which_step_made_how_much() -> None:
    app = InMemoryApp()
    built = image_of(app.build(DOCKERFILE, {"a": b"1", "b": b"22"}))

    id_, steps = app.container.images.image_history()(ImageName.of(APP), HERE)

    assert id_ == built.manifest.config.digest
    assert [(each.step.created_by.split()[0], each.size) for each in steps] == [
        ("COPY", 1),
        ("CMD", 0),
        ("EXPOSE", 0),
        ("USER", 0),
        ("ENV", 0),
        ("COPY", 3),
        ("LABEL", 0),
    ]


def test_what_the_history_does_not_tell_is_shown_all_the_same() -> None:
    app = InMemoryApp()
    base = app.publish("base", {"a": b"1"}, {"b": b"22"})
    app.container.images.pull_image()(base, HERE)

    _, steps = app.container.images.image_history()(ImageName.of(base), HERE)

    assert [(each.step.created_by, each.size) for each in steps] == [("", 2), ("", 1)]

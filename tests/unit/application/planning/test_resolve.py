"""Resolution of base images."""

import pytest

from img.application.planning.resolve import BaseUnavailable, ResolveBases
from img.domain.build import BaseName
from img.domain.image_filter import ImageFilter
from img.domain.platform import Platform
from img.domain.progress import (
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexWarning,
)
from img.domain.pull_policy import PullPolicy
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of

BASE = BaseName("docker.io/library/base:latest", HERE, (3, 3))


def resolver(app: InMemoryApp) -> ResolveBases:
    resolve: ResolveBases = app.container.building.resolve()
    return resolve


def test_a_registry_is_asked_for_documents_only() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"}, {"b": b"2"})

    found = resolver(app)([BASE])[BASE]

    assert len(found.image.layers) == 2
    assert len(app.registry.fetched) == 2  # manifest and config
    assert not found.named
    assert [type(event) for event in app.progress.events] == [VertexStarted, VertexDone]


def test_what_is_here_comes_first() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"})
    app.container.images.pull_image()(reference, HERE)
    app.registry.lose("docker.io")
    app.forget_progress()

    found = resolver(app)([BASE])[BASE]

    assert found.named
    assert [type(event) for event in app.progress.events] == [VertexCached]


@pytest.mark.parametrize("platforms", [(HERE,), (ELSEWHERE, HERE)], ids=["manifest", "index"])
def test_a_name_with_a_digest_stands_for_that_here_too(platforms: tuple[Platform, ...]) -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"}, platforms=platforms)
    pinned = reference.with_digest(app.registry.resolve(reference).digest)
    app.build(f"FROM {pinned}\nRUN true\n", {})
    pulled = app.container.images.pull_image()(pinned, HERE)
    app.registry.lose("docker.io")

    found = resolver(app)([BaseName(str(pinned), HERE, (1, 1))])

    assert [base.named for base in found.values()] == [True]
    assert app.images.get(pinned).target.digest == pinned.digest
    sizes = [
        each.size for each in app.container.images.list_images()(HERE, ImageFilter(text="@sha256:"))
    ]
    assert sizes == [pulled.size]
    with pytest.raises(BaseUnavailable):
        resolver(app)([BaseName(str(pinned), Platform("linux", "mips64le"), (1, 1))])


def test_a_base_that_names_no_platform_is_used_where_it_is_here() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"}, platforms=[Platform("", "")])
    app.container.images.pull_image()(reference, HERE)
    app.registry.lose("docker.io")

    built = app.build("FROM base\nCOPY a /b\n", {"a": b"2"})

    assert built.images[0].config.platform == HERE
    assert app.files_of(built) == {"a": b"1", "b": b"2"}


def test_with_pull_it_does_not() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"})
    app.container.images.pull_image()(reference, HERE)

    assert not resolver(app)([BASE], pull=PullPolicy.ALWAYS)[BASE].named


def test_what_is_here_will_do_where_newer_is_wanted_and_no_registry_answers() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"old"})
    app.container.images.pull_image()(reference, HERE)
    app.publish("base", {"a": b"new"})
    newer = resolver(app)([BASE], pull=PullPolicy.NEWER)[BASE]
    app.registry.lose("docker.io")
    app.forget_progress()

    found = resolver(app)([BASE], pull=PullPolicy.NEWER)[BASE]

    assert not newer.named
    assert found.named
    assert newer.target != found.target
    assert [type(event) for event in app.progress.events] == [
        VertexStarted,
        VertexWarning,
        VertexDone,
    ]
    with pytest.raises(BaseUnavailable, match="cannot be reached"):
        resolver(app)([BASE], pull=PullPolicy.ALWAYS)


def test_no_registry_is_asked_where_none_may_be() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"})

    with pytest.raises(BaseUnavailable, match="pull=never") as failed:
        resolver(app)([BASE], pull=PullPolicy.NEVER)
    app.container.images.pull_image()(reference, HERE)

    assert failed.value.exit_code == 7
    assert resolver(app)([BASE], pull=PullPolicy.NEVER)[BASE].named


def test_what_is_here_for_another_platform_does_not_count() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    app.container.images.pull_image()(reference, HERE)
    elsewhere = BaseName(BASE.text, ELSEWHERE)

    found = resolver(app)([elsewhere])[elsewhere]

    assert found.image.config.platform == ELSEWHERE


def test_what_is_damaged_here_is_fetched_again() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"})
    image = app.container.images.pull_image()(reference, HERE)
    app.blobs.remove(image.manifest.config.digest)

    assert not resolver(app)([BASE])[BASE].named


def test_several_are_looked_up_each_once() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"})
    app.publish("other", {"b": b"2"})
    other = BaseName("docker.io/library/other:latest", HERE)

    found = resolver(app)([BASE, other, BASE])

    assert list(found) == [BASE, other]
    assert len(app.registry.fetched) == 4


def test_what_is_nowhere_is_said_with_name_cause_and_line() -> None:
    app = InMemoryApp()

    with pytest.raises(BaseUnavailable, match=r"library/base:latest.*not found") as failed:
        resolver(app)([BASE])

    assert failed.value.lines == (3, 3)
    assert failed.value.exit_code == 6
    assert isinstance(app.progress.events[-1], VertexFailed)


def test_an_id_in_full_is_an_image_of_the_store_whatever_pull_says() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))
    app.registry.lose("docker.io")
    id_ = str(built.manifest.config.digest)
    name = BaseName(id_, HERE, (1, 1))

    for pull in PullPolicy:
        found = resolver(app)([name], pull=pull)[name]
        assert found.target == built.target
        assert found.reference is None
        assert found.image.reference == id_


def test_an_id_that_is_not_here_or_for_another_platform_is_said() -> None:
    app = InMemoryApp()
    built = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))
    elsewhere = BaseName(str(built.manifest.config.digest), ELSEWHERE, (1, 1))

    with pytest.raises(BaseUnavailable, match="no match for platform"):
        resolver(app)([elsewhere])
    with pytest.raises(BaseUnavailable, match="not found"):
        resolver(app)([BaseName(f"sha256:{'0' * 64}", HERE, (1, 1))])


def test_a_digest_of_what_is_here_under_a_tag_needs_no_registry() -> None:
    app = InMemoryApp()
    reference = app.publish("base", {"a": b"1"})
    image = app.container.images.pull_image()(reference, HERE)
    app.registry.lose("docker.io")
    pinned = BaseName(f"docker.io/library/base@{image.target.digest}", HERE, (1, 1))

    assert resolver(app)([pinned])[pinned].target == image.target

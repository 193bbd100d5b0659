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
from tests.support.workshop import ELSEWHERE, HERE, Workshop, image_of

BASE = BaseName("docker.io/library/base:latest", HERE, (3, 3))


def resolver(workshop: Workshop) -> ResolveBases:
    resolve: ResolveBases = workshop.container.building.resolve()
    return resolve


def test_a_registry_is_asked_for_documents_only() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"}, {"b": b"2"})

    found = resolver(workshop)([BASE])[BASE]

    assert len(found.image.layers) == 2
    assert len(workshop.registry.fetched) == 2  # manifest and config
    assert not found.named
    assert [type(event) for event in workshop.progress.events] == [VertexStarted, VertexDone]


def test_what_is_here_comes_first() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"})
    workshop.container.images.pull_image()(reference, HERE)
    workshop.registry.lose("docker.io")
    workshop.forget_progress()

    found = resolver(workshop)([BASE])[BASE]

    assert found.named
    assert [type(event) for event in workshop.progress.events] == [VertexCached]


@pytest.mark.parametrize("platforms", [(HERE,), (ELSEWHERE, HERE)], ids=["manifest", "index"])
def test_a_name_with_a_digest_stands_for_that_here_too(platforms: tuple[Platform, ...]) -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"}, platforms=platforms)
    pinned = reference.with_digest(workshop.registry.resolve(reference).digest)
    workshop.build(f"FROM {pinned}\nRUN true\n", {})
    pulled = workshop.container.images.pull_image()(pinned, HERE)
    workshop.registry.lose("docker.io")

    found = resolver(workshop)([BaseName(str(pinned), HERE, (1, 1))])

    assert [base.named for base in found.values()] == [True]
    assert workshop.images.get(pinned).target.digest == pinned.digest
    sizes = [
        each.size
        for each in workshop.container.images.list_images()(HERE, ImageFilter(text="@sha256:"))
    ]
    assert sizes == [pulled.size]
    with pytest.raises(BaseUnavailable):
        resolver(workshop)([BaseName(str(pinned), Platform("linux", "mips64le"), (1, 1))])


def test_a_base_that_names_no_platform_is_used_where_it_is_here() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"}, platforms=[Platform("", "")])
    workshop.container.images.pull_image()(reference, HERE)
    workshop.registry.lose("docker.io")

    built = workshop.build("FROM base\nCOPY a /b\n", {"a": b"2"})

    assert built.images[0].config.platform == HERE
    assert workshop.files_of(built) == {"a": b"1", "b": b"2"}


def test_with_pull_it_does_not() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"})
    workshop.container.images.pull_image()(reference, HERE)

    assert not resolver(workshop)([BASE], pull=PullPolicy.ALWAYS)[BASE].named


def test_what_is_here_will_do_where_newer_is_wanted_and_no_registry_answers() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"old"})
    workshop.container.images.pull_image()(reference, HERE)
    workshop.publish("base", {"a": b"new"})
    newer = resolver(workshop)([BASE], pull=PullPolicy.NEWER)[BASE]
    workshop.registry.lose("docker.io")
    workshop.forget_progress()

    found = resolver(workshop)([BASE], pull=PullPolicy.NEWER)[BASE]

    assert not newer.named
    assert found.named
    assert newer.target != found.target
    assert [type(event) for event in workshop.progress.events] == [
        VertexStarted,
        VertexWarning,
        VertexDone,
    ]
    with pytest.raises(BaseUnavailable, match="cannot be reached"):
        resolver(workshop)([BASE], pull=PullPolicy.ALWAYS)


def test_no_registry_is_asked_where_none_may_be() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"})

    with pytest.raises(BaseUnavailable, match="pull=never") as failed:
        resolver(workshop)([BASE], pull=PullPolicy.NEVER)
    workshop.container.images.pull_image()(reference, HERE)

    assert failed.value.exit_code == 7
    assert resolver(workshop)([BASE], pull=PullPolicy.NEVER)[BASE].named


def test_what_is_here_for_another_platform_does_not_count() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    workshop.container.images.pull_image()(reference, HERE)
    elsewhere = BaseName(BASE.text, ELSEWHERE)

    found = resolver(workshop)([elsewhere])[elsewhere]

    assert found.image.config.platform == ELSEWHERE


def test_what_is_damaged_here_is_fetched_again() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"})
    image = workshop.container.images.pull_image()(reference, HERE)
    workshop.blobs.remove(image.manifest.config.digest)

    assert not resolver(workshop)([BASE])[BASE].named


def test_several_are_looked_up_each_once() -> None:
    workshop = Workshop()
    workshop.publish("base", {"a": b"1"})
    workshop.publish("other", {"b": b"2"})
    other = BaseName("docker.io/library/other:latest", HERE)

    found = resolver(workshop)([BASE, other, BASE])

    assert list(found) == [BASE, other]
    assert len(workshop.registry.fetched) == 4


def test_what_is_nowhere_is_said_with_name_cause_and_line() -> None:
    workshop = Workshop()

    with pytest.raises(BaseUnavailable, match=r"library/base:latest.*not found") as failed:
        resolver(workshop)([BASE])

    assert failed.value.lines == (3, 3)
    assert failed.value.exit_code == 6
    assert isinstance(workshop.progress.events[-1], VertexFailed)


def test_an_id_in_full_is_an_image_of_the_store_whatever_pull_says() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))
    workshop.registry.lose("docker.io")
    id_ = str(built.manifest.config.digest)
    name = BaseName(id_, HERE, (1, 1))

    for pull in PullPolicy:
        found = resolver(workshop)([name], pull=pull)[name]
        assert found.target == built.target
        assert found.reference is None
        assert found.image.reference == id_


def test_an_id_that_is_not_here_or_for_another_platform_is_said() -> None:
    workshop = Workshop()
    built = image_of(workshop.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=[]))
    elsewhere = BaseName(str(built.manifest.config.digest), ELSEWHERE, (1, 1))

    with pytest.raises(BaseUnavailable, match="no match for platform"):
        resolver(workshop)([elsewhere])
    with pytest.raises(BaseUnavailable, match="not found"):
        resolver(workshop)([BaseName(f"sha256:{'0' * 64}", HERE, (1, 1))])


def test_a_digest_of_what_is_here_under_a_tag_needs_no_registry() -> None:
    workshop = Workshop()
    reference = workshop.publish("base", {"a": b"1"})
    image = workshop.container.images.pull_image()(reference, HERE)
    workshop.registry.lose("docker.io")
    pinned = BaseName(f"docker.io/library/base@{image.target.digest}", HERE, (1, 1))

    assert resolver(workshop)([pinned])[pinned].target == image.target

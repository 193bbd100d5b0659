"""Lists of images for several platforms, made by hand."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from io import BytesIO

import pytest

from img.application.ports.image_store import ImageNotFound
from img.application.usecases.manifest_list import NameTaken, NoList
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import parse_image_place
from img.domain.oci.codec import decode_index
from img.domain.oci.index import Index
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

_LIST = ImageReference.parse("list")
_ARM = Platform("linux", "arm", "v7")


@pytest.fixture
def app() -> InMemoryApp:
    made = InMemoryApp()
    made.publish("r.example/here", {"a": b"1"})
    made.publish("r.example/there", {"a": b"2"}, platforms=(ELSEWHERE,))
    return made


def _create(app: InMemoryApp, *places: str, amend: bool = False) -> None:
    app.container.images.edit_manifest_list().create(
        _LIST,
        [parse_image_place(place) for place in places],
        open_file=lambda _: nullcontext(BytesIO()),
        amend=amend,
    )


def _add(app: InMemoryApp, place: str, platform: Platform | None = None) -> None:
    app.container.images.edit_manifest_list().add(
        _LIST, parse_image_place(place), platform, open_file=lambda _: nullcontext(BytesIO())
    )


def _index(app: InMemoryApp) -> Index:
    return decode_index(app.catalog.read(app.images.get(_LIST).target))


def _digest(app: InMemoryApp, name: str) -> Digest:
    return app.registry.resolve(ImageReference.parse(name)).digest


def test_a_list_has_the_platforms_of_its_images(app: InMemoryApp) -> None:
    _create(app, "r.example/here", "r.example/there")

    assert [(each.platform, each.digest) for each in _index(app).manifests] == [
        (HERE, _digest(app, "r.example/here")),
        (ELSEWHERE, _digest(app, "r.example/there")),
    ]


def test_images_are_added_to_an_empty_list(app: InMemoryApp) -> None:
    _create(app)
    _add(app, "r.example/here")
    _add(app, "r.example/there", _ARM)

    assert [each.platform for each in _index(app).manifests] == [HERE, _ARM]


def test_an_image_takes_the_place_of_the_one_for_its_platform(app: InMemoryApp) -> None:
    app.publish("r.example/newer", {"a": b"3"})
    _create(app, "r.example/here", "r.example/there")

    _add(app, "r.example/newer")

    assert [each.digest for each in _index(app).manifests] == [
        _digest(app, "r.example/there"),
        _digest(app, "r.example/newer"),
    ]


def test_a_stored_image_has_precedence(app: InMemoryApp) -> None:
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"4"}, tags=["r.example/here"])

    _create(app, "r.example/here")

    assert [each.digest for each in _index(app).manifests] == [built.target.digest]


def test_a_list_in_a_list_gives_its_images(app: InMemoryApp) -> None:
    app.publish("r.example/both", {"a": b"1"}, platforms=(HERE, ELSEWHERE))

    _create(app, "r.example/both")

    assert [each.platform for each in _index(app).manifests] == [HERE, ELSEWHERE]


def test_a_pushed_list_has_all_images(app: InMemoryApp) -> None:
    _create(app, "r.example/here", "r.example/there")
    target = app.images.get(_LIST).target

    app.container.images.publish()(target, ImageReference.parse("other.example/list"))

    assert _digest(app, "other.example/list") == target.digest


def test_a_name_is_taken_by_another_list_unless_it_is_amended(app: InMemoryApp) -> None:
    _create(app, "r.example/here")

    with pytest.raises(NameTaken):
        _create(app, "r.example/there")
    _create(app, "r.example/there", amend=True)

    assert len(_index(app).manifests) == 2


def test_an_image_is_no_list(app: InMemoryApp) -> None:
    app.build("FROM scratch\nCOPY a /\n", {"a": b"4"}, tags=["list"])

    with pytest.raises(NoList):
        _add(app, "r.example/here")
    with pytest.raises(NoList):
        _create(app, "r.example/here", amend=True)


def test_a_missing_list_gets_nothing(app: InMemoryApp) -> None:
    with pytest.raises(ImageNotFound):
        _add(app, "r.example/here")


def test_a_list_keeps_its_platforms(app: InMemoryApp) -> None:
    app.publish("r.example/both", {"a": b"1"}, platforms=(HERE, ELSEWHERE))
    _create(app)

    with pytest.raises(UsageError, match="its images have platforms of their own"):
        _add(app, "r.example/both", _ARM)


def test_a_list_is_changed_by_one_process_at_a_time(app: InMemoryApp) -> None:
    _create(app)
    names = [f"r.example/{i}" for i in range(8)]
    for i, name in enumerate(names):
        app.publish(name, {"a": str(i).encode()}, platforms=(Platform("linux", f"arch{i}"),))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: _add(app, name), names))

    assert len(_index(app).manifests) == len(names)

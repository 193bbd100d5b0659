"""Builds for several platforms, and for another one than that of this machine."""

import pytest

from img.application.planning.plan_platforms import ForeignStep
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, image_of


def test_several_platforms_make_an_index() -> None:
    app = InMemoryApp()
    dockerfile = "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\n"

    built = app.build(dockerfile, {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    assert built.target.media_type == media_types.OCI_INDEX
    manifests = decode_index(app.catalog.read(built.target)).manifests
    assert [manifest.platform for manifest in manifests] == [HERE, ELSEWHERE]
    assert [set(app.files_in(image.layers)) for image in built.images] == [
        {HERE.architecture},
        {ELSEWHERE.architecture},
    ]


def test_a_command_for_another_processor_is_refused_before_anything_is_done() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"}, platforms=[HERE, ELSEWHERE])

    with pytest.raises(ForeignStep, match=str(ELSEWHERE)) as refused:
        app.build("FROM base\nRUN one\n", platforms=[HERE, ELSEWHERE])

    assert refused.value.lines == (2, 2)
    assert app.executor.processes == ()


def test_a_build_stage_for_this_machine_may_run_for_any_platform() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    app.commands["make"] = lambda root: root.write("out", b"made")

    built = app.build(
        "FROM --platform=$BUILDPLATFORM base AS build\nRUN make\nFROM base\n"
        "COPY --from=build /out /\n",
        platforms=[ELSEWHERE],
    )

    assert app.files_of(built) == {"a": b"1", "out": b"made"}
    assert image_of(built).config.platform == ELSEWHERE


def test_an_image_of_another_platform_says_so_unless_one_was_asked_for() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    dockerfile = f"FROM --platform={ELSEWHERE} base\nCOPY b /\n"

    own = app.build(dockerfile, {"b": b"2"})
    asked = app.build(dockerfile, platforms=[HERE])
    other = app.build(f"{dockerfile}FROM base\n")

    assert image_of(own).config.platform == ELSEWHERE
    assert image_of(asked).config.platform == HERE
    assert image_of(other).config.platform == HERE

"""Reports on builds that were done in memory."""

from dataclasses import replace

import pytest

from img.domain.build import BuildRequest
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.report.build_report import BuildReport
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

DOCKERFILE = """\
FROM base AS one
RUN make
FROM base
COPY a b /srv/
COPY --from=one /out /srv/a
RUN rm
"""
FILES = {"a": b"first", "b": b"same"}


@pytest.fixture
def app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", {"bin/make": b"make", "etc/same": b"same"}, {"var/cache/apt/x": b"1234567"})
    app.commands["make"] = lambda root: root.write("out", b"result")
    app.commands["rm"] = lambda root: root.remove("srv/b")
    app.outputs["make"] = b"compiling\x1b[2J\n"
    return app


def reported(app: InMemoryApp, dockerfile: str = DOCKERFILE) -> BuildReport:
    record = app.recorded(dockerfile, FILES)
    return app.container.housekeeping.report_build()(record, HERE)


def test_steps_have_inputs_reasons_and_output(app: InMemoryApp) -> None:
    report = reported(app)

    by_name = {step.name: step for step in report.steps}
    make = next(step for name, step in by_name.items() if "RUN make" in name)
    copy = next(step for name, step in by_name.items() if "--from=one" in name)
    names = [report.steps[place].name for place in copy.inputs]
    assert [name.partition("] ")[2] for name in names] == ["COPY a b /srv/", "RUN make"]
    assert make.reasons == ("no earlier build has this step",)
    assert make.log
    assert make.log.first == "compiling\\x1b[2J\n"
    assert make.stage == "one"
    assert copy.critical


def test_the_image_is_compared_with_its_base(app: InMemoryApp) -> None:
    (image,) = reported(app).images

    assert [layer.of_base for layer in image.layers] == [True, True, False, False, False]
    assert image.names == ("app:latest",)
    assert {(each.reason, each.path, each.by) for each in image.waste} == {
        ("overwritten later", "srv/a", 3),
        ("deleted later", "srv/b", 4),
        ("package cache", "var/cache/apt/x", None),
    }
    assert image.wasted == 5 + 4 + 7
    assert {reason: size for reason, _, size in image.totals}["deleted later"] == 4
    assert image.files
    assert image.files.size == sum(layer.unpacked for layer in image.layers)


def test_values_that_a_record_hides_are_not_taken_from_the_image(app: InMemoryApp) -> None:
    text = "FROM base\nARG API_TOKEN\nARG V\nRUN make\n"
    given = {"API_TOKEN": "s3cr", "V": "1"}
    request = BuildRequest(platform=HERE, build_platform=HERE, build_args=given)
    record = app.recorded(text, FILES, request=request)
    report = app.container.housekeeping.report_build()(record, HERE)

    assert "s3cr" not in str(report)
    assert report.images[0].layers[-1].step == "RUN make"


def test_of_several_platforms_one_is_shown(app: InMemoryApp) -> None:
    record = app.recorded("FROM scratch\nCOPY a /\n", FILES, platforms=(HERE, ELSEWHERE))
    report = app.container.housekeeping.report_build()

    (here,), (elsewhere,) = report(record, HERE).images, report(record, ELSEWHERE).images
    (neither,) = report(record, Platform("plan9", "386")).images

    assert len(here.layers) == len(elsewhere.layers) == 1
    assert neither.missing
    assert neither.layers == ()


def test_an_image_that_is_gone_is_shown_by_the_layers_of_its_steps(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, FILES)
    report = app.container.housekeeping.report_build()
    (before,) = report(record, HERE).images
    app.images.remove(ImageReference.parse("app"))

    (image,) = report(record, HERE).images

    assert image.by_steps
    assert image.files == before.files
    assert image.waste == before.waste
    assert [layer.step for layer in image.layers] == [
        *("", ""),
        *("COPY a b /srv/", "COPY --from=one /out /srv/a", "RUN rm"),
    ]
    app.indexes.remove(record.instructions[-1].facts.layer.diff_id)  # type: ignore[union-attr]
    (gone,) = report(record, HERE).images
    assert gone.missing.endswith("not found")
    assert gone.layers == ()


def test_a_build_of_files_is_shown_by_the_layers_of_its_steps(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, FILES)

    (image,) = app.container.housekeeping.report_build()(replace(record, images=()), HERE).images

    assert (image.names, image.digest, image.by_steps) == ((), "", True)
    assert len(image.layers) == 5


def test_a_failed_build_has_its_error_and_no_image(app: InMemoryApp) -> None:
    app.statuses["make"] = 3

    report = reported(app)

    assert report.images == []
    assert report.status == "error"
    assert "exit code: 3" in report.error
    assert [step.status for step in report.steps if "RUN make" in step.name] == ["failed"]

"""Images with one layer for several steps."""

import io
import tarfile

from img.domain.outputs import ImageForm, ImageOutput, Squash
from img.domain.reference import ImageReference
from tests.unit.application.outputs.bench import DEFAULT, Bench

_NEW = ImageForm(squash=Squash.NEW)
_ALL = ImageForm(squash=Squash.ALL)


def _layers(app: Bench, form: ImageForm) -> list[dict[str, bytes]]:
    """Return the files of each layer of the image in ``form``."""
    built = app.deliver(ImageOutput(form=form))
    assert built is not None
    made = []
    for layer in built.images[0].manifest.layers:
        with (
            app.blobs.open(layer.digest) as blob,
            tarfile.open(fileobj=io.BytesIO(blob.read())) as archive,
        ):
            made.append(
                {
                    member.name: (archive.extractfile(member) or io.BytesIO()).read()
                    for member in archive
                }
            )
    return made


def test_the_new_layers_become_one_above_those_of_the_base(app: Bench) -> None:
    base, *_ = _layers(app, DEFAULT)

    assert _layers(app, _NEW) == [base, {"dir": b"", "dir/a": b"1", "dir/b": b"2"}]


def test_all_layers_become_one(app: Bench) -> None:
    assert _layers(app, _ALL) == [
        {"dir": b"", "dir/a": b"1", "dir/b": b"2", "dir/of-base": b"3", "gone": b"4"}
    ]


def test_a_file_that_a_later_step_replaced_is_in_no_layer(app: Bench) -> None:
    app.build("FROM base\nCOPY a /dir/x\nCOPY b /dir/x\n", {"a": b"1", "b": b"2"}, store=False)

    assert _layers(app, _NEW)[1:] == [{"dir": b"", "dir/x": b"2"}]


def test_the_history_says_all_steps_and_gives_the_layer_to_the_last(app: Bench) -> None:
    def history(form: ImageForm) -> list[tuple[str, bool]]:
        built = app.deliver(ImageOutput(form=form))
        assert built is not None
        config = built.images[0].config
        return [(item.created_by, item.empty_layer) for item in config.history]

    usual = history(DEFAULT)

    assert [text for text, _ in history(_NEW)] == [text for text, _ in usual]
    assert [empty for _, empty in history(_NEW)][-2:] == [True, False]
    assert [empty for _, empty in history(_ALL)].count(False) == 1


def test_the_squashed_layer_is_made_once(app: Bench) -> None:
    first = app.deliver(ImageOutput(form=_NEW))
    second = app.deliver(
        ImageOutput(form=_NEW, names=(ImageReference.parse("quay.io/team/squashed"),))
    )

    assert first is not None and second is not None
    assert first.target == second.target


def test_an_image_without_steps_keeps_its_layers(app: Bench) -> None:
    app.build("FROM base\nLABEL a=b\n", {}, store=False)

    assert _layers(app, _NEW) == _layers(app, DEFAULT)

"""The images of a build, as ``img report`` shows them."""

from collections.abc import Sequence
from dataclasses import replace

from img.application.ports.index_store import IndexStore
from img.application.usecases.explore_image import ExploredImage, ExploredLayer, ExploreImage
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.filesystem.layer_story import story_of
from img.domain.history.record import BuildRecord, BuiltRecord
from img.domain.image_name import ImageName
from img.domain.oci.chain import DiffID
from img.domain.platform import Platform
from img.domain.report.build_report import ReportImage, short_text
from img.domain.report.file_map import map_of
from img.domain.report.image_view import largest_waste, layer_row, totals_of, waste_by_layer
from img.domain.report.step_rows import last_step

# Bytes of a report, which all images of a bake share.
_FOR_FILES = 1_500_000
_FOR_WASTE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportImages:
    """The images of a build, by their layers in the state; no layer is unpacked."""

    explore: ExploreImage
    indexes: IndexStore

    def __call__(self, record: BuildRecord, platform: Platform) -> Sequence[ReportImage]:
        """Return each image with its layers, for ``platform`` if there are several.

        A build that made one image, or only files, is shown by the layers of its last step if the
        state does not have the image. Other images without layers in the state are missing.
        """
        bases = _bases(record)
        if record.images:
            return [self._image(record, each, platform, bases) for each in record.images]
        found = self._steps_of(record) if record.status == "completed" else None
        return [] if found is None else [_shown(_NAMELESS, found, bases, shared_by=1)]

    def _image(
        self,
        record: BuildRecord,
        built: BuiltRecord,
        platform: Platform,
        bases: Sequence[Sequence[DiffID]],
    ) -> ReportImage:
        image = ReportImage(
            names=tuple(map(short_text, built.names)),
            digest=short_text(built.digest),
            target=short_text(built.target),
        )
        try:
            found = self.explore(ImageName.parse(built.digest), platform)
        except ImgError as error:
            steps = self._steps_of(record) if len(record.images) == 1 else None
            if steps is None:
                return replace(image, missing=short_text(error.message))
            return _shown(replace(image, by_steps=True), steps, bases, shared_by=1)
        texts = _Texts(record)
        layers = tuple(replace(each, step=texts.of(each) or each.step) for each in found.layers)
        found = replace(found, layers=layers)
        return _shown(image, found, bases, shared_by=len(record.images))

    def _steps_of(self, record: BuildRecord) -> ExploredImage | None:
        """Return the layers after the last step, None if they or their indexes are not known."""
        last = last_step(record)
        layers = record.layers_of(last.vertex) if last is not None else None
        indexes = [self.indexes.get(layer.diff_id) for layer in layers or ()]
        known = [index for index in indexes if index is not None]
        if not layers or len(known) < len(layers):
            return None
        texts = _Texts(record)
        unnamed = [
            ExploredLayer("", layer.descriptor.digest, layer.descriptor.size, layer.diff_id)
            for layer in layers
        ]
        return ExploredImage(
            tuple(replace(each, step=texts.of(each)) for each in unnamed), story_of(known)
        )


class _Texts:
    """The instructions of the layers that a build made, as its record has them.

    The history of the image has the same with the values of all build arguments, also of those
    that records hide.
    """

    def __init__(self, record: BuildRecord) -> None:
        self._texts: dict[DiffID, list[str]] = {}
        for step in record.steps:
            if step.facts and step.facts.layer:
                self._texts.setdefault(step.facts.layer.diff_id, []).append(step.text)

    def of(self, layer: ExploredLayer) -> str:
        """Return the text of a layer, "" if unknown; of equal layers, the one of the next."""
        texts = self._texts.get(layer.diff_id, []) if layer.diff_id else []
        return texts.pop(0) if len(texts) > 1 else "".join(texts)


_NAMELESS = ReportImage(names=(), digest="", by_steps=True)


def _shown(
    image: ReportImage,
    found: ExploredImage,
    bases: Sequence[Sequence[DiffID]],
    *,
    shared_by: int,
) -> ReportImage:
    story = found.story
    of_base = _layers_of_base(found, bases)
    layers = zip(found.layers, story.changes, waste_by_layer(story), strict=True)
    return replace(
        image,
        layers=tuple(
            layer_row(
                changes,
                waste,
                step=layer.step,
                digest=str(layer.digest),
                size=layer.size,
                of_base=number < of_base,
            )
            for number, (layer, changes, waste) in enumerate(layers)
        ),
        files=map_of(story, _FOR_FILES // shared_by),
        totals=tuple(totals_of(story.waste)),
        wasted=story.wasted,
        waste=tuple(largest_waste(story.waste, _FOR_WASTE // shared_by)),
    )


def _bases(record: BuildRecord) -> Sequence[Sequence[DiffID]]:
    """Return the layers of the base images of a build."""
    facts = [step.facts for step in record.steps if step.facts and step.facts.layers]
    return [[layer.diff_id for layer in each.layers] for each in facts]


def _layers_of_base(image: ExploredImage, bases: Sequence[Sequence[DiffID]]) -> int:
    """Return the number of layers of the largest base image that an image begins with."""
    layers = [layer.diff_id for layer in image.layers]
    return max((len(base) for base in bases if layers[: len(base)] == base), default=0)

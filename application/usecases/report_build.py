"""``img report``."""

from collections.abc import Sequence
from dataclasses import replace

from img.application.usecases.explain_build import ExplainBuild
from img.application.usecases.explore_image import ExploredImage, ExploreImage
from img.application.usecases.read_history import ReadHistory
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.history.asked import options_of
from img.domain.history.record import BuildRecord, BuiltRecord, texts_in
from img.domain.image_name import ImageName
from img.domain.oci.chain import DiffID
from img.domain.platform import Platform
from img.domain.report.build_report import BuildReport, ReportImage, short_text
from img.domain.report.file_map import map_of
from img.domain.report.image_view import largest_waste, layer_row, totals_of, waste_by_layer
from img.domain.report.log_excerpt import LogExcerpt, excerpts_of
from img.domain.report.step_rows import step_rows

# Bytes of a report. All images of a bake share them.
_FOR_LOGS = 1_500_000
_FOR_FILES = 1_500_000
_FOR_WASTE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBuild:
    """The report on a build, from its record and from the files of its images."""

    read: ReadHistory
    explain: ExplainBuild
    explore: ExploreImage

    def __call__(self, record: BuildRecord, platform: Platform) -> BuildReport:
        """Return the report. Of an image with several platforms, it has that for ``platform``.

        An image that is not in the state is reported as missing. Raises RecordNotFound.
        """
        reasons = {each.step.vertex: each.reasons for each in self.explain(record)}
        bases = _bases(record)
        images = [self._image(each, platform, bases, len(record.images)) for each in record.images]
        return BuildReport(
            id=record.id,
            name=short_text(record.name),
            status=record.status,
            command=record.command,
            version=record.version,
            context=short_text(" ".join(texts_in(record.options.get("context")))),
            directory=short_text(" ".join(texts_in(record.options.get("directory")))),
            options=tuple(map(short_text, options_of(record.options))),
            started=record.started,
            seconds=record.seconds,
            error=short_text(record.error),
            steps=step_rows(record, reasons, self._logs(record)),
            images=images,
        )

    def _logs(self, record: BuildRecord) -> dict[int, LogExcerpt]:
        """Return the excerpts; the logs are read twice, because they may be larger than memory."""
        sizes: dict[int, int] = {}
        for piece in self.read.output(record):
            sizes[piece.step] = sizes.get(piece.step, 0) + len(piece.data)
        pieces = ((piece.step, piece.data) for piece in self.read.output(record))
        return excerpts_of(sizes, pieces, _FOR_LOGS)

    def _image(
        self,
        built: BuiltRecord,
        platform: Platform,
        bases: Sequence[Sequence[DiffID]],
        shared_by: int,
    ) -> ReportImage:
        image = ReportImage(
            names=tuple(map(short_text, built.names)),
            digest=short_text(built.digest),
            target=short_text(built.target),
        )
        try:
            found = self.explore(ImageName.parse(built.digest), platform)
        except ImgError as error:
            return replace(image, missing=short_text(error.message))
        story = found.story
        of_base = _layers_of_base(found, bases)
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
                for number, (layer, changes, waste) in enumerate(
                    zip(found.layers, story.changes, waste_by_layer(story), strict=True)
                )
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

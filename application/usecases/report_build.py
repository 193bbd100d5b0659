"""``img report``."""

from img.application.usecases.explain_build import ExplainBuild
from img.application.usecases.read_history import ReadHistory
from img.application.usecases.report_images import ReportImages
from img.domain.dataclass import dataclass
from img.domain.history.asked import options_of
from img.domain.history.record import BuildRecord, texts_in
from img.domain.platform import Platform
from img.domain.report.build_report import BuildReport, short_text
from img.domain.report.log_excerpt import LogExcerpt, excerpts_of
from img.domain.report.step_rows import step_rows

_FOR_LOGS = 1_500_000  # bytes of a report


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBuild:
    """The report on a build, from its record and from the layers of its images."""

    read: ReadHistory
    explain: ExplainBuild
    images: ReportImages

    def __call__(self, record: BuildRecord, platform: Platform) -> BuildReport:
        """Return the report. Of an image with several platforms, it has that for ``platform``.

        Raises RecordNotFound.
        """
        reasons = {each.step.vertex: each.reasons for each in self.explain(record)}
        return BuildReport(
            id=record.id,
            name=short_text(record.name),
            status=short_text(record.status),
            command=short_text(record.command),
            version=short_text(record.version),
            context=short_text(" ".join(texts_in(record.options.get("context")))),
            directory=short_text(" ".join(texts_in(record.options.get("directory")))),
            options=tuple(map(short_text, options_of(record.options))),
            started=record.started,
            seconds=record.seconds,
            error=short_text(record.error),
            steps=step_rows(record, reasons, self._logs(record)),
            images=self.images(record, platform),
        )

    def _logs(self, record: BuildRecord) -> dict[int, LogExcerpt]:
        """Return the excerpts; the logs are read twice, because they may be larger than memory."""
        sizes: dict[int, int] = {}
        for piece in self.read.output(record):
            sizes[piece.step] = sizes.get(piece.step, 0) + len(piece.data)
        pieces = ((piece.step, piece.data) for piece in self.read.output(record))
        return excerpts_of(sizes, pieces, _FOR_LOGS)

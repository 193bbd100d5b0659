"""Layers of recorded builds on a cluster, which may be in its store alone."""

from collections.abc import Callable

from img.application.layers.shared import ShareLayers
from img.application.log import logger
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.history.record import BuildRecord, texts_in
from img.domain.options.cluster_store import parse_cluster_store

log = logger("cluster")


@dataclass(frozen=True, slots=True)
class ReachRecordedStore:
    """Use of the store of a recorded build as another source of layers.

    ``share`` returns the use of stores; few builds have one.
    """

    share: Callable[[], ShareLayers]

    def __call__(self, record: BuildRecord) -> None:
        """Open the store of the build, if it had one. Without it, its layers are not found."""
        for text in texts_in(record.options.get("cluster_store")):
            try:
                self.share()(parse_cluster_store(text))
            except ImgError as error:
                log.warning("cluster store cannot be used", place=text, reason=error.message)

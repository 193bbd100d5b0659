"""Export of the results of a build to all targets of ``--cache-to``."""

from collections.abc import Sequence
from contextlib import suppress

from img.application.cache_export.export import (
    ExportableResults,
    ExportCache,
    MoreKeys,
    results_of,
)
from img.application.cache_export.mounts import PackCacheMounts
from img.application.outputs.assemble import Assemble
from img.application.outputs.solved import Solved
from img.application.ports.remote_cache import RemoteCacheBusy
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.graph.exported_cache import ExportedCache
from img.domain.options.cache import CacheTarget
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCaches:
    """Export of the results of all platforms to each target."""

    assemble: Assemble
    export: ExportCache
    pack_mounts: PackCacheMounts
    more_keys: MoreKeys

    def __call__(self, targets: Sequence[CacheTarget], built: Sequence[Solved]) -> None:
        """Write the caches. Raises RegistryError, OutputNotWritten …"""
        mounts = ExportableResults()
        if any(target.mounts for target in targets):
            for one in built:
                mounts += self.pack_mounts(one.plan, one.results)
        for target in targets:
            found = self._results(built, everything=target.everything)
            self.export(target, found + mounts if target.mounts else found)

    def check(self, targets: Sequence[CacheTarget]) -> None:
        """Open the remote targets, so that no build is done for a cache it cannot write.

        Raises RemoteCacheError for a target without ignore-error.
        """
        for target in targets:
            if isinstance(target.place, ActionsCache | ObjectStoreCache):
                with suppress(ImgError if target.ignore_error else RemoteCacheBusy):
                    self.export.remotes.open(target.place)

    def inline(self, built: Solved) -> ExportedCache:
        """Return the cache for the config of the image of one platform."""
        return self.export.inline(self._results([built], everything=False))

    def _results(self, built: Sequence[Solved], *, everything: bool) -> ExportableResults:
        found = ExportableResults()
        for one in built:
            found += results_of(one.plan, one.results, self.more_keys, everything=everything)
            if one.epoch is None:
                created = self.assemble.creation(one.plan, one.results)
                found += ExportableResults(records=(created,))
        return found

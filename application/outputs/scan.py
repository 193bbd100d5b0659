"""Bills of materials of built images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from img.application.log import logger
from img.application.outputs.solved import Solved
from img.application.packages.find import FindPackages
from img.application.solver.results import Stack
from img.application.transfer.catalog import Image
from img.domain.attestations.account import Account
from img.domain.attestations.statement import SPDX_TYPE, Statement
from img.domain.attestations.wanted import SbomWanted
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import Layer, chain_id_of
from img.domain.reference import ImageReference
from img.domain.sbom.bill import Bill
from img.domain.sbom.spdx import spdx_document

if TYPE_CHECKING:
    from img.application.outputs.run_scanner import RunScanner

log = logger("packages")
CORE = "sbom"
"""The name of the bill of the image itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanImages:
    """Statements of the packages in built images, and in the stages and contexts of builds."""

    packages: FindPackages
    run_scanner: "RunScanner"
    tool_version: str

    def __call__(
        self,
        wanted: SbomWanted,
        solved: Solved,
        account: Account,
        image: Image,
        names: Sequence[ImageReference],
    ) -> Sequence[Statement]:
        """Return a statement for the image, and one for each other thing that is scanned.

        Raises what reading layers raises, and what the scanner raises.
        """
        extras = extras_of(solved)
        if wanted.generator:
            return self.run_scanner(wanted, image, extras, solved.platform)
        made = [self._bill(CORE, image.layers, image.target.digest, account, image, names)]
        for name, layers in extras.items():
            content = chain_id_of(layer.diff_id for layer in layers) or Digest.of(b"")
            made.append(self._bill(name, layers, content, account, image, ()))
        return made

    def _bill(
        self,
        name: str,
        layers: Sequence[Layer],
        digest: Digest,
        account: Account,
        image: Image,
        names: Sequence[ImageReference],
    ) -> Statement:
        found = self.packages(layers)
        for record in found.unread:
            log.warning(f"packages of /{record.path} are not listed: {record.reason}")
        bill = Bill(
            name=names[0].familiar if names else name,
            reference=names[0] if names else None,
            digest=digest,
            platform=image.config.platform,
            layers=[layer.descriptor.digest for layer in layers],
            distribution=found.distribution,
            packages=found.packages,
            created=account.finished,
            tool_version=self.tool_version,
        )
        return Statement(
            predicate_type=SPDX_TYPE, predicate=spdx_document(bill), filename=f"{name}.spdx.json"
        )


def extras_of(solved: Solved) -> Mapping[str, Sequence[Layer]]:
    """Return the layers of the stages and contexts to scan, sorted by name."""
    found: dict[str, Sequence[Layer]] = {}
    for name, position in solved.plan.scanned.items():
        result = solved.results.get(position)
        if isinstance(result, Stack):
            found[f"sbom-{name}"] = result.layers
    if solved.attested is not None and solved.attested.context is not None:
        found["sbom-context"] = solved.attested.context
    return dict(sorted(found.items()))

"""The attestations that a build has to make."""

from collections.abc import Sequence

from img.domain.attestations.account import Account
from img.domain.attestations.wanted import AttestationsWanted
from img.domain.dataclass import dataclass
from img.domain.oci.chain import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """The attestations that a build was asked for, and the account of it for one platform."""

    wanted: AttestationsWanted
    account: Account
    context: Sequence[Layer] | None = None  # the files of the main context, if they are scanned

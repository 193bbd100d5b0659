"""Layers, and the ChainIDs of stacks of layers."""

from collections.abc import Iterable
from typing import NewType

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor

DiffID = NewType("DiffID", Digest)
"""The digest of a layer's uncompressed tar (image-spec config.md, "Layer DiffID")."""

ChainID = NewType("ChainID", Digest)
"""The name of a stack of layers applied in order (image-spec config.md, "Layer ChainID")."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A change set: the digest of its tar (DiffID), and its blob."""

    diff_id: DiffID
    descriptor: Descriptor


def chain_id_of(diff_ids: Iterable[DiffID]) -> ChainID | None:
    """Return the ChainID of the stack of ``diff_ids``, lowest first; None for an empty stack."""
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    return None if chain is None else ChainID(chain)


def chain_ids_of(diff_ids: Iterable[DiffID]) -> list[ChainID]:
    """Return the ChainIDs of all stacks from the bottom: of one layer, of two …"""
    chains: list[ChainID] = []
    for diff_id in diff_ids:
        chain = Digest.of(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id
        chains.append(ChainID(chain))
    return chains

"""Layers, and the ChainIDs of stacks of layers."""

from collections.abc import Iterable
from functools import lru_cache
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
    chains = chain_ids_of(diff_ids)
    return chains[-1] if chains else None


def chain_ids_of(diff_ids: Iterable[DiffID]) -> list[ChainID]:
    """Return the ChainIDs of all stacks from the bottom: of one layer, of two …"""
    chains: list[ChainID] = []
    for diff_id in diff_ids:
        chain = _chained(str(chains[-1]), str(diff_id)) if chains else diff_id
        chains.append(ChainID(chain))
    return chains


@lru_cache(maxsize=1 << 12)
def _chained(below: str, diff_id: str) -> Digest:
    # Cached, because each step of a build asks for the stack of the step before, and one layer.
    return Digest.of(f"{below} {diff_id}".encode())

"""Provenance of results: the contents of their inputs, by definition key.

A definition key identifies the instructions, not the result: a step that runs again may make other
files. So a result is found by its key and its provenance.
"""

from collections.abc import Mapping

from img.domain.digest import Digest
from img.domain.oci.chain import DiffID

Provenance = Mapping[Digest, Digest]
"""Contents by definition key. What a result stands on comes first, then what it took files from
and all that those were made from."""

SCRATCH = Digest.of(b"scratch")
"""The content of a stack without layers."""


def content_on(root: Digest, layer: DiffID | None) -> Digest:
    """Return the content digest of a stack: the one below, with ``layer`` on top if there is one.

    For layers it is the ChainID (image-spec config.md, "Layer ChainID").
    """
    if layer is None:
        return root
    return layer if root == SCRATCH else Digest.of(f"{root} {layer}".encode())


def made_from(recorded: Provenance, inputs: Provenance) -> bool:
    """Return whether a result with the provenance ``recorded`` was made from these ``inputs``.

    Also return False if one of them is not recorded.
    """
    return all(recorded.get(key) == content for key, content in inputs.items())


def contradict(claimed: Provenance, known: Mapping[Digest, Digest | None]) -> bool:
    """Return whether ``claimed`` has another content than ``known``, or one still unknown."""
    return any(key in known and known[key] != content for key, content in claimed.items())

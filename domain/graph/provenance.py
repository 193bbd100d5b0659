"""What results were made from: the contents of their inputs, by definition key.

A definition key says what was asked for, and not what came of it: a step that is done again may
give other files. So the key finds a result only together with this.
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
    """Return the content of a stack: that of what is below, with ``layer`` on it if there is one.

    It is the ChainID (image-spec config.md, "Layer ChainID") where there are layers.
    """
    if layer is None:
        return root
    return layer if root == SCRATCH else Digest.of(f"{root} {layer}".encode())


def made_from(recorded: Provenance, inputs: Provenance) -> bool:
    """Tell whether a result with the provenance ``recorded`` was made from just these ``inputs``.

    False as well where nothing is recorded of one of them.
    """
    return all(recorded.get(key) == content for key, content in inputs.items())


def contradict(told: Provenance, known: Mapping[Digest, Digest | None]) -> bool:
    """Tell whether ``told`` names a content that is ``known`` to be another one, or to be open."""
    return any(key in known and known[key] != content for key, content in told.items())

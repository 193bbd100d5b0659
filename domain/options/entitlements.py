"""``--allow``: additional permissions of a build."""

from collections.abc import Iterable

from img.domain.errors import UsageError

DELETE_OUTPUT = "buildx.local.delete"
"""An output directory may lose files that are not in the result."""

NETWORK_HOST = "network.host"
"""A RUN may ask for the host's network where ``--network`` says another."""

USER_NAMESPACES = "userns"
"""What a RUN starts may make user namespaces."""

KNOWN = (DELETE_OUTPUT, NETWORK_HOST, USER_NAMESPACES)


def parse_entitlements(texts: Iterable[str]) -> frozenset[str]:
    """Return the entitlements of ``--allow``. Raises UsageError."""
    for name in texts:
        if name not in KNOWN:
            known = ", ".join(KNOWN)
            raise UsageError(f"unknown entitlement {name}", hint=f"--allow takes {known}")
    return frozenset(texts)

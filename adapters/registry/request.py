"""Requests to a registry, before they are sent."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: ``target`` is a path of the registry or a whole URL; ``what`` is for errors."""

    method: str
    target: str
    what: str
    scope: str = ""  # such as "repository:library/busybox:pull" (distribution auth/scope.md)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None  # bytes, or a stream that the library requests accepts


def reading(
    method: str,
    reference: ImageReference,
    target: str,
    headers: Mapping[str, str],
    what: str = "pull",  # the user's action, which may be other than a pull
) -> Request:
    """Return a request that only reads."""
    return Request(
        method=method,
        target=target,
        what=f"{what} of {reference.familiar}",
        scope=f"repository:{reference.path}:pull",
        headers=headers,
    )


def writing(
    method: str,
    reference: ImageReference,
    target: str,
    headers: Mapping[str, str],
    data: Any = None,  # as in Request
) -> Request:
    """Return a request that changes the repository."""
    return Request(
        method=method,
        target=target,
        what=f"push of {reference.familiar}",
        scope=f"repository:{reference.path}:pull,push",
        headers=headers,
        data=data,
    )


def manifest_path(reference: ImageReference) -> str:
    """Return the path of the manifest, by digest if there is one."""
    name = reference.digest or reference.tag or "latest"
    return f"/v2/{reference.path}/manifests/{name}"


def blob_path(reference: ImageReference, digest: Digest) -> str:
    """Return the path of the blob."""
    return f"/v2/{reference.path}/blobs/{digest}"

"""Caches in object stores and in the cache service of GitHub Actions: ``type=gha|s3|azblob|gs``."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass

REMOTE_TYPES = ("gha", "s3", "azblob", "gs")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsCache:
    """A cache in the service of GitHub Actions.

    ``missing`` says what keeps it from being used, outside a workflow for example.
    """

    url: str
    token: str = field(repr=False)
    version: int  # of the protocol: 1 or 2
    scope: str = "buildkit"
    timeout_s: float = 600.0
    missing: str = ""

    def __str__(self) -> str:
        return f"gha:{self.scope}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreCache:
    """A cache in a bucket or container.

    ``access`` are the settings of the client by BuildKit's names: endpoint, region, credentials.
    """

    kind: str  # s3, azblob or gs
    container: str
    blobs: str  # what stands before the digest in the name of a blob
    manifests: str  # what stands before the name of a manifest
    names: tuple[str, ...]
    access: Mapping[str, str] = field(repr=False, hash=False)
    refresh_s: float | None = 24 * 3600.0  # the age from which a used blob is touched; None: never
    parallelism: int = 4  # blobs that are uploaded at a time

    def __str__(self) -> str:
        return f"{self.kind}://{self.container}/{self.manifests}{self.names[0]}"


RemotePlace = ActionsCache | ObjectStoreCache

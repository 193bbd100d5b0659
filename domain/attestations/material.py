"""Materials of a build: sources from outside, and their digests (SLSA, "resolvedDependencies")."""

import re
from collections.abc import Iterable

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.url import Url, redact_credentials

_SHA1 = 40  # hexadecimal digits


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Material:
    """A source: its URI, without credentials, and the digest of what it was."""

    rank: int  # images first, then repositories, then downloads, as in BuildKit
    uri: str
    algorithm: str
    digest: str  # hex

    def as_object(self) -> dict[str, object]:
        """Return the JSON object."""
        return {"uri": self.uri, "digest": {self.algorithm: self.digest}}


def download_material(url: str, content: Digest) -> Material:
    """Return the material of a file from a web server."""
    return Material(
        rank=3, uri=redact_credentials(url), algorithm=content.algorithm, digest=content.encoded
    )


def checkout_material(remote: str, ref: str, commit: str) -> Material:
    """Return the material of a commit; the directory of a checkout is no part of it."""
    uri = redact_credentials(remote) + (f"#{ref}" if ref else "")
    algorithm = "sha1" if len(commit) == _SHA1 else "sha256"
    return Material(rank=2, uri=uri, algorithm=algorithm, digest=commit)


def sorted_materials(materials: Iterable[Material]) -> tuple[Material, ...]:
    """Return each of ``materials`` once, in BuildKit's order.

    An image that is named by its digest is left out if another name has the same digest.
    """
    unique = sorted(set(materials))
    by_name = {each.digest for each in unique if not _is_by_digest(each)}
    return tuple(
        each
        for each in unique
        if not (
            each.uri.startswith("pkg:docker/") and _is_by_digest(each) and each.digest in by_name
        )
    )


def _is_by_digest(material: Material) -> bool:
    return bool(re.search(r"[?&]digest=", material.uri))


def git_identifier(remote: str, ref: str, subdir: str) -> str:
    """Return the identifier of a checkout in a build step: ``git://HOST/PATH#REF:DIRECTORY``."""
    text = redact_credentials(remote)
    url = Url.parse(text)
    if url is not None:
        text = f"git://{url.host}{url.path}"
    where = f"{ref}:{subdir}" if subdir else ref
    return f"{text}#{where}" if where else text

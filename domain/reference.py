"""Names of images (distribution/reference)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.errors import ImgError, UsageError

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
DOCKER_HUB_HOST = "registry-1.docker.io"  # the host that serves docker.io
DOCKER_HUB_SERVER = "https://index.docker.io/v1/"  # Docker Hub's key in credential stores
DOCKER_HUB_NAMES = (DEFAULT_DOMAIN, "index.docker.io", DOCKER_HUB_HOST)

# The grammar of distribution/reference, regexp.go: all of it is ASCII.
_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = (
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_IMAGE_ID = r"[a-f0-9]{64}"
_PATH_LIMIT = 255  # characters; distribution/reference, RepositoryNameTotalLengthMax


class InvalidReference(ImgError):
    """Text that is not the name of an image."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f'parsing image name "{text}" failed: {reason}')
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceParts:
    """A reference as it is written; parts that were left out are "" or None."""

    domain: str
    path: str
    tag: str
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> "ReferenceParts":
        """Split ``text`` by the strict grammar (distribution/reference, Parse).

        Raises InvalidReference.
        """
        found = re.fullmatch(_REFERENCE, text)
        if found is None:
            raise InvalidReference(text, _why_no_reference(text))
        if len(found["path"]) > _PATH_LIMIT:
            reason = f"repository name must not be more than {_PATH_LIMIT} characters"
            raise InvalidReference(text, reason)
        try:
            digest = Digest.parse(found["digest"]) if found["digest"] else None
        except InvalidDigest as error:
            raise InvalidReference(text, error.message) from None
        return cls(
            domain=found["domain"] or "", path=found["path"], tag=found["tag"] or "", digest=digest
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """The full name of an image: registry, repository, and a tag or a digest or both.

    With both, the digest decides (distribution/reference, "Reference"). Raises InvalidReference.
    """

    domain: str  # with the port, such as "docker.io" or "localhost:5000"
    path: str
    tag: str = ""
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if not (
            re.fullmatch(_DOMAIN, self.domain)
            and re.fullmatch(_PATH, self.path)
            and (not self.tag or re.fullmatch(_TAG, self.tag))
        ):
            raise InvalidReference(str(self), "invalid reference format")

    @classmethod
    def parse(cls, text: str, *, default_tag: bool = True) -> "ImageReference":
        """Return the image that ``docker pull`` takes: docker.io/library/busybox for busybox.

        With ``default_tag`` a bare name gets the tag "latest" (distribution/reference,
        ParseNormalizedNamed and TagNameOnly). Raises InvalidReference.
        """
        if re.fullmatch(_IMAGE_ID, text):
            reason = f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            raise InvalidReference(text, reason)
        domain, remainder = _split_domain(text)
        name = remainder.partition(":")[0]
        if name != name.lower():
            reason = f"invalid reference format: repository name ({name}) must be lowercase"
            raise InvalidReference(text, reason)
        try:
            parts = ReferenceParts.parse(f"{domain}/{remainder}")
        except InvalidReference as error:
            raise InvalidReference(text, error.reason) from None
        tag = parts.tag or (DEFAULT_TAG if default_tag and parts.digest is None else "")
        return cls(domain=parts.domain, path=parts.path, tag=tag, digest=parts.digest)

    def __str__(self) -> str:
        return self.repository + self._suffix

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as short as Docker shows it: busybox:latest."""
        return self.familiar_name + self._suffix

    @property
    def familiar_name(self) -> str:
        """The repository as short as Docker shows it: busybox."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        official = self.path.removeprefix("library/")
        return self.path if "/" in official else official

    @property
    def registry_host(self) -> str:
        """The host that serves the domain, with its port if it has one."""
        return DOCKER_HUB_HOST if self.domain == DEFAULT_DOMAIN else self.domain

    @property
    def server(self) -> str:
        """The registry's key in credential stores (Docker's cli/config)."""
        return DOCKER_HUB_SERVER if self.domain == DEFAULT_DOMAIN else self.domain

    def with_tag(self, tag: str) -> "ImageReference":
        """Return the same repository's ``tag``, without digest. Raises InvalidReference."""
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> "ImageReference":
        """Return the same name pinned to ``digest``; the tag is kept."""
        return replace(self, digest=digest)

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def in_repositories(names: Iterable[ImageReference], digest: Digest) -> Sequence[ImageReference]:
    """Return the name of ``digest`` in each repository of ``names``, without tags."""
    return list(dict.fromkeys(replace(name, tag="", digest=digest) for name in names))


StoredName = ImageReference | Digest
"""What the image store knows an image by: its name, or its digest where it has none."""


def may_name(name: StoredName, digest: Digest) -> bool:
    """Return whether the name may refer to ``digest``; a name with another digest may not."""
    own = name if isinstance(name, Digest) else name.digest
    return own in (None, digest)


def parse_stored_name(text: str) -> StoredName:
    """Return the name or digest that ``str`` wrote as ``text``. Raises ImgError."""
    if "/" in text:  # as the full name of an image has, and no digest
        return ImageReference.parse(text, default_tag=False)
    return Digest.parse(text)


def registry_of(text: str) -> str:
    """Return the host, with its port, of a registry as a user types it. Raises UsageError."""
    host = server_of(text)
    if host != DOCKER_HUB_SERVER and not re.fullmatch(_DOMAIN, host):
        raise UsageError(f'"{text}" is no registry', hint="HOST or HOST:PORT")
    return host


def server_of(text: str) -> str:
    """Return the key in credential stores for a registry as a user types it.

    Docker Hub has one special key for all its names. The key of a URL is its host (Docker's cli,
    credentials.ConvertToHostname).
    """
    host = text.strip().removeprefix("https://").removeprefix("http://").partition("/")[0]
    is_docker_hub = host in {"", *DOCKER_HUB_NAMES}
    return DOCKER_HUB_SERVER if is_docker_hub else host


def _split_domain(text: str) -> tuple[str, str]:
    """Return the domain and the rest.

    The first part is a domain if it has a dot, a port or capitals, or is "localhost".

    The source is splitDockerDomain in distribution/reference, normalize.go.
    """
    first, slash, rest = text.partition("/")
    is_domain = slash and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    domain, remainder = (first, rest) if is_domain else (DEFAULT_DOMAIN, text)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = f"library/{remainder}"
    return domain, remainder


def _why_no_reference(text: str) -> str:
    if not text:
        return "repository name must have at least one component"
    if re.fullmatch(_REFERENCE, text.lower()):
        return "repository name must be lowercase"
    return "invalid reference format"

"""``--cache-from`` and ``--cache-to`` (BuildKit README, "Export cache"; docker docs, "Cache").

A word without ``=`` is an image; its cache or its layers are used (``type=registry``).
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn, assert_never

from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.go.csv_fields import BadCsv, split_csv
from img.domain.oci.compression import Algorithm, Compression
from img.domain.options.attributes import Attributes
from img.domain.options.image_form import parse_compression
from img.domain.options.remote_cache import (
    REMOTE_TYPES,
    ActionsCache,
    ObjectStoreCache,
    RemotePlace,
)
from img.domain.reference import ImageReference, InvalidReference

_NO_ENVIRONMENT: Mapping[str, str] = {}
_FROM = "--cache-from"
_TO = "--cache-to"
_TYPES = f"registry, local, {', '.join(REMOTE_TYPES)}"


@dataclass(frozen=True, slots=True)
class RegistryCache:
    """A cache in a registry: a manifest, or inline in an image."""

    reference: ImageReference

    def __str__(self) -> str:
        return str(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCache:
    """A cache in an OCI image layout, found by ``digest`` if it is given, else by ``tag``."""

    path: str
    tag: str = "latest"
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.path


CachePlace = RegistryCache | LocalCache | RemotePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTarget:
    """The place of an exported cache, and its extent.

    ``everything`` is mode=max: the layers of all stages, not only those of the resulting image.
    """

    place: CachePlace | None  # None: inline, in the image itself
    everything: bool = False
    mounts: bool = False  # also the directories of RUN --mount=type=cache
    reset: bool = True  # earlier contents of a local cache are deleted
    ignore_error: bool = False
    docker_types: bool = False  # oci-mediatypes=false
    compression: Compression | None = None  # None: layers keep their compression

    def __str__(self) -> str:
        match self.place:
            case None:
                return "inline"
            case RegistryCache() | LocalCache() | ActionsCache() | ObjectStoreCache() as place:
                return str(place)
            case _:
                assert_never(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheExchange:
    """The caches that a build imports and exports."""

    sources: tuple[CachePlace, ...] = ()
    targets: tuple[CacheTarget, ...] = ()

    @classmethod
    def parse(
        cls,
        sources: Sequence[str],
        targets: Sequence[str],
        environment: Mapping[str, str] = _NO_ENVIRONMENT,
    ) -> "CacheExchange":
        """Return the caches of ``--cache-from`` and ``--cache-to``. Raises UsageError.

        ``environment`` completes the attributes of remote caches.
        """
        return cls(
            sources=tuple(parse_cache_source(text, environment) for text in sources),
            targets=tuple(parse_cache_target(text, environment) for text in targets),
        )

    @property
    def has_remote_source(self) -> bool:
        """True if a source is an object store or the cache of a CI system."""
        return any(isinstance(place, ActionsCache | ObjectStoreCache) for place in self.sources)

    @property
    def inline(self) -> bool:
        """True if the cache is written into the image itself."""
        return any(target.place is None for target in self.targets)


def parse_cache_source(text: str, environment: Mapping[str, str] = _NO_ENVIRONMENT) -> CachePlace:
    """Return the cache that ``--cache-from`` names. Raises UsageError."""
    given = _attributes(_FROM, text)
    match given["type"]:
        case "registry":
            return RegistryCache(_reference(given))
        case "local":
            _only(given, "src", "tag", "digest")
            return LocalCache(
                path=given["src"] or given.refuse("src is required for a local cache"),
                tag=given["tag"] or "latest",
                digest=_digest(given),
            )
        case "inline":
            return given.refuse("inline caches are read by type=registry,ref=IMAGE")
        case kind if kind in REMOTE_TYPES:
            return _remote(given, environment, target=False)
        case other:
            return _unknown(given, other)


def parse_cache_target(text: str, environment: Mapping[str, str] = _NO_ENVIRONMENT) -> CacheTarget:
    """Return the cache that ``--cache-to`` asks for. Raises UsageError."""
    given = _attributes(_TO, text)
    everything = given.choice("mode", ("min", "max")) == "max"
    match given["type"]:
        case "inline":
            _only(given, "mode")
            if everything:
                given.refuse("an inline cache has mode=min only", hint="use type=registry")
            return CacheTarget(place=None)
        case "registry":
            _only(given, "ref", *_SHARED)
            return _target(given, RegistryCache(_reference(given)), everything)
        case "local":
            _only(given, "dest", "tag", "reset", *_SHARED)
            path = given["dest"] or given.refuse("dest is required for a local cache")
            return _target(given, LocalCache(path=path, tag=given["tag"] or "latest"), everything)
        case kind if kind in REMOTE_TYPES:
            place = _remote(given, environment, target=True)
            return _target(given, place, everything)
        case other:
            return _unknown(given, other)


_SHARED = (
    *("mode", "mounts", "ignore-error", "image-manifest", "oci-mediatypes"),
    *("compression", "compression-level", "force-compression"),
)


def _target(given: Attributes, place: CachePlace, everything: bool) -> CacheTarget:
    if given.flag("image-manifest") is False:
        given.refuse("a cache is written as an image manifest only")
    given.flag("force-compression")  # it concerns the layers of the base, which no cache holds
    compression = parse_compression(given)
    docker_types = given.flag("oci-mediatypes") is False
    if docker_types and compression is not None and compression.algorithm is Algorithm.ZSTD:
        given.refuse("oci-mediatypes=false is not possible with compression=zstd")
    return CacheTarget(
        place=place,
        everything=everything,
        mounts=given.flag("mounts") or False,
        reset=given.flag("reset") is not False,
        ignore_error=given.flag("ignore-error") or False,
        docker_types=docker_types,
        compression=compression,
    )


def _remote(given: Attributes, environment: Mapping[str, str], *, target: bool) -> RemotePlace:
    from img.domain.options.remote_cache_attributes import parse_remote_cache  # few need it

    return parse_remote_cache(given, environment, target=target)


def _attributes(option: str, text: str) -> Attributes:
    """Return the attributes; a word that is only an image means ``type=registry,ref=``."""
    try:
        words = split_csv(text)
    except BadCsv:
        words = ()
    if len(words) == 1 and words[0] and "=" not in words[0]:
        if option == _TO and words[0] == "inline":
            return Attributes.parse(option, "type=inline")
        values = {"type": "registry", "ref": words[0]}
        return Attributes(option=option, text=text, values=values)
    given = Attributes.parse(option, text)
    if not given["type"]:
        given.refuse("type is required", hint="such as type=registry,ref=NAME")
    return given


def _reference(given: Attributes) -> ImageReference:
    if not given["ref"]:
        given.refuse("ref is required for a registry cache")
    try:
        return ImageReference.parse(given["ref"])
    except InvalidReference as error:
        given.refuse(error.reason)


def _digest(given: Attributes) -> Digest | None:
    try:
        return Digest.parse(given["digest"]) if given["digest"] else None
    except InvalidDigest as error:
        given.refuse(error.message)


def _only(given: Attributes, *known: str) -> None:
    """Raise UsageError for an attribute that would have no effect."""
    for key in given.values:
        if key not in ("type", *known):
            given.refuse(f"unknown attribute {key}", hint=", ".join(known))


def _unknown(given: Attributes, kind: str) -> NoReturn:
    given.refuse(f"unknown type {kind!r}", hint=f"use {_TYPES}, or inline for --cache-to")

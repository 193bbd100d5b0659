"""``--cluster-store``: where the machines of a cluster exchange layers."""

from collections.abc import Mapping
from typing import NoReturn

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.options.attributes import Attributes, masked
from img.domain.options.remote_cache import ObjectStoreCache
from img.domain.reference import ImageReference, InvalidReference
from img.domain.url import Url, redact_urls, unescaped

_OPTION = "--cluster-store"
_FORMS = "use dir:PATH, registry:NAME or s3://BUCKET/PREFIX"
_S3_SETTINGS = ("region", "endpoint_url", "use_path_style")
_NO_ENVIRONMENT: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """A directory on a file system that all machines mount at the same path."""

    path: str  # absolute

    def __str__(self) -> str:
        return f"dir:{self.path}"


@dataclass(frozen=True, slots=True)
class RegistryStore:
    """A repository of a registry; it needs no tag."""

    reference: ImageReference

    def __str__(self) -> str:
        return f"registry:{self.reference.repository}"


@dataclass(frozen=True, slots=True)
class BucketStore:
    """Objects ``PREFIX/blobs/DIGEST`` of an S3 bucket, as caches of ``type=s3`` have them."""

    prefix: str
    place: ObjectStoreCache

    def __str__(self) -> str:
        """Return the address with all that another machine needs, except credentials."""
        access = self.place.access
        query = "&".join(f"{key}={_escaped(access[key])}" for key in _S3_SETTINGS if key in access)
        return f"s3://{self.place.container}/{self.prefix}?{query}"


ClusterStore = DirectoryStore | RegistryStore | BucketStore


def parse_cluster_store(
    text: str, environment: Mapping[str, str] = _NO_ENVIRONMENT
) -> ClusterStore:
    """Return the store that ``text`` names. Raises UsageError.

    ``environment`` completes the address of a bucket: AWS_REGION. The text of the result names the
    same store on machines with another environment.
    """
    if text.startswith("s3://"):
        return _bucket(text, environment)
    kind, colon, rest = text.partition(":")
    match kind:
        case "dir" if colon:
            return _directory(text, rest)
        case "registry" if colon:
            return _registry(text, rest)
        case _:
            return _refuse(text, "it names no kind of store")


def _directory(text: str, path: str) -> DirectoryStore:
    if not path.startswith("/"):
        _refuse(text, "the path is not absolute", hint="workers have other current directories")
    if "\0" in path or ".." in path.split("/"):
        _refuse(text, "the path has a part '..' or a zero byte")
    return DirectoryStore("/" + "/".join(each for each in path.split("/") if each not in ("", ".")))


def _registry(text: str, name: str) -> RegistryStore:
    try:
        reference = ImageReference.parse(name, default_tag=False)
    except InvalidReference as error:
        _refuse(text, error.reason)
    if reference.tag or reference.digest:
        _refuse(text, "a repository is needed, without tag or digest")
    return RegistryStore(reference)


def _bucket(text: str, environment: Mapping[str, str]) -> BucketStore:
    url = Url.parse(text)
    if url is None or url.user or url.fragment is not None or not url.host:
        _refuse(text, "it is no address of a bucket", hint="s3://BUCKET/PREFIX?region=REGION")
    values = dict(_setting(text, each) for each in url.query.split("&") if each)
    from img.domain.options.remote_cache_attributes import parse_remote_cache  # few need it

    prefix = url.path.strip("/")
    given = Attributes(
        option=_OPTION,
        text=_shown(text),
        values={
            **values,
            "type": "s3",
            "bucket": url.host,
            "prefix": f"{prefix}/" if prefix else "",
        },
    )
    place = parse_remote_cache(given, environment, target=False)
    assert isinstance(place, ObjectStoreCache)
    return BucketStore(prefix, place)


def _setting(text: str, written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if key not in _S3_SETTINGS or not equals:
        _refuse(
            text,
            f"unknown setting {key}",
            hint=f"{', '.join(_S3_SETTINGS)}; credentials come from each machine's environment",
        )
    return key, unescaped(value)


def _refuse(text: str, problem: str, hint: str = _FORMS) -> NoReturn:
    raise UsageError(f"invalid {_OPTION} {_shown(text)!r}: {problem}", hint=hint)


def _shown(text: str) -> str:
    return masked(redact_urls(text))


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("&", "%26").replace("#", "%23")

"""The attributes of remote caches.

Attributes, environment variables and object names are BuildKit's (cache/remotecache/s3, azblob,
gha; for gha also buildx, which reads the environment). ``gs`` has the attributes of ``s3``.
"""

from collections.abc import Mapping

from img.domain.go.booleans import parse_boolean
from img.domain.go.quantities import BadQuantity, parse_duration
from img.domain.options.attributes import Attributes
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache, RemotePlace
from img.domain.url import Url

_S = 10**9  # nanoseconds
_DAY_S = 24 * 3600.0
_TEN_MINUTES_S = 600.0
# GitHub's own host of the cache service, version 2 (BuildKit, cache/remotecache/gha).
_RESULTS_RECEIVER = "results-receiver.actions.githubusercontent.com"
_STORED = ("mode", "mounts", "ignore-error", "compression", "compression-level")
_BUCKET = ("prefix", "name", "blobs_prefix", "manifests_prefix", "anonymous")
_KNOWN = {
    "gha": ("scope", "token", "url", "url_v2", "version", "timeout", "repository", "ghtoken"),
    "s3": (
        *("bucket", "region", "endpoint_url", "use_path_style", *_BUCKET),
        *("access_key_id", "secret_access_key", "session_token"),
        *("touch_refresh", "upload_parallelism", "disable_accept_encoding"),
        *("retry_mode", "retry_max_attempts"),
    ),
    "azblob": ("account_url", "account_name", "container", "secret_access_key", *_BUCKET),
    "gs": (
        *("bucket", "endpoint_url", "service_account", *_BUCKET),
        *("touch_refresh", "upload_parallelism"),
    ),
}


def parse_remote_cache(
    given: Attributes, environment: Mapping[str, str], *, target: bool
) -> RemotePlace:
    """Return the place that the attributes of a ``target`` or source name. Raises UsageError."""
    kind = given["type"]
    known = (*_KNOWN[kind], *(_STORED if target else ()))
    for key in given.values:
        if key not in ("type", *known):
            given.refuse(f"unknown attribute {key}", hint=", ".join(known))
    match kind:
        case "gha":
            return _actions_cache(given, environment)
        case "s3":
            return _s3_cache(given, environment, all_names=target)
        case "azblob":
            return _azure_cache(given, environment)
        case _:
            return _gs_cache(given, all_names=target)


def is_web_url(text: str) -> bool:
    """Return whether ``text`` is a URL of http or https with a host."""
    url = Url.parse(text)
    return url is not None and bool(url.host_name) and url.scheme in ("http", "https")


def _actions_cache(given: Attributes, environment: Mapping[str, str]) -> ActionsCache:
    token = given["token"] or environment.get("ACTIONS_RUNTIME_TOKEN", "")
    results = environment.get("ACTIONS_RESULTS_URL", "")
    version = given["version"]
    if version not in ("", "1", "2"):
        given.refuse(f"unsupported version {version!r}", hint="1, 2")
    if not version and parse_boolean(environment.get("ACTIONS_CACHE_SERVICE_V2", "")):
        version = "2"
    first = given["url"] or environment.get("ACTIONS_CACHE_URL", "") or results
    second = given["url_v2"] or (results if version == "2" else "")
    if not version:
        host = Url.parse(first)
        is_second = bool(second) or (host is not None and host.host_name == _RESULTS_RECEIVER)
        version = "2" if is_second else "1"
    url = (second or first) if version == "2" else first
    unset = [name for name, value in (("token", token), ("url", url)) if not value]
    if url and not is_web_url(url):
        given.refuse(f"{url!r} is no URL of http or https")
    return ActionsCache(
        url=url if url.endswith("/") else f"{url}/",
        token=token,
        version=int(version),
        scope=given["scope"] or "buildkit",
        timeout_s=_seconds(given["timeout"], _TEN_MINUTES_S),
        missing=f"{' and '.join(unset)} not set for github actions cache" if unset else "",
    )


def _s3_cache(
    given: Attributes, environment: Mapping[str, str], *, all_names: bool
) -> ObjectStoreCache:
    bucket = given["bucket"] or environment.get("AWS_BUCKET", "")
    region = given["region"] or environment.get("AWS_REGION", "")
    if not bucket:
        given.refuse("bucket ($AWS_BUCKET) not set for s3 cache")
    if not region:
        given.refuse("region ($AWS_REGION) not set for s3 cache")
    given.flag("disable_accept_encoding")  # the client of img never signs that header
    given.choice("retry_mode", ("", "standard", "adaptive"))
    given.number("retry_max_attempts", 1, 100)
    if bool(given["access_key_id"]) != bool(given["secret_access_key"]):
        given.refuse("access_key_id and secret_access_key are needed together")
    return _bucket_cache(given, bucket, {"region": region}, all_names=all_names)


def _gs_cache(given: Attributes, *, all_names: bool) -> ObjectStoreCache:
    bucket = given["bucket"] or given.refuse("bucket is required for a gs cache")
    return _bucket_cache(given, bucket, {}, all_names=all_names)


def _bucket_cache(
    given: Attributes, bucket: str, found: Mapping[str, str], *, all_names: bool
) -> ObjectStoreCache:
    prefix = given["prefix"]
    given.flag("use_path_style")
    if given["endpoint_url"] and not is_web_url(given["endpoint_url"]):
        given.refuse(f"{given['endpoint_url']!r} is no URL of http or https")
    names = _names(given)
    refresh_s = _seconds(given["touch_refresh"], _DAY_S)
    return ObjectStoreCache(
        kind=given["type"],
        container=bucket,
        blobs=prefix + (given["blobs_prefix"] or "blobs/"),
        manifests=prefix + (given["manifests_prefix"] or "manifests/"),
        names=names if all_names else names[:1],  # BuildKit reads the first alone
        access={**_access(given), **found},
        refresh_s=refresh_s,
        parallelism=given.number("upload_parallelism", 1, 64) or 4,
    )


def _azure_cache(given: Attributes, environment: Mapping[str, str]) -> ObjectStoreCache:
    def setting(name: str) -> str:
        return given[name] or environment.get(f"BUILDKIT_AZURE_STORAGE_{name.upper()}", "")

    account_url = setting("account_url").rstrip("/")
    url = Url.parse(account_url)
    if url is None or not is_web_url(account_url):
        given.refuse("account_url ($BUILDKIT_AZURE_STORAGE_ACCOUNT_URL) not set for azblob cache")
    prefix = setting("prefix")
    found = {
        "account_url": account_url,
        "account_name": setting("account_name") or url.host_name.partition(".")[0],
    }
    return ObjectStoreCache(
        kind="azblob",
        container=setting("container") or "buildkit-cache",
        blobs=_joined(prefix, given["blobs_prefix"] or "blobs"),
        manifests=_joined(prefix, given["manifests_prefix"] or "manifests"),
        names=_names(given),
        access={**_access(given), **found},
        refresh_s=None,
    )


def _names(given: Attributes) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for name in given["name"].split(";") if name))
    return names or ("buildkit",)


def _access(given: Attributes) -> dict[str, str]:
    given.flag("anonymous")
    names = (
        *("region", "endpoint_url", "use_path_style", "service_account", "anonymous"),
        *("access_key_id", "secret_access_key", "session_token", "retry_max_attempts"),
    )
    return {name: given[name] for name in names if given[name]}


def _joined(*parts: str) -> str:
    """Return a path of the parts that ends with a slash (Go path.Join)."""
    words = [word for part in parts for word in part.split("/") if word]
    return "/".join(words) + "/"


def _seconds(text: str, default: float) -> float:
    # BuildKit takes the default for a bad duration and says nothing.
    try:
        return parse_duration(text) / _S if text else default
    except BadQuantity:
        return default
